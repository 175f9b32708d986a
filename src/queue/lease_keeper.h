#pragma once

#include <chrono>
#include <thread>

#include "queue/in_flight.h"
#include "queue/store_trouble.h"
#include "queue/telemetry.h"

namespace seedcore::queue {

/// Renews the leases of all tasks in flight, in one call per third of a lease, and tells the executions that should
/// stop: lease lost, task cancelled, deadline passed. An overdue execution is not renewed any more, so that a handler
/// that never comes back cannot keep its task for ever. A result that waits to be written keeps its lease; what the
/// store says of it, the write finds out itself. One thread of its own, from Start to Stop; without it, whoever
/// owns the keeper calls Look() at NextLook().
class LeaseKeeper {
 public:
  LeaseKeeper(Env& env, store::TaskStore& store, InFlight& in_flight, Telemetry& telemetry,
              std::chrono::milliseconds lease);
  ~LeaseKeeper();

  void Start();
  /// When something is due: a renewal, or the deadline of an execution.
  [[nodiscard]] Instant NextLook() const;
  /// Does what is due by now.
  void Look();

  /// An execution that must end by `deadline` has started.
  void NoteDeadline(Instant deadline);
  /// Renews at once; a task cancelled in this process thus learns of it without delay.
  void RenewNow();
  void Stop();
  [[nodiscard]] std::string Trouble() const { return trouble_.Current(); }

 private:
  void Loop();
  /// When to renew again.
  Instant Renew();
  Result<std::vector<store::RenewResult>> AskStore(const std::vector<store::Lease>& leases);
  /// The earliest deadline still ahead.
  Instant StopOverdue();

  Env& env_;
  store::TaskStore& store_;
  InFlight& in_flight_;
  Telemetry& telemetry_;
  const std::chrono::milliseconds lease_;
  StoreTrouble trouble_;
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable_any changed_;
  Instant renew_at_;
  Instant deadline_ = Instant::max();  // the earliest of the executions
  bool poked_ = false;
  bool stopping_ = false;
  std::jthread thread_;
};

}  // namespace seedcore::queue
