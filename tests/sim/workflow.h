#pragma once

#include <optional>
#include <string>
#include <vector>

#include "queue/handler.h"
#include "sim/checker.h"
#include "sim/weather.h"
#include "store/step_store.h"

namespace seedcore::sim {

/// How many steps a task has, and which of them waits for a person; both from its params.
struct Plan {
  int steps = 0;    ///< 0: it is not a workflow
  int person = -1;  ///< number of the step that a person answers; -1: none
};
[[nodiscard]] Plan PlanOf(const store::Task& task);
[[nodiscard]] json::object ParamsOf(const Plan& plan);
/// What a step leaves behind, once.
[[nodiscard]] std::string EffectOf(const std::string& task_id, int step);

/// One execution of a task of several steps, as a handler does it: saves the plan, goes on with the first step that is
/// not completed, and writes each under the lease. The calls go through the weather.
class Workflow {
 public:
  Workflow(store::StepStore& store, Weather& weather, Checker& checker, const store::Claim& claim)
      : store_(store), weather_(weather), checker_(checker), claim_(claim), plan_(PlanOf(claim.task)) {}

  /// The next thing to do is done. An outcome: the execution has ended; nothing: there is more.
  [[nodiscard]] std::optional<queue::TaskOutcome> Advance();

 private:
  std::optional<queue::TaskOutcome> Open();
  std::optional<queue::TaskOutcome> Begin();
  std::optional<queue::TaskOutcome> Complete();
  std::optional<queue::TaskOutcome> Failed(const Error& error);
  Result<void> Write(store::TaskStepStatus status, const store::Effects& effects);
  [[nodiscard]] store::TaskStep* FirstUnfinished();

  store::StepStore& store_;
  Weather& weather_;
  Checker& checker_;
  const store::Claim claim_;
  const Plan plan_;
  std::vector<store::TaskStep> steps_;  // as far as this execution knows; empty: the plan is not saved yet
  bool executing_ = false;              // the first unfinished one
  int tries_left_ = 3;                  // of calls that fail
};

}  // namespace seedcore::sim
