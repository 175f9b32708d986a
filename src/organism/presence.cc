#include "organism/presence.h"

#include <algorithm>
#include <array>
#include <unistd.h>

#include "base/log.h"

namespace seedcore::organism {
namespace {

std::string HostName() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return {};
  return name.data();
}

}  // namespace

Presence::Presence(store::RegistryStore& registry, Env& env, PresenceSettings settings)
    : registry_(registry), env_(env), settings_(std::move(settings)) {}

Presence::~Presence() { Stop(); }

Result<Presence::Registration> Presence::Register(const std::string& organ_id, const std::string& epoch) {
  store::Instance instance;
  instance.instance_id = env_.NewId();
  instance.logical_id = organ_id;
  instance.cluster_epoch = epoch;
  instance.actor_name = organ_id;
  instance.serve_route = settings_.serve_route;
  instance.node_id = settings_.node_id.empty() ? HostName() : settings_.node_id;
  instance.ip_address = settings_.ip_address;
  instance.pid = static_cast<int>(::getpid());
  instance.service = settings_.service;
  instance.address = settings_.address;
  instance.started_at = env_.WallNow();
  instance.last_heartbeat = instance.started_at;
  SEEDCORE_RETURN_IF_ERROR(registry_.Register(instance));
  SEEDCORE_RETURN_IF_ERROR(registry_.SetStatus(instance.instance_id, store::InstanceStatus::kAlive));
  return Registration{organ_id, instance.instance_id, epoch, {}};
}

Result<void> Presence::Enter(const std::string& organ_id) {
  if (Of(organ_id)) return {};
  SEEDCORE_ASSIGN_OR_RETURN(const std::string epoch, registry_.CurrentEpoch());
  SEEDCORE_ASSIGN_OR_RETURN(Registration registration, Register(organ_id, epoch));
  const std::lock_guard lock(mutex_);
  present_[organ_id] = std::move(registration);
  return {};
}

Result<void> Presence::Leave(const std::string& organ_id) {
  std::string instance_id;
  {
    const std::lock_guard lock(mutex_);
    const auto found = present_.find(organ_id);
    if (found == present_.end()) return {};
    instance_id = found->second.instance_id;
    present_.erase(found);
  }
  return registry_.SetStatus(instance_id, store::InstanceStatus::kDead);
}

Result<Presence::Registration> Presence::Renew(const Registration& known, const std::string& epoch) {
  if (known.epoch == epoch) {
    const auto beaten = registry_.Beat(known.instance_id);
    // An instance that was dead for long has been forgotten.
    if (!beaten && beaten.error().code != ErrorCode::kNotFound) return std::unexpected(beaten.error());
    // A heartbeat does not bring back an instance that was declared dead, for example after the machine had slept.
    SEEDCORE_ASSIGN_OR_RETURN(const auto active, registry_.ActiveInstances(known.organ_id));
    if (std::ranges::any_of(active, [&](const auto& other) { return other.instance_id == known.instance_id; })) {
      return Registration{known.organ_id, known.instance_id, epoch, {}};
    }
  }
  SEEDCORE_ASSIGN_OR_RETURN(auto renewed, Register(known.organ_id, epoch));
  log::Info("instance registered again", {{"logical_id", known.organ_id}, {"epoch", epoch}});
  const auto ended = registry_.SetStatus(known.instance_id, store::InstanceStatus::kDead);
  if (!ended && ended.error().code != ErrorCode::kNotFound) return std::unexpected(ended.error());
  return renewed;
}

Result<void> Presence::BeatOnce() {
  std::vector<Registration> known;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [organ_id, registration] : present_) known.push_back(registration);
  }
  Result<void> first_error;
  const auto epoch = registry_.CurrentEpoch();
  for (const Registration& registration : known) {
    auto renewed = epoch ? Renew(registration, *epoch) : std::unexpected(epoch.error());
    if (!renewed && first_error) first_error = std::unexpected(renewed.error());
    if (StillPresent(registration.organ_id, renewed)) continue;
    // The organ left while it was being registered anew.
    if (renewed) (void)registry_.SetStatus(renewed->instance_id, store::InstanceStatus::kDead);
  }
  if (auto expired = registry_.ExpireInstances(settings_.expire_after); !expired && first_error) {
    first_error = std::unexpected(expired.error());
  }
  return first_error;
}

bool Presence::StillPresent(const std::string& organ_id, const Result<Registration>& renewed) {
  const std::lock_guard lock(mutex_);
  const auto present = present_.find(organ_id);
  if (present == present_.end()) return false;
  if (renewed) {
    present->second = *renewed;
  } else {
    present->second.problem = ToString(renewed.error());
  }
  return true;
}

void Presence::Run(const std::stop_token& stop) {
  std::chrono::milliseconds backoff = settings_.backoff;
  while (true) {
    const auto jitter =
        std::chrono::duration_cast<std::chrono::nanoseconds>(settings_.heartbeat_jitter * env_.RandomUnit());
    if (!env_.SleepFor(settings_.heartbeat + jitter, stop)) return;
    for (auto beaten = BeatOnce(); !beaten; beaten = BeatOnce()) {
      log::Warning("heartbeat failed", {{"error", ToString(beaten.error())}});
      if (!env_.SleepFor(backoff, stop)) return;
      backoff = std::min(backoff * 2, settings_.backoff_max);
    }
    backoff = settings_.backoff;
  }
}

void Presence::Start() {
  if (thread_.joinable()) return;
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
}

void Presence::Stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

std::optional<Presence::Registration> Presence::Of(const std::string& organ_id) const {
  const std::lock_guard lock(mutex_);
  const auto found = present_.find(organ_id);
  if (found == present_.end()) return std::nullopt;
  return found->second;
}

}  // namespace seedcore::organism
