#include "service/cognitive.h"

#include "base/check.h"
#include "cognitive/engine.h"

namespace seedcore::service {
namespace {

using cognitive::TaskType;

/// The answer of the engine in the shape of the API (P§13).
template <class Response>
Result<Response> Envelope(cognitive::Engine& engine, TaskType type, const CognitiveRequest& request,
                          const CallContext& call) {
  using Output = decltype(Response{}.result.result);
  SEEDCORE_ASSIGN_OR_RETURN(auto answer, engine.Reason(type, request, call));
  const Output* output = std::get_if<Output>(answer.output.get());
  SEEDCORE_CHECK(output != nullptr, "the engine checks that the answer is of the kind asked for");
  Response response;
  response.agent_id = request.agent_id;
  response.result.result = *output;
  response.result.task_type = type;
  response.result.metadata = std::move(answer.metadata);
  if constexpr (std::is_same_v<Output, cognitive::TaskPlan>) {
    // The plan may come from the cache; what was measured now belongs to this answer.
    cognitive::PlanMeta& meta = response.result.result.meta;
    const cognitive::ReasoningMetadata& metadata = response.result.metadata;
    meta.escalate_hint = metadata.escalate_hint;
    meta.sufficiency = metadata.sufficiency;
    meta.planner_timings_ms = {{"retrieve_ms", metadata.retrieve_ms}, {"plan_build_ms", metadata.reason_ms}};
  }
  response.result.payload = response.result.result;
  return response;
}

}  // namespace

Result<ReasonAboutFailureResponse> CognitiveService::ReasonAboutFailure(const CognitiveRequest& request,
                                                                        const CallContext& call) {
  return Envelope<ReasonAboutFailureResponse>(engine_, TaskType::kFailureAnalysis, request, call);
}
Result<PlanTaskResponse> CognitiveService::PlanTask(const CognitiveRequest& request, const CallContext& call) {
  return Envelope<PlanTaskResponse>(engine_, TaskType::kTaskPlanning, request, call);
}
Result<MakeDecisionResponse> CognitiveService::MakeDecision(const CognitiveRequest& request, const CallContext& call) {
  return Envelope<MakeDecisionResponse>(engine_, TaskType::kDecisionMaking, request, call);
}
Result<SolveProblemResponse> CognitiveService::SolveProblem(const CognitiveRequest& request, const CallContext& call) {
  return Envelope<SolveProblemResponse>(engine_, TaskType::kProblemSolving, request, call);
}
Result<SynthesizeMemoryResponse> CognitiveService::SynthesizeMemory(const CognitiveRequest& request,
                                                                    const CallContext& call) {
  return Envelope<SynthesizeMemoryResponse>(engine_, TaskType::kMemorySynthesis, request, call);
}
Result<AssessCapabilitiesResponse> CognitiveService::AssessCapabilities(const CognitiveRequest& request,
                                                                        const CallContext& call) {
  return Envelope<AssessCapabilitiesResponse>(engine_, TaskType::kCapabilityAssessment, request, call);
}

Result<CognitiveIndex> CognitiveService::Index(const Empty&, const CallContext&) {
  CognitiveIndex index;
  for (const auto& operation : CognitiveOperations().operations) {
    index.endpoints[operation.info.name] = "/cognitive" + operation.info.path;
  }
  return index;
}

Result<CognitiveHealth> CognitiveService::Health(const Empty&, const CallContext&) {
  CognitiveHealth health;
  health.timestamp = env_.WallNow();
  health.cognitive_core_available = true;
  bool all = true;
  for (const cognitive::Engine::Part& part : engine_.CheckHealth()) {
    health.parts[part.name] = part.state ? "ok" : ToString(part.state.error());
    all = all && part.state.has_value();
    if (part.name == "provider_fast" && !part.state) health.cognitive_core_available = false;
    // Every answer looks into both stores first.
    if ((part.name == "facts" || part.name == "incidents") && !part.state) health.cognitive_core_available = false;
  }
  health.status = !health.cognitive_core_available ? "unhealthy" : all ? "healthy" : "degraded";
  return health;
}

Result<CognitiveInfo> CognitiveService::Info(const Empty&, const CallContext&) {
  CognitiveInfo info;
  const settings::CognitiveSettings& settings = engine_.settings();
  const auto profile = [&](cognitive::Profile which, std::chrono::milliseconds timeout, int facts) {
    info.profiles[std::string(EnumToString(which))] = {.provider = std::string(engine_.provider(which).name()),
                                                       .timeout_s = std::chrono::duration<double>(timeout).count(),
                                                       .max_facts = facts};
  };
  profile(cognitive::Profile::kFast, settings.fast_timeout, settings.retrieval_limit);
  profile(cognitive::Profile::kDeep, settings.deep_timeout, 2 * settings.retrieval_limit);
  for (const auto& [type, name] : EnumNames(TaskType{})) info.task_types.emplace_back(name);
  for (const auto& [action, name] : EnumNames(cognitive::Action{})) info.actions.emplace_back(name);
  const cognitive::ResultCache::Stats stats = engine_.cache_stats();
  info.cache_entries = stats.entries;
  info.cache_hits = stats.hits;
  info.cache_misses = stats.misses;
  return info;
}

OperationTable<CognitiveService> CognitiveOperations() {
  return {
      "/cognitive",
      "Cognitive: reasoning over what the caller gives and what is remembered",
      {
          Get<&CognitiveService::Index>("/", "What this service offers").Open(),
          Get<&CognitiveService::Health>("/health", "What this service can serve now").Open(),
          Get<&CognitiveService::Info>("/info", "Profiles, kinds of reasoning, cache"),
          Post<&CognitiveService::ReasonAboutFailure>("/reason-about-failure", "What went wrong and what to do"),
          Post<&CognitiveService::PlanTask>("/plan-task", "A graph of steps for a task"),
          Post<&CognitiveService::MakeDecision>("/make-decision", "One of several options, or an action for a finding"),
          Post<&CognitiveService::SolveProblem>("/solve-problem", "Steps for a problem with the tools at hand"),
          Post<&CognitiveService::SynthesizeMemory>("/synthesize-memory", "What memory fragments have in common"),
          Post<&CognitiveService::AssessCapabilities>("/assess-capabilities", "Gaps between what is there and wanted"),
      },
      ""};
}

}  // namespace seedcore::service
