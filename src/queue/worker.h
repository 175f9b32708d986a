#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "queue/handler.h"
#include "queue/in_flight.h"
#include "queue/lease_keeper.h"
#include "queue/progress_keeper.h"
#include "queue/telemetry.h"

namespace seedcore::queue {

/// Executes claimed tasks one after the other and decides what is written of each. One object serves any number of
/// threads. Execute() is Begin, the handler and End; whoever has no threads calls the steps.
class Worker {
 public:
  Worker(Env& env, InFlight& in_flight, LeaseKeeper& keeper, Telemetry& telemetry,
         std::chrono::milliseconds call_timeout, TaskHandler handler);

  /// Where handlers may say how far they are, from then on. Before the first execution; `progress` outlives them all.
  void ReportTo(ProgressKeeper& progress) { progress_ = &progress; }

  void Execute(const std::shared_ptr<Execution>& execution);

  /// Before the handler: what to call it with. Nothing when it must not be called: the lease is gone, or the task's
  /// deadline; then the execution has been ended.
  [[nodiscard]] std::optional<CallContext> Begin(const std::shared_ptr<Execution>& execution);
  /// After the handler: hands what comes of its outcome to the finisher, or drops it where it is not ours any more.
  void End(const std::shared_ptr<Execution>& execution, TaskOutcome outcome);

 private:
  [[nodiscard]] CallContext Context(const std::shared_ptr<Execution>& execution, Instant deadline);
  [[nodiscard]] TaskOutcome Call(const store::Task& task, const CallContext& call);
  [[nodiscard]] store::Finish Conclude(const Execution& execution, Fate fate, TaskOutcome outcome);

  Env& env_;
  InFlight& in_flight_;
  LeaseKeeper& keeper_;
  Telemetry& telemetry_;
  const std::chrono::milliseconds call_timeout_;
  const TaskHandler handler_;
  ProgressKeeper* progress_ = nullptr;
};

}  // namespace seedcore::queue
