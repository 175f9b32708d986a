#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/log.h"
#include "base/strings.h"
#include "service/coordinator_impl.h"

namespace seedcore::service {

using coordinator::RouteAction;
using coordinator::Signal;

namespace {

constexpr std::string_view kOcpsKind = "ocps";
constexpr std::size_t kMaxDriftText = 2000;
constexpr std::size_t kMaxParameterText = 100;

std::optional<double> Number(const json::object& params, std::string_view name) {
  const json::value* value = params.if_contains(name);
  if (value == nullptr || !value->is_number()) return std::nullopt;
  return JsonToDouble(*value);
}

void AppendWords(std::string& out, std::string_view label, std::string_view text) {
  if (text.empty()) return;
  if (!out.empty()) out += ' ';
  out += label;
  out += ": ";
  out += text;
}

/// Cuts at a character.
void Cut(std::string& text, std::size_t size) {
  if (text.size() <= size) return;
  while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0U) == 0x80U) --size;
  text.resize(size);
}

OcpsReport ReportOf(std::string stream, const coordinator::OcpsState& state, bool escalate) {
  return {.stream = std::move(stream),
          .escalate = escalate,
          .cusum = state.cusum,
          .fast = state.fast,
          .escalated = state.escalated};
}

/// A stored state that cannot be read starts anew: a valve is a running statistic, and no task should fail over it.
coordinator::OcpsState StateFrom(const json::value& stored) {
  if (stored.is_null()) return {};
  auto state = FromJson<coordinator::OcpsState>(stored);
  return state ? *state : coordinator::OcpsState{};
}

}  // namespace

int NormalizedPriority(const json::object& params, std::optional<int> fallback) {
  const json::value* value = params.if_contains("priority");
  if (value != nullptr && value->is_number()) {
    return static_cast<int>(std::clamp(std::round(JsonToDouble(*value)), 1.0, 10.0));
  }
  if (value != nullptr && value->is_string()) {
    const std::string word = ToLower(Trim(std::string_view(value->get_string())));
    if (word == "low") return 2;
    if (word == "medium") return 5;
    if (word == "high") return 8;
    if (word == "critical") return 10;
  }
  return std::clamp(fallback.value_or(5), 1, 10);
}

double NormalizedComplexity(const json::object& params) {
  return std::clamp(Number(params, "complexity").value_or(0.5), 0.0, 1.0);
}

double NormalizedOrganTimeout(const json::object& params) {
  return std::clamp(Number(params, "organ_timeout_s").value_or(30.0), 1.0, 300.0);
}

std::string DriftText(const RoutedTask& task) {
  std::string text;
  AppendWords(text, "Description", task.description);
  AppendWords(text, "Domain", task.domain);
  AppendWords(text, "Type", task.type);
  std::string parameters;
  for (const auto& member : task.params) {
    if (member.value().is_structured() || member.value().is_null()) continue;
    std::string value =
        member.value().is_string() ? std::string(member.value().get_string()) : WriteJson(member.value());
    Cut(value, kMaxParameterText);
    if (!parameters.empty()) parameters += ", ";
    parameters += fmt::format("{}={}", std::string_view(member.key()), value);
    if (parameters.size() > kMaxDriftText) break;
  }
  AppendWords(text, "Parameters", parameters);
  Cut(text, kMaxDriftText);
  return text;
}

Result<void> RouteRequest::Validate() const {
  if (Trim(type).empty()) return Fail(ErrorCode::kInvalidArgument, "must not be empty", "type");
  if (attempt < 1) return Fail(ErrorCode::kInvalidArgument, "must be at least 1", "attempt");
  if (priority && (*priority < 1 || *priority > 10)) {
    return Fail(ErrorCode::kInvalidArgument, "must be between 1 and 10", "priority");
  }
  return {};
}

int RouteResponse::HttpStatus() const { return error ? seedcore::HttpStatus(ErrorCodeFromString(error_code)) : 200; }

