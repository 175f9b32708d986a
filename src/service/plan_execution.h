#pragma once

#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "coordinator/plan.h"
#include "service/coordinator_impl.h"

namespace seedcore::service {

/// What an organ reported of one step, kept with the checkpoint.
struct StepRecord {
  std::string organ_id;
  std::string agent_id;
  std::optional<EnergyReport> energy;
  json::value output;
  static constexpr auto kFields =
      Fields(Optional("organ_id", &StepRecord::organ_id, "Organ"), Optional("agent_id", &StepRecord::agent_id, "Agent"),
             Optional("energy", &StepRecord::energy, "Energy"), Optional("output", &StepRecord::output, "Output"));
};

/// Carries out the plan of one task. Where the task has a lease and the store keeps steps, each step is kept with its
/// result before the next begins, and a later execution goes on at the first one that is not. One thread calls it; the
/// steps it starts run side by side.
class PlanExecution {
 public:
  /// All arguments outlive the object.
  PlanExecution(CoordinatorService::Impl& impl, const RoutedTask& task, const RouteResponse& response,
                const CallContext& call);

  /// The plan that an earlier execution saved, or a new one: a workflow's own steps, else what the Cognitive service
  /// proposes. kInvalidArgument for a workflow whose steps make no sense; else errors of the store and the service.
  [[nodiscard]] Result<coordinator::Plan> Prepare();
  /// One outcome per step, in the plan's order.
  [[nodiscard]] std::vector<coordinator::StepOutcome> Run(const coordinator::Plan& plan);
  /// Moves into `out` what is to be written with the end of the task: effects not yet written, the last checkpoints.
  void TakeRest(const coordinator::Plan& plan, const std::vector<coordinator::StepOutcome>& outcomes,
                RouteResponse& out);
  /// What the API tells of one step, once the plan has run.
  [[nodiscard]] StepReport ReportOf(const coordinator::Plan& plan, std::size_t index,
                                    const coordinator::StepOutcome& outcome) const;
  /// Where the plan came from.
  [[nodiscard]] const json::object& meta() const { return meta_; }

 private:
  /// What was kept of a step, beside its place in the plan.
  struct Kept {
    store::TaskStepStatus status = store::TaskStepStatus::kPending;
    int round = 1;
    std::string error;
    std::string error_code;
  };

  [[nodiscard]] Result<coordinator::Plan> Restore(std::vector<store::TaskStep> kept);
  [[nodiscard]] Result<coordinator::Plan> OwnPlan();
  [[nodiscard]] Result<coordinator::Plan> AskForPlan();
  [[nodiscard]] std::optional<Result<json::value>> Recall(const coordinator::PlanStep& step) const;
  [[nodiscard]] Result<void> Write(store::StepWrite write, const store::Effects& effects);
  [[nodiscard]] Result<json::value> RunStep(const coordinator::PlanStep& step, const json::object& inputs);
  [[nodiscard]] Result<void> Save(const coordinator::PlanStep& step, bool is_last);
  [[nodiscard]] Result<void> Wait(const coordinator::PlanStep& step);

  CoordinatorService::Impl& impl_;
  const RoutedTask& task_;
  const RouteResponse& response_;
  const CallContext& call_;
  store::StepStore* const steps_;  // null: nothing is kept
  json::object meta_;
  std::map<std::string, Kept> kept_;
  std::mutex mutex_;  // guards the rest while the plan runs
  std::map<std::string, StepRecord> done_;
  std::map<std::string, TaskEffects> effects_;  // not yet written
  std::vector<StepCheckpoint> checkpoints_;
};

}  // namespace seedcore::service
