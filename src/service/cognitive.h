#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "cognitive/output.h"
#include "cognitive/request.h"
#include "service/operation.h"

namespace seedcore::cognitive {
class Engine;
}

/// The Cognitive service, /cognitive: six kinds of reasoning over what the caller gives and what is remembered (P§1.3).
namespace seedcore::service {

/// The inner object of an answer. `result` and `payload` are the same: both names are in use.
template <class Output>
struct CognitiveInner {
  bool success = true;
  Output result;
  Output payload;
  cognitive::TaskType task_type{};
  cognitive::ReasoningMetadata metadata;
  std::optional<std::string> error;
  static constexpr auto kFields =
      Fields(Required("success", &CognitiveInner::success, "Always true: a failure is an HTTP error"),
             Required("result", &CognitiveInner::result, "The answer"),
             Required("payload", &CognitiveInner::payload, "The same as `result`"),
             Required("task_type", &CognitiveInner::task_type, "The kind of reasoning"),
             Required("metadata", &CognitiveInner::metadata, "How the answer came about"),
             Optional("error", &CognitiveInner::error, "Always null"));
};

template <class Inner>
struct CognitiveOuter {
  bool success = true;
  std::string agent_id;
  Inner result;
  std::optional<std::string> error;
  static constexpr auto kFields =
      Fields(Required("success", &CognitiveOuter::success, "Always true: a failure is an HTTP error"),
             Required("agent_id", &CognitiveOuter::agent_id, "As in the request"),
             Required("result", &CognitiveOuter::result, "The answer and how it came about"),
             Optional("error", &CognitiveOuter::error, "Always null"));
};

struct FailureAnalysisResult : CognitiveInner<cognitive::FailureAnalysis> {};
struct TaskPlanResult : CognitiveInner<cognitive::TaskPlan> {};
struct DecisionResult : CognitiveInner<cognitive::ReasonedDecision> {};
struct SolutionResult : CognitiveInner<cognitive::Solution> {};
struct SynthesisResult : CognitiveInner<cognitive::Synthesis> {};
struct CapabilityAssessmentResult : CognitiveInner<cognitive::CapabilityAssessment> {};

struct ReasonAboutFailureResponse : CognitiveOuter<FailureAnalysisResult> {};
struct PlanTaskResponse : CognitiveOuter<TaskPlanResult> {};
struct MakeDecisionResponse : CognitiveOuter<DecisionResult> {};
struct SolveProblemResponse : CognitiveOuter<SolutionResult> {};
struct SynthesizeMemoryResponse : CognitiveOuter<SynthesisResult> {};
struct AssessCapabilitiesResponse : CognitiveOuter<CapabilityAssessmentResult> {};

using CognitiveRequest = cognitive::ReasoningRequest;

struct CognitiveIndex {
  std::string status = "ok";
  std::string service = "cognitive";
  std::map<std::string, std::string> endpoints;
  static constexpr auto kFields = Fields(Required("status", &CognitiveIndex::status, "ok"),
                                         Required("service", &CognitiveIndex::service, "cognitive"),
                                         Required("endpoints", &CognitiveIndex::endpoints, "Path by name"));
};

struct CognitiveHealth {
  std::string status;
  std::string service = "cognitive";
  std::string route_prefix = "/cognitive";
  bool cognitive_core_available = false;
  std::string schema_version = "v2.0";
  std::map<std::string, std::string> parts;
  WallTime timestamp;
  [[nodiscard]] int HttpStatus() const { return cognitive_core_available ? 200 : 503; }
  static constexpr auto kFields =
      Fields(Required("status", &CognitiveHealth::status, "healthy or degraded; unhealthy is HTTP 503"),
             Required("service", &CognitiveHealth::service, "cognitive"),
             Required("route_prefix", &CognitiveHealth::route_prefix, "/cognitive"),
             Required("cognitive_core_available", &CognitiveHealth::cognitive_core_available, "A provider can reason"),
             Required("schema_version", &CognitiveHealth::schema_version, "Version of requests and answers"),
             Required("parts", &CognitiveHealth::parts, "Part to `ok` or what is wrong with it"),
             Required("timestamp", &CognitiveHealth::timestamp, "When this was found out"));
};

struct CognitiveProfileInfo {
  std::string provider;
  double timeout_s = 0.0;
  int max_facts = 0;
  static constexpr auto kFields =
      Fields(Required("provider", &CognitiveProfileInfo::provider, "Who reasons"),
             Required("timeout_s", &CognitiveProfileInfo::timeout_s, "Longest time for one answer"),
             Required("max_facts", &CognitiveProfileInfo::max_facts, "Most facts retrieved for one answer"));
};

struct CognitiveInfo {
  std::string service = "cognitive";
  std::map<std::string, CognitiveProfileInfo> profiles;
  std::vector<std::string> task_types;
  std::vector<std::string> actions;
  std::int64_t cache_entries = 0;
  std::int64_t cache_hits = 0;
  std::int64_t cache_misses = 0;
  static constexpr auto kFields =
      Fields(Required("service", &CognitiveInfo::service, "cognitive"),
             Required("profiles", &CognitiveInfo::profiles, "fast and deep"),
             Required("task_types", &CognitiveInfo::task_types, "The kinds of reasoning"),
             Required("actions", &CognitiveInfo::actions, "What an analysis or a decision may recommend"),
             Required("cache_entries", &CognitiveInfo::cache_entries, "Answers kept"),
             Required("cache_hits", &CognitiveInfo::cache_hits, "Since start"),
             Required("cache_misses", &CognitiveInfo::cache_misses, "Since start"));
};

/// Any thread; a call takes at most its profile's time or the caller's deadline, whichever ends first
/// (kDeadlineExceeded). Errors: kInvalidArgument for a request without what the operation needs, kUnavailable when the
/// store does not answer.
class CognitiveService {
 public:
  /// `engine` outlives the service.
  CognitiveService(cognitive::Engine& engine, Env& env) : engine_(engine), env_(env) {}

  /// What went wrong, why, and what to do: from anomalies, errors and counters in `incident_context`.
  Result<ReasonAboutFailureResponse> ReasonAboutFailure(const CognitiveRequest& request, const CallContext& call);
  /// A graph of steps for `task`, or for `task_description` or `problem_statement` with `type`.
  Result<PlanTaskResponse> PlanTask(const CognitiveRequest& request, const CallContext& call);
  /// One of the options in `decision_context`, or an action for the finding in it.
  Result<MakeDecisionResponse> MakeDecision(const CognitiveRequest& request, const CallContext& call);
  Result<SolveProblemResponse> SolveProblem(const CognitiveRequest& request, const CallContext& call);
  Result<SynthesizeMemoryResponse> SynthesizeMemory(const CognitiveRequest& request, const CallContext& call);
  Result<AssessCapabilitiesResponse> AssessCapabilities(const CognitiveRequest& request, const CallContext& call);
  Result<CognitiveIndex> Index(const Empty& request, const CallContext& call);
  Result<CognitiveHealth> Health(const Empty& request, const CallContext& call);
  Result<CognitiveInfo> Info(const Empty& request, const CallContext& call);

 private:
  cognitive::Engine& engine_;
  Env& env_;
};

[[nodiscard]] OperationTable<CognitiveService> CognitiveOperations();

}  // namespace seedcore::service
