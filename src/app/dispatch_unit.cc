#include "app/dispatch_unit.h"

#include <utility>

#include "app/section_settings.h"
#include "base/log.h"

namespace seedcore::app {

DispatchUnit::DispatchUnit(Foundation& foundation, DispatchIdentity identity, organism::PresenceSettings presence)
    : foundation_(foundation),
      identity_(std::move(identity)),
      presence_(foundation.store->registry(), foundation.env, std::move(presence)) {}

DispatchUnit::~DispatchUnit() { Stop(foundation_.env.Now()); }

std::vector<std::string> DispatchUnit::Names() const {
  std::vector<std::string> names{identity_.dispatcher, identity_.reaper};
  std::erase(names, "");
  return names;
}

Result<std::unique_ptr<DispatchUnit>> DispatchUnit::Start(const settings::Settings& settings, Foundation& foundation,
                                                          DispatchIdentity identity, queue::ChooseTypes types,
                                                          queue::TaskHandler handler) {
  organism::PresenceSettings presence = OrganismSettingsFrom(settings.organism).presence;
  presence.serve_route = {};
  presence.node_id = identity.node_id;
  presence.ip_address = identity.ip_address;
  if (!identity.address.empty()) {
    presence.service = identity.dispatcher.empty() ? kReaperService : kDispatcherService;
    presence.address = identity.address;
  }
  std::unique_ptr<DispatchUnit> unit(new DispatchUnit(foundation, std::move(identity), std::move(presence)));
  for (const std::string& name : unit->Names()) SEEDCORE_RETURN_IF_ERROR(unit->presence_.Enter(name));
  unit->presence_.Start();

  store::TaskStore& tasks = foundation.store->tasks();
  if (!unit->identity_.reaper.empty()) {
    unit->reaper_ =
        std::make_unique<queue::Reaper>(foundation.env, tasks, foundation.metrics, ReaperSettingsFrom(settings.queue));
    unit->scheduler_ =
        std::make_unique<queue::Scheduler>(foundation.env, foundation.store->schedules(), foundation.metrics);
  }
  if (!unit->identity_.dispatcher.empty()) {
    queue::DispatcherSettings dispatching = DispatcherSettingsFrom(settings.queue);
    dispatching.name = unit->identity_.dispatcher;
    dispatching.choose_types = std::move(types);
    unit->dispatcher_ = std::make_unique<queue::Dispatcher>(foundation.env, tasks, foundation.metrics,
                                                            std::move(dispatching), std::move(handler));
  }
  return unit;
}

void DispatchUnit::Stop(Instant deadline) {
  if (std::exchange(stopped_, true)) return;
  // No heartbeat may find the instance no longer alive and register it anew.
  presence_.Stop();
  for (const std::string& name : Names()) {
    const auto registration = presence_.Of(name);
    if (!registration) continue;
    (void)foundation_.store->registry().SetStatus(registration->instance_id, store::InstanceStatus::kDraining);
  }
  if (scheduler_) scheduler_->Stop();
  if (dispatcher_) dispatcher_->Stop(deadline);
  if (reaper_) reaper_->Stop();
  for (const std::string& name : Names()) {
    if (const auto left = presence_.Leave(name); !left) {
      log::Warning("not signed off; the registry notices by itself",
                   {{"name", name}, {"error", ToString(left.error())}});
    }
  }
}

void DispatchUnit::RenewNow() {
  if (dispatcher_) dispatcher_->RenewNow();
}

std::optional<queue::DispatcherStatus> DispatchUnit::Dispatcher() const {
  if (!dispatcher_) return std::nullopt;
  return dispatcher_->Status();
}

std::optional<queue::ReaperStatus> DispatchUnit::Reaper() const {
  if (!reaper_) return std::nullopt;
  return reaper_->Status();
}

std::optional<queue::SchedulerStatus> DispatchUnit::Scheduler() const {
  if (!scheduler_) return std::nullopt;
  return scheduler_->Status();
}

std::optional<organism::Presence::Registration> DispatchUnit::Registration() const {
  return presence_.Of(identity_.dispatcher.empty() ? identity_.reaper : identity_.dispatcher);
}

}  // namespace seedcore::app