RoutedTask CoordinatorService::Impl::Normalize(const RouteRequest& request) {
  RoutedTask task;
  task.id = request.id.empty() ? deps.env.NewId() : request.id;
  if (request.lease && !request.id.empty()) {
    task.lease = store::Lease{request.id, request.lease->owner_id, request.lease->fencing_token};
  }
  task.type = ToLower(Trim(request.type));
  task.description = request.description;
  task.domain = std::string(Trim(request.domain));
  task.params = request.params;
  task.features = request.features;
  task.history_ids = request.history_ids;
  task.priority = NormalizedPriority(request.params, request.priority);
  task.complexity = NormalizedComplexity(request.params);
  task.idempotency_key = request.idempotency_key.empty() ? task.id : request.idempotency_key;
  task.attempt = request.attempt;
  task.effects = request.effects;
  return task;
}

Result<Evidence> CoordinatorService::Impl::MeasureDrift(const RoutedTask& task, const CallContext& call) {
  const Instant start = deps.env.Now();
  // Nothing of the machine's load: that is no property of the task, and rules have signals for it. A busy hour would
  // otherwise look like drift in every stream.
  DriftRequest request;
  request.task = {{"id", task.id},
                  {"type", task.type},
                  {"domain", task.domain},
                  {"description", task.description},
                  {"priority", task.priority},
                  {"complexity", task.complexity}};
  json::array history;
  for (const std::string& id : task.history_ids) history.push_back(json::string(id));
  request.task["history_ids"] = std::move(history);
  request.text = DriftText(task);

  Evidence evidence;
  const auto drift = deps.ml.Call<&MlService::DriftScore>(request, call.Within(deps.settings.ml_timeout, deps.env));
  instruments.drift_seconds.Observe(ToMilliseconds(deps.env.Now() - start) / 1000.0);
  if (!drift) {
    SEEDCORE_RETURN_IF_ERROR(call.Check(deps.env));
    instruments.drift_failed.Increment();
    evidence.warnings.push_back("no drift: " + ToString(drift.error()));
    log::Warning("drift was not measured", {{"task_id", task.id}, {"error", ToString(drift.error())}});
    return evidence;
  }
  instruments.drift_measured.Increment();
  instruments.drift_scores.Observe(drift->drift_score);
  evidence.drift = drift->drift_score;

  const std::string& stream = drift->stream;
  if (task.attempt > 1) {  // the first attempt has fed the valve
    const auto stored = deps.streams.Load(std::string(kOcpsKind), stream);
    if (stored) evidence.ocps = ReportOf(stream, StateFrom(*stored), false);
    return evidence;
  }
  bool escalate = false;
  coordinator::OcpsState state;
  const auto updated = deps.streams.Update(std::string(kOcpsKind), stream, [&](const json::value& stored) {
    coordinator::OcpsValve valve(deps.settings.ocps, StateFrom(stored));
    escalate = valve.Update(drift->drift_score);
    state = valve.state();
    return ToJson(state);
  });
  if (!updated) {
    SEEDCORE_RETURN_IF_ERROR(call.Check(deps.env));
    evidence.warnings.push_back("the drift valve was not updated: " + ToString(updated.error()));
    return evidence;
  }
  load.RecordVerdict(escalate);
  evidence.ocps = ReportOf(stream, state, escalate);
  return evidence;
}

