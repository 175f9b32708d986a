#pragma once

#include "base/env.h"
#include "cognitive/provider.h"

namespace seedcore::cognitive::rules {

/// Reasons without a model: weighs the evidence at hand by written-down rules. Each kind of reasoning is a pure
/// function in a file of its own. Says nothing that no evidence supports, and is unsure when there is little of it.
class RulesProvider final : public Provider {
 public:
  explicit RulesProvider(Env& env) : env_(env) {}

  [[nodiscard]] std::string_view name() const override { return "rules"; }
  [[nodiscard]] std::string_view model() const override { return "rules-1"; }
  [[nodiscard]] Result<ReasoningOutput> Reason(const ReasoningInput& input, const CallContext& call) override;
  [[nodiscard]] Result<void> CheckHealth() override { return {}; }

 private:
  Env& env_;
};

/// `alive` is asked between the steps of long work and says why to stop.
using Alive = std::function<Result<void>()>;

[[nodiscard]] Result<FailureAnalysis> AnalyzeFailure(const ReasoningRequest& request, const Knowledge& knowledge);
[[nodiscard]] Result<TaskPlan> PlanTask(const ReasoningRequest& request, const Knowledge& knowledge);
[[nodiscard]] Result<ReasonedDecision> MakeDecision(const ReasoningRequest& request, const Knowledge& knowledge);
[[nodiscard]] Result<Solution> SolveProblem(const ReasoningRequest& request, const Knowledge& knowledge);
[[nodiscard]] Result<Synthesis> SynthesizeMemory(const ReasoningRequest& request, const Knowledge& knowledge,
                                                 const Alive& alive);
[[nodiscard]] Result<CapabilityAssessment> AssessCapabilities(const ReasoningRequest& request,
                                                              const Knowledge& knowledge);

}  // namespace seedcore::cognitive::rules
