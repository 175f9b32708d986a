#include "cognitive/engine.h"

#include <fmt/format.h>

#include "base/json_binding.h"
#include "cognitive/checks.h"

namespace seedcore::cognitive {
namespace {

/// FNV-1a, for the readable part of the cache key only: the key ends with the whole text it was made from.
std::uint64_t Hash(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash;
}

/// Equal only for equal inputs and equal evidence, so that a new or changed fact is seen at once (P§5.5).
std::string CacheKey(TaskType type, const ReasoningRequest& request, const Knowledge& knowledge,
                     const Provider& provider) {
  ReasoningRequest relevant = request;
  relevant.task_id.clear();
  if (relevant.task) relevant.task->id.clear();
  json::array evidence;
  for (const KnowledgeFact& fact : knowledge.facts) {
    evidence.push_back(json::array{fact.id, fact.text, fact.score, fact.trust, fact.stale});
  }
  for (const RelatedIncident& incident : knowledge.incidents) {
    evidence.push_back(json::array{incident.id, incident.salience, incident.similarity});
  }
  const std::string inputs =
      WriteJsonCanonical(json::object{{"request", ToJson(relevant)}, {"evidence", std::move(evidence)}});
  return fmt::format("cc:res:{}:{}:{}:v2.0:{:016x}:{}", EnumToString(type), provider.model(), provider.name(),
                     Hash(inputs), inputs);
}

double MillisSince(Instant start, Env& env) {
  return std::chrono::duration<double, std::milli>(env.Now() - start).count();
}

}  // namespace

Engine::Engine(const Parts& parts, const settings::CognitiveSettings& settings)
    : parts_(parts),
      settings_(settings),
      retriever_(parts.facts, parts.incidents, parts.env, settings.retrieval_limit),
      cache_(static_cast<std::size_t>(settings.cache_entries), parts.env) {}

const Provider& Engine::provider(Profile profile) const {
  return profile == Profile::kDeep ? parts_.deep : parts_.fast;
}

Result<Engine::Answer> Engine::Reason(TaskType type, const ReasoningRequest& request, const CallContext& call) {
  const auto budget = request.profile == Profile::kDeep ? settings_.deep_timeout : settings_.fast_timeout;
  const Instant start = parts_.env.Now();
  Result<Answer> answer = ReasonWithin(type, request, call.Within(budget, parts_.env));
  const std::string outcome(answer ? "ok" : ToString(answer.error().code));
  const std::string type_name(EnumToString(type));
  parts_.metrics
      .GetCounter("cog_requests_total", "Reasoning requests by kind and outcome",
                  {{"type", type_name}, {"outcome", outcome}})
      .Increment();
  parts_.metrics.GetHistogram("cog_request_seconds", "Time for one answer", DurationBuckets(), {{"type", type_name}})
      .Observe(MillisSince(start, parts_.env) / 1e3);
  if (answer && answer->metadata.cache_hit) {
    parts_.metrics.GetCounter("cog_cache_hits_total", "Answers from the cache", {{"type", type_name}}).Increment();
  }
  return answer;
}

Result<Engine::Answer> Engine::ReasonWithin(TaskType type, const ReasoningRequest& request, const CallContext& call) {
  SEEDCORE_RETURN_IF_ERROR(call.Check(parts_.env));
  Answer answer;
  ReasoningMetadata& metadata = answer.metadata;
  const Instant start = parts_.env.Now();
  SEEDCORE_ASSIGN_OR_RETURN(const Knowledge knowledge, retriever_.Retrieve(type, request, call));
  metadata.retrieve_ms = MillisSince(start, parts_.env);
  SEEDCORE_RETURN_IF_ERROR(call.Check(parts_.env));

  Provider& reasoner = request.profile == Profile::kDeep ? parts_.deep : parts_.fast;
  metadata.provider = reasoner.name();
  metadata.profile = request.profile;
  metadata.sufficiency = knowledge.sufficiency;
  metadata.escalate_hint = knowledge.escalate_hint;
  for (const KnowledgeFact& fact : knowledge.facts) metadata.facts_used.push_back(fact.id);
  for (const RelatedIncident& incident : knowledge.incidents) metadata.incidents_used.push_back(incident.id);

  const std::string key = CacheKey(type, request, knowledge, reasoner);
  answer.output = cache_.Find(key);
  metadata.cache_hit = answer.output != nullptr;
  if (!metadata.cache_hit) {
    const Instant reason_start = parts_.env.Now();
    SEEDCORE_ASSIGN_OR_RETURN(ReasoningOutput output, reasoner.Reason({type, request, knowledge}, call));
    SEEDCORE_RETURN_IF_ERROR(call.Check(parts_.env));  // an answer that comes too late is none
    SEEDCORE_RETURN_IF_ERROR(CheckOutput(type, output));
    metadata.reason_ms = MillisSince(reason_start, parts_.env);
    answer.output = std::make_shared<const ReasoningOutput>(std::move(output));
    cache_.Put(type, key, answer.output);
  }
  metadata.violations = FindViolations(*answer.output);
  return answer;
}

std::vector<Engine::Part> Engine::CheckHealth() {
  std::vector<Part> parts;
  parts.push_back({"provider_fast", parts_.fast.CheckHealth()});
  parts.push_back({"provider_deep", parts_.deep.CheckHealth()});
  const auto facts = parts_.facts.Count();
  parts.push_back({"facts", facts ? Result<void>{} : std::unexpected(facts.error())});
  const auto incidents = parts_.incidents.Search(1.0, 1);
  parts.push_back({"incidents", incidents ? Result<void>{} : std::unexpected(incidents.error())});
  return parts;
}

}  // namespace seedcore::cognitive