coordinator::Signals CoordinatorService::Impl::MakeSignals(const Evidence& evidence, int priority, double complexity) {
  const auto busy = machine.Read();
  const auto reading = load.Read();
  coordinator::Signals signals;
  signals.SetMeasured(Signal::kPFast, reading.p_fast);
  signals.SetMeasured(Signal::kEscalationRatio, reading.escalation_ratio);
  signals.SetMeasured(Signal::kFastPathLatencyMs, reading.fast_path_latency_ms);
  signals.SetMeasured(Signal::kHgnnLatencyMs, reading.hgnn_latency_ms);
  signals.SetMeasured(Signal::kSuccessRate, reading.success_rate);
  signals.SetMeasured(Signal::kMemoryUtilization, busy.memory_utilization);
  signals.SetMeasured(Signal::kCpuUtilization, busy.cpu_utilization);
  signals.SetMeasured(Signal::kSDrift, evidence.drift);
  if (evidence.ocps) signals.SetMeasured(Signal::kOcpsEscalate, evidence.ocps->escalate ? 1.0 : 0.0);
  signals.SetMeasured(Signal::kTaskPriority, priority);
  signals.SetMeasured(Signal::kTaskComplexity, complexity);
  return signals;
}

coordinator::RouteDecision CoordinatorService::Impl::Decide(const coordinator::RuleSet& rules,
                                                            const coordinator::TaskView& task,
                                                            const coordinator::Signals& signals) {
  const Instant start = deps.env.Now();
  coordinator::RouteDecision decision = coordinator::Decide(rules, task, signals);
  const double took_ms = ToMilliseconds(deps.env.Now() - start);
  instruments.router_ms.Observe(took_ms);
  instruments.evaluation_seconds.Observe(took_ms / 1000.0);
  instruments.CountRouting(decision);
  instruments.SetSignals(signals);
  counters.rules_skipped += decision.trace.skipped;
  load.RecordDecision(decision.action == RouteAction::kEscalate);
  return decision;
}

Result<RouteResponse> CoordinatorService::Impl::Route(const RouteRequest& request, const CallContext& caller) {
  SEEDCORE_RETURN_IF_ERROR(request.Validate());
  SEEDCORE_RETURN_IF_ERROR(caller.Check(deps.env));
  const Instant start = deps.env.Now();
  const RoutedTask task = Normalize(request);
  CallContext call = caller;
  if (call.task_id.empty()) call.task_id = task.id;

  SEEDCORE_ASSIGN_OR_RETURN(const Evidence evidence, MeasureDrift(task, call));
  const auto rules = deps.rules.Current();
  const coordinator::Signals signals = MakeSignals(evidence, task.priority, task.complexity);
  const coordinator::RouteDecision decision = Decide(*rules, task.View(), signals);

  RouteResponse response;
  response.correlation_id = deps.env.NewId();
  response.routing_reason = decision.reason;
  response.p_fast = signals.Get(Signal::kPFast).value_or(1.0);
  response.drift = evidence.drift;
  response.ocps = evidence.ocps;
  response.warnings = evidence.warnings;
  if (!decision.trace.first_skip.empty()) {
    log::Debug("rule skipped", {{"task_id", task.id}, {"rule", decision.trace.first_skip}});
  }
  ++counters.total;
  // A task that brings its plan needs no organ of its own.
  const bool has_plan = task.type == kWorkflowType && decision.action == RouteAction::kFastPath;
  switch (has_plan ? RouteAction::kEscalate : decision.action) {
    case RouteAction::kFastPath:
      response.path = "fast";
      ++counters.fast;
      ExecuteFast(task, decision.organ, call, response);
      break;
    case RouteAction::kEscalate:
      response.path = "hgnn";
      response.escalated = true;
      ++counters.hgnn;
      instruments.escalation_requests.Increment();
      ExecuteEscalated(task, call, response);
      break;
    case RouteAction::kHold:
      response.path = "hold";
      response.kind = "held";
      response.payload = {{"reason", decision.reason}};
      ++counters.held;
      break;
    case RouteAction::kRetry:
      response.path = "retry";
      response.kind = "retry";
      response.payload = {{"reason", decision.reason}};
      response.retry_after_s = ToMilliseconds(deps.settings.retry_delay) / 1000.0;
      ++counters.retried;
      break;
  }
  response.created_at = deps.env.WallNow();
  instruments.CountRequest(response.path, response.success);
  instruments.end_to_end_ms.Observe(ToMilliseconds(deps.env.Now() - start));
  return response;
}

}  // namespace seedcore::service
