#include "cognitive/rules/rules.h"

namespace seedcore::cognitive::rules {
namespace {

template <class T>
Result<ReasoningOutput> Widen(Result<T> result) {
  if (!result) return std::unexpected(std::move(result).error());
  return ReasoningOutput(std::move(*result));
}

}  // namespace

Result<ReasoningOutput> RulesProvider::Reason(const ReasoningInput& input, const CallContext& call) {
  SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
  const ReasoningRequest& request = input.request;
  const Knowledge& knowledge = input.knowledge;
  switch (input.type) {
    case TaskType::kFailureAnalysis: return Widen(AnalyzeFailure(request, knowledge));
    case TaskType::kTaskPlanning: return Widen(PlanTask(request, knowledge));
    case TaskType::kDecisionMaking: return Widen(MakeDecision(request, knowledge));
    case TaskType::kProblemSolving: return Widen(SolveProblem(request, knowledge));
    case TaskType::kMemorySynthesis:
      return Widen(SynthesizeMemory(request, knowledge, [&] { return call.Check(env_); }));
    case TaskType::kCapabilityAssessment: return Widen(AssessCapabilities(request, knowledge));
  }
  return Fail(ErrorCode::kInternal, "an unknown kind of reasoning");
}

}  // namespace seedcore::cognitive::rules
