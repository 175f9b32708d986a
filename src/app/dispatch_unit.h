#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "app/foundation.h"
#include "organism/presence.h"
#include "queue/dispatcher.h"
#include "queue/reaper.h"
#include "queue/scheduler.h"
#include "settings/settings.h"

namespace seedcore::app {

/// What the registry calls the listeners of dispatchers and reapers. Gateways forward nothing to them.
inline constexpr const char* kDispatcherService = "dispatcher";
inline constexpr const char* kReaperService = "reaper";

/// Who a dispatcher or a reaper is, for the runtime registry.
struct DispatchIdentity {
  std::string dispatcher;  ///< name of the dispatcher; empty: there is none here
  std::string reaper;      ///< name of the reaper; empty: there is none here
  std::string node_id;     ///< empty: the host name
  std::string ip_address;  ///< empty: not known
  std::string address;     ///< HOST:PORT of the listener for it; empty: there is none
};

/// The one way to host a dispatcher, a reaper (and with it a scheduler), or both: in the embedded platform, in a
/// process of its own, in a Ray actor. Each is an instance in the runtime registry under the current epoch: alive with
/// heartbeats, draining while it ends, then dead. Start and Stop from one thread; the rest from any.
class DispatchUnit {
 public:
  /// `types`: as DispatcherSettings::choose_types; none: every type. Runs on return. `foundation` outlives it;
  /// `handler` is not called after Stop. Errors: the registry cannot be written.
  [[nodiscard]] static Result<std::unique_ptr<DispatchUnit>> Start(const settings::Settings& settings,
                                                                   Foundation& foundation, DispatchIdentity identity,
                                                                   queue::ChooseTypes types,
                                                                   queue::TaskHandler handler);
  /// Stops without patience.
  ~DispatchUnit();
  DispatchUnit(const DispatchUnit&) = delete;
  DispatchUnit& operator=(const DispatchUnit&) = delete;

  /// As Dispatcher::Stop: running tasks have until `deadline`, the rest is handed back. Idempotent.
  void Stop(Instant deadline);
  /// As Dispatcher::RenewNow.
  void RenewNow();

  [[nodiscard]] std::optional<queue::DispatcherStatus> Dispatcher() const;
  [[nodiscard]] std::optional<queue::ReaperStatus> Reaper() const;
  /// Where there is a reaper.
  [[nodiscard]] std::optional<queue::SchedulerStatus> Scheduler() const;
  /// Of the dispatcher, or of the reaper where there is no dispatcher; nullopt once it has stopped.
  [[nodiscard]] std::optional<organism::Presence::Registration> Registration() const;

 private:
  DispatchUnit(Foundation& foundation, DispatchIdentity identity, organism::PresenceSettings presence);
  [[nodiscard]] std::vector<std::string> Names() const;

  Foundation& foundation_;
  const DispatchIdentity identity_;
  organism::Presence presence_;
  std::unique_ptr<queue::Reaper> reaper_;
  std::unique_ptr<queue::Scheduler> scheduler_;
  std::unique_ptr<queue::Dispatcher> dispatcher_;
  bool stopped_ = false;
};

}  // namespace seedcore::app
