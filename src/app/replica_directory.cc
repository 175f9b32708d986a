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

}  // namespace

ReplicaDirectory::ReplicaDirectory(store::RegistryStore& registry, net::BreakerSettings ejection,
                                   std::chrono::milliseconds refresh, Env& env)
    : registry_(registry), refresh_(refresh), env_(env) {
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
  std::vector<store::Instance> dispatchers;
  for (const store::Instance& listener : listeners) {
    if (listener.service == kDispatcherService || listener.service == kReaperService) dispatchers.push_back(listener);
    auto where = net::ParseHostPort(listener.address);
    if (!where || !services_.contains(listener.service)) continue;  // of a newer version
    by_service[listener.service].push_back({listener.instance_id, std::move(*where), listener.node_id});
  }
  for (const auto& [service, upstreams] : services_) upstreams->Replace(std::move(by_service[service]));
  const std::scoped_lock lock(mutex_);
  read_at_ = env_.Now();
  dispatchers_ = std::move(dispatchers);
  return {};
}

std::vector<store::Instance> ReplicaDirectory::Dispatchers() const {
  const std::scoped_lock lock(mutex_);
  return dispatchers_;
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
