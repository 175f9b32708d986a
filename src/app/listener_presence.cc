#include "app/listener_presence.h"

#include <algorithm>
#include <utility>

#include "base/log.h"

namespace seedcore::app {

using store::InstanceStatus;

ListenerPresence::ListenerPresence(store::RegistryStore& registry, store::Instance listener, Env& env)
    : registry_(registry), env_(env), listener_(std::move(listener)) {}

ListenerPresence::~ListenerPresence() { Leave(); }

Result<void> ListenerPresence::Register(const std::string& epoch) {
  listener_.instance_id = env_.NewId();
  listener_.cluster_epoch = epoch;
  listener_.status = InstanceStatus::kStarting;
  SEEDCORE_RETURN_IF_ERROR(registry_.Register(listener_));
  SEEDCORE_RETURN_IF_ERROR(registry_.SetStatus(listener_.instance_id, InstanceStatus::kAlive));
  listener_.status = InstanceStatus::kAlive;
  return {};
}

Result<void> ListenerPresence::Enter() {
  const std::scoped_lock lock(mutex_);
  SEEDCORE_ASSIGN_OR_RETURN(const std::string epoch, registry_.CurrentEpoch());
  SEEDCORE_RETURN_IF_ERROR(Register(epoch));
  thread_ = std::jthread([this](const std::stop_token& stop) { Run(stop); });
  return {};
}

Result<void> ListenerPresence::Beat() {
  const std::scoped_lock lock(mutex_);
  if (leaving_) {
    // Still there for as long as it drains; whoever declared it dead is right soon enough.
    const auto beaten = registry_.Beat(listener_.instance_id);
    return beaten || beaten.error().code == ErrorCode::kNotFound ? Result<void>{} : beaten;
  }
  SEEDCORE_ASSIGN_OR_RETURN(const std::string epoch, registry_.CurrentEpoch());
  if (epoch == listener_.cluster_epoch && listener_.status == InstanceStatus::kAlive) {
    const auto beaten = registry_.Beat(listener_.instance_id);
    if (!beaten && beaten.error().code != ErrorCode::kNotFound) return beaten;
    // A heartbeat does not bring back what was declared dead, for example after the machine had slept.
    SEEDCORE_ASSIGN_OR_RETURN(const auto active, registry_.ActiveInstances(listener_.logical_id));
    if (beaten &&
        std::ranges::any_of(active, [&](const auto& other) { return other.instance_id == listener_.instance_id; })) {
      return {};
    }
  }
  const std::string before = listener_.instance_id;
  SEEDCORE_RETURN_IF_ERROR(Register(epoch));
  log::Info("listener registered again", {{"service", listener_.service}, {"epoch", epoch}});
  (void)registry_.SetStatus(before, InstanceStatus::kDead);  // it may be gone, which is as good
  return {};
}

bool ListenerPresence::EpochHasChanged() {
  const auto epoch = registry_.CurrentEpoch();
  const std::scoped_lock lock(mutex_);
  return epoch && *epoch != listener_.cluster_epoch && !leaving_;
}

void ListenerPresence::SetStatus(InstanceStatus status) {
  if (const auto set = registry_.SetStatus(listener_.instance_id, status); !set) {
    log::Warning("the registry was not told that a listener leaves",
                 {{"service", listener_.service}, {"error", ToString(set.error())}});
  }
}

void ListenerPresence::Drain() {
  const std::scoped_lock lock(mutex_);
  if (std::exchange(leaving_, true) || listener_.instance_id.empty()) return;
  SetStatus(InstanceStatus::kDraining);
}

void ListenerPresence::Leave() {
  if (thread_.joinable()) {
    thread_.request_stop();
    thread_.join();
  }
  const std::scoped_lock lock(mutex_);
  leaving_ = true;
  if (listener_.instance_id.empty() || listener_.status == InstanceStatus::kDead) return;
  SetStatus(InstanceStatus::kDead);
  listener_.status = InstanceStatus::kDead;
}

void ListenerPresence::Run(const std::stop_token& stop) {
  for (int looks = 1; env_.SleepFor(kLook, stop); ++looks) {
    if (looks % (kHeartbeat / kLook) != 0 && !EpochHasChanged()) continue;
    if (const auto beaten = Beat(); !beaten) {
      log::Warning("listener heartbeat failed", {{"service", listener_.service}, {"error", ToString(beaten.error())}});
    }
  }
}

}  // namespace seedcore::app
