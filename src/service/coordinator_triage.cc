#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "base/strings.h"
#include "service/coordinator_impl.h"

namespace seedcore::service {

using coordinator::MutationAction;
using coordinator::RouteAction;
using coordinator::Signal;

namespace {

constexpr int kTriagePriority = 7;         // C§4.8
constexpr double kTriageComplexity = 0.8;  // C§4.8
constexpr std::size_t kMaxReasonedPoints = 100;

/// The worst points, in the order of the series: what the Cognitive service is shown, and what is kept.
json::array WorstPoints(const std::vector<AnomalousPoint>& anomalies) {
  std::vector<const AnomalousPoint*> worst;
  worst.reserve(anomalies.size());
  for (const AnomalousPoint& point : anomalies) worst.push_back(&point);
  std::ranges::sort(worst, [](const AnomalousPoint* a, const AnomalousPoint* b) {
    return a->score != b->score ? a->score > b->score : a->index < b->index;
  });
  if (worst.size() > kMaxReasonedPoints) worst.resize(kMaxReasonedPoints);
  std::ranges::sort(worst, {}, &AnomalousPoint::index);
  json::array points;
  for (const AnomalousPoint* point : worst) points.push_back(ToJson(*point));
  return points;
}

/// The request with what its context holds of timestamps and report_from, for callers that can only pass a context on.
Result<AnomalyRequest> DetectorRequest(const AnomalyTriageRequest& request) {
  AnomalyRequest out;
  out.data = request.series;
  out.timestamps = request.timestamps;
  out.report_from = request.report_from;
  if (const json::value* times = request.context.if_contains("timestamps");
      times != nullptr && out.timestamps.empty()) {
    if (!times->is_array()) return Fail(ErrorCode::kInvalidArgument, "expected an array", "context.timestamps");
    out.timestamps.assign(times->get_array().begin(), times->get_array().end());
  }
  if (const json::value* from = request.context.if_contains("report_from"); from != nullptr && out.report_from == 0) {
    auto index = FromJson<std::int64_t>(*from);
    if (!index) return Fail(index.error().code, index.error().message, "context.report_from");
    out.report_from = *index;
  }
  return out;
}

/// What is known about the series, without the data itself.
json::object Meta(const json::object& context) {
  json::object meta = context;
  meta.erase("timestamps");
  meta.erase("report_from");
  return meta;
}

std::string TextOf(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

}  // namespace

Result<void> AnomalyTriageRequest::Validate() const {
  if (Trim(agent_id).empty()) return Fail(ErrorCode::kInvalidArgument, "must not be empty", "agent_id");
  if (series.empty()) return Fail(ErrorCode::kInvalidArgument, "must hold at least one value", "series");
  return {};
}

Result<AnomalyTriageResponse> CoordinatorService::Impl::Triage(const AnomalyTriageRequest& request,
                                                               const CallContext& call) {
  SEEDCORE_RETURN_IF_ERROR(request.Validate());
  SEEDCORE_RETURN_IF_ERROR(call.Check(deps.env));
  ++counters.triages;
  AnomalyTriageResponse out;
  out.agent_id = request.agent_id;
  out.correlation_id = deps.env.NewId();

  RoutedTask task;
  task.id = "anomaly_triage_" + out.correlation_id;
  task.type = "anomaly_triage";
  task.domain = "anomaly";
  task.description = TextOf(request.context, "description");
  task.priority = kTriagePriority;
  task.complexity = kTriageComplexity;
  task.params = Meta(request.context);
  std::optional<Evidence> evidence = EvidenceOf(call.task_id);
  if (!evidence) {
    SEEDCORE_ASSIGN_OR_RETURN(evidence, MeasureDrift(task, call));
  }
  out.drift = evidence->drift;
  out.ocps = evidence->ocps;
  out.warnings = evidence->warnings;

  SEEDCORE_ASSIGN_OR_RETURN(const AnomalyRequest detector, DetectorRequest(request));
  SEEDCORE_ASSIGN_OR_RETURN(AnomalyResponse found, deps.ml.Call<&MlService::DetectAnomaly>(detector, call));
  coordinator::TriageFindings findings;
  for (const AnomalousPoint& point : found.anomalies) coordinator::AddFinding(findings, point.score, point.severity);
  out.anomalies = std::move(found.anomalies);
  out.summary = std::move(found.summary);

  const auto rules = deps.rules.Current();
  const coordinator::Signals signals = MakeSignals(*evidence, task.priority, task.complexity);
  out.p_fast = signals.Get(Signal::kPFast).value_or(1.0);
  coordinator::RouteDecision routing;
  routing.action = RouteAction::kEscalate;
  routing.reason = "The task was escalated";
  if (!evidence->escalated) routing = Decide(*rules, task.View(), signals);
  out.routing_reason = coordinator::ReasonToEscalate(routing.action, routing.reason, findings);
  out.escalated = !out.routing_reason.empty() && findings.count > 0;
  if (out.escalated) {
    SEEDCORE_RETURN_IF_ERROR(Reason(request, call, out));
  } else {
    const coordinator::TriageDecision decision = coordinator::DecideWithoutAnalysis(findings);
    out.routing_reason = findings.count == 0 ? std::string("Nothing to analyze") : routing.reason;
    out.reason = {{"thought", decision.reasoning},
                  {"proposed_solution", findings.count == 0 ? "Nothing to do" : "Keep watching the series"}};
    out.decision = {
        {"action", decision.action}, {"reasoning", decision.reasoning}, {"confidence", decision.confidence}};
  }

  const std::string action = TextOf(out.decision, "action");
  const std::string reasoning = TextOf(out.decision, "reasoning");
  const json::value* confidence = out.decision.if_contains("confidence");
  const coordinator::MutationDecision mutation = coordinator::DecideMutation(
      *rules, task.View(),
      {.action = action,
       .confidence = confidence != nullptr && confidence->is_number() ? JsonToDouble(*confidence) : 0.0,
       .reasoning = reasoning},
      signals);
  instruments.CountMutation(mutation);
  counters.rules_skipped += mutation.trace.skipped;
  out.mutation = {.action = std::string(EnumToString(mutation.action)), .reason = mutation.reason};
  if (mutation.action == MutationAction::kSubmitTuning || mutation.action == MutationAction::kSubmitRetrain) {
    out.tuning_job = json::object{{"status", "not available"}, {"message", "needs the tuning service"}};
  }
  if (coordinator::IsIncident(action)) SEEDCORE_RETURN_IF_ERROR(Remember(request, call, out));
  return out;
}

Result<void> CoordinatorService::Impl::Reason(const AnomalyTriageRequest& request, const CallContext& call,
                                              AnomalyTriageResponse& out) {
  instruments.escalation_requests.Increment();
  auto slot = EscalationSlot::Take(escalations, deps.settings.max_inflight_escalations);
  if (!slot) {
    ++counters.escalations_refused;
    return std::unexpected(slot.error());
  }
  CognitiveRequest analysis;
  analysis.agent_id = request.agent_id;
  analysis.task_id = call.task_id;
  analysis.incident_context = {{"anomalies", WorstPoints(out.anomalies)},
                               {"summary", ToJson(out.summary)},
                               {"meta", Meta(request.context)},
                               {"series_length", request.series.size()}};
  if (out.drift) analysis.incident_context["drift"] = *out.drift;
  SEEDCORE_ASSIGN_OR_RETURN(const ReasonAboutFailureResponse reason,
                            deps.cognitive.Call<&CognitiveService::ReasonAboutFailure>(
                                analysis, call.Within(deps.settings.cognitive_timeout, deps.env)));
  out.reason = ToJson(reason.result.result).as_object();
  out.reason["provider"] = reason.result.metadata.provider;

  CognitiveRequest choice;
  choice.agent_id = request.agent_id;
  choice.task_id = call.task_id;
  choice.decision_context = {{"anomaly_count", out.anomalies.size()},
                             {"max_score", out.summary.max_score},
                             {"summary", ToJson(out.summary)},
                             {"reason", out.reason}};
  SEEDCORE_ASSIGN_OR_RETURN(const MakeDecisionResponse decision,
                            deps.cognitive.Call<&CognitiveService::MakeDecision>(
                                choice, call.Within(deps.settings.cognitive_timeout, deps.env)));
  out.decision = ToJson(decision.result.result).as_object();
  out.decision["provider"] = decision.result.metadata.provider;
  return {};
}

Result<void> CoordinatorService::Impl::Remember(const AnomalyTriageRequest& request, const CallContext& call,
                                                AnomalyTriageResponse& out) {
  const auto redacted = [](const json::value& value) { return coordinator::Redact(value); };
  CognitiveRequest synthesis;
  synthesis.agent_id = request.agent_id;
  synthesis.task_id = call.task_id;
  synthesis.synthesis_goal = "incident_triage_summary";
  synthesis.memory_fragments = {redacted(json::object{{"anomalies", WorstPoints(out.anomalies)}}),
                                redacted(json::object{{"reason", out.reason}}),
                                redacted(json::object{{"decision", out.decision}})};
  // The summary is a convenience: without it the incident is kept all the same.
  const auto summary = deps.cognitive.Call<&CognitiveService::SynthesizeMemory>(
      synthesis, call.Within(deps.settings.cognitive_timeout, deps.env));
  if (summary) {
    instruments.synthesis_done.Increment();
    out.memory = json::object{{"synthesized_insight", summary->result.result.synthesized_insight},
                              {"confidence_level", summary->result.result.confidence_level}};
  } else {
    SEEDCORE_RETURN_IF_ERROR(call.Check(deps.env));
    instruments.synthesis_failed.Increment();
    out.warnings.push_back("no summary for memory: " + ToString(summary.error()));
  }
  store::NewIncident incident;
  incident.salience_score = out.summary.max_score;
  incident.event_data = {
      {"kind", "anomaly_triage"},
      {"agent_id", request.agent_id},
      {"task_id", call.task_id},
      {"correlation_id", out.correlation_id},
      {"summary", ToJson(out.summary)},
      {"anomalies", redacted(WorstPoints(out.anomalies))},
      {"context", redacted(Meta(request.context))},
      {"reason", redacted(json::object{{"thought", TextOf(out.reason, "thought")},
                                       {"proposed_solution", TextOf(out.reason, "proposed_solution")}})},
      {"decision", redacted(json::object{{"action", TextOf(out.decision, "action")},
                                         {"reasoning", TextOf(out.decision, "reasoning")}})}};
  if (out.memory) incident.event_data["memory"] = redacted(*out.memory);
  if (request.effects == EffectsMode::kReturn) {
    out.effects.emplace().incidents.push_back({incident.salience_score, std::move(incident.event_data)});
    return {};
  }
  SEEDCORE_ASSIGN_OR_RETURN(const store::Incident kept, deps.incidents.Add(incident));
  out.incident_id = kept.incident_id;
  return {};
}

}  // namespace seedcore::service
