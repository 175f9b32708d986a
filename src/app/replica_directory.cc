#include "app/replica_directory.h"

#include <optional>
#include <utility>
#include <vector>

#include "app/dispatch_unit.h"
#include "app/service_unit.h"
#include "base/check.h"
#include "base/log.h"

namespace seedcore::app {
namespace {

/// Between two readings, however much trouble there is.
constexpr std::chrono::milliseconds kPause{100};
/// Beyond it the work of further organs stays with the organism.
constexpr std::size_t kMostOrgans = 1024;

}  // namespace

ReplicaDirectory::ReplicaDirectory(store::RegistryStore& registry, net::BreakerSettings ejection,
                                   std::chrono::milliseconds refresh, Env& env)
    : registry_(registry), ejection_(ejection), refresh_(refresh), env_(env) {
  for (const ServiceKind& kind : ServiceKinds()) {
    services_.emplace(kind.name, std::make_shared<net::Upstreams>(ejection, env));
  }
}

const std::shared_ptr<net::Upstreams>& ReplicaDirectory::Of(std::string_view service) const {
  const auto found = services_.find(service);
  SEEDCORE_CHECK(found != services_.end(), "callers name services of ServiceKinds()");
  return found->second;
}

std::optional<Instant> ReplicaDirectory::ReadAt() const {
  const std::scoped_lock lock(mutex_);
  return read_at_;
}

Result<void> ReplicaDirectory::Refresh() {
  SEEDCORE_ASSIGN_OR_RETURN(const auto listeners, registry_.ActiveListeners());
  std::map<std::string, std::vector<net::UpstreamAddress>, std::less<>> by_service;
  std::map<std::string, std::vector<net::UpstreamAddress>, std::less<>> by_organ;
  std::vector<store::Instance> dispatchers;
  std::vector<store::Instance> organ_hosts;
  for (const store::Instance& listener : listeners) {
    if (listener.service == kDispatcherService || listener.service == kReaperService) dispatchers.push_back(listener);
    auto where = net::ParseHostPort(listener.address);
    if (where && listener.service == kOrganService && listener.logical_id.starts_with(kOrganPrefix)) {
      organ_hosts.push_back(listener);
      by_organ[listener.logical_id.substr(kOrganPrefix.size())].push_back(
          {listener.instance_id, std::move(*where), listener.node_id});
      continue;
    }
    if (!where || !services_.contains(listener.service)) continue;  // of a newer version
    by_service[listener.service].push_back({listener.instance_id, std::move(*where), listener.node_id});
  }
  for (const auto& [service, upstreams] : services_) upstreams->Replace(std::move(by_service[service]));
  const std::scoped_lock lock(mutex_);
  read_at_ = env_.Now();
  dispatchers_ = std::move(dispatchers);
  organ_hosts_ = std::move(organ_hosts);
  for (auto& [organ, upstreams] : organs_) {
    if (!by_organ.contains(organ)) upstreams->Replace({});
  }
  for (auto& [organ, addresses] : by_organ) {
    auto known = organs_.find(organ);
    if (known == organs_.end()) {
      if (organs_.size() >= kMostOrgans) continue;
      known = organs_.emplace(organ, std::make_shared<net::Upstreams>(ejection_, env_)).first;
    }
    known->second->Replace(std::move(addresses));
  }
  return {};
}

std::vector<store::Instance> ReplicaDirectory::Dispatchers() const {
  const std::scoped_lock lock(mutex_);
  return dispatchers_;
}

std::vector<store::Instance> ReplicaDirectory::OrganHosts() const {
  const std::scoped_lock lock(mutex_);
  return organ_hosts_;
}

std::shared_ptr<net::Upstreams> ReplicaDirectory::OfOrgan(std::string_view organ_id) const {
  const std::scoped_lock lock(mutex_);
  const auto found = organs_.find(organ_id);
  return found == organs_.end() ? nullptr : found->second;
}

void ReplicaDirectory::RefreshSoon() {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(wanted_, true)) return;
  }
  changed_.notify_all();
}

void ReplicaDirectory::Start() {
  if (thread_.joinable()) return;
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void ReplicaDirectory::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

void ReplicaDirectory::Run(const std::stop_token& stop) {
  bool failing = false;
  do {
    const auto read = Refresh();
    if (!read && !std::exchange(failing, true)) {
      log::Warning("the registry can't be read; the replicas known last stay", {{"error", ToString(read.error())}});
    } else if (read && std::exchange(failing, false)) {
      log::Info("the registry can be read again");
    }
    if (!env_.SleepFor(kPause, stop)) return;
    std::unique_lock lock(mutex_);
    env_.WaitUntil(lock, changed_, env_.Now() + (refresh_ > kPause ? refresh_ - kPause : kPause), stop,
                   [this] { return wanted_; });
    wanted_ = false;
  } while (!stop.stop_requested());
}

}  // namespace seedcore::app
