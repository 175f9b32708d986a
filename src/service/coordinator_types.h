#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json_binding.h"
#include "service/ml.h"
#include "service/organism.h"

/// What the Coordinator service takes and answers.
namespace seedcore::service {

/// The right to a stored task, as of its claim.
struct TaskLease {
  std::string owner_id;
  std::int64_t fencing_token = 0;
  static constexpr auto kFields = Fields(Required("owner_id", &TaskLease::owner_id, "Who holds it"),
                                         Required("fencing_token", &TaskLease::fencing_token, "Of the claim"));
};

/// A change of a step that the caller writes together with the end of the task.
struct StepCheckpoint {
  std::string step;
  std::string status;
  json::value result;
  std::string error;
  std::string error_code;
  static constexpr auto kFields = Fields(Required("step", &StepCheckpoint::step, "Name"),
                                         Required("status", &StepCheckpoint::status, "completed, failed or skipped"),
                                         Optional("result", &StepCheckpoint::result, "Of completed"),
                                         Sparse("error", &StepCheckpoint::error, "Why not"),
                                         Sparse("error_code", &StepCheckpoint::error_code, "Code of the error"));
};

struct RouteRequest {
  std::string id;
  std::string type;
  std::string description;
  std::string domain;
  json::object params;
  json::object features;
  std::vector<std::string> history_ids;
  std::optional<int> priority;
  std::string idempotency_key;
  int attempt = 1;
  EffectsMode effects = EffectsMode::kApply;
  std::optional<TaskLease> lease{};
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields = Fields(
      Sparse("id", &RouteRequest::id, "Id of the task; without one the call gets an id of its own"),
      Required("type", &RouteRequest::type, "Task type; stripped and lower-cased"),
      Optional("description", &RouteRequest::description, "What is wanted, in words"),
      Optional("domain", &RouteRequest::domain, "Domain of the task; with the type it names the drift stream"),
      Optional("params", &RouteRequest::params,
               "Parameters of the executor. Routing reads priority (1..10, or low, medium, high, critical), complexity "
               "(0..1), agent_id, required_capability and organ_timeout_s (1..300)"),
      Optional("features", &RouteRequest::features, "Anything rules should see as task.features"),
      Optional("history_ids", &RouteRequest::history_ids, "Earlier tasks this one follows"),
      Sparse("priority", &RouteRequest::priority, "1 (low) to 10 (urgent), where params names none; default 5"),
      Sparse("idempotency_key", &RouteRequest::idempotency_key, "The same at every attempt; default: the id"),
      Optional("attempt", &RouteRequest::attempt,
               "Which execution this is, from 1: only the first feeds the drift valve"),
      Optional("effects", &RouteRequest::effects,
               "apply: the organism writes facts and ledger entries; return: the caller does"),
      Sparse("lease", &RouteRequest::lease,
             "Of the stored task; with it the steps of a plan are kept under the lease, each with its effects, and an "
             "execution that breaks off is continued"));
};

/// The drift valve of a stream after a task.
struct OcpsReport {
  std::string stream;
  bool escalate = false;
  double cusum = 0.0;
  std::int64_t fast = 0;
  std::int64_t escalated = 0;
  static constexpr auto kFields =
      Fields(Required("stream", &OcpsReport::stream, "type|domain"),
             Required("escalate", &OcpsReport::escalate, "Whether the valve opened at this task"),
             Required("cusum", &OcpsReport::cusum, "Accumulated excess drift; 0 after opening"),
             Required("fast", &OcpsReport::fast, "Tasks of this stream at which it stayed shut"),
             Required("escalated", &OcpsReport::escalated, "Tasks at which it opened"));
};

/// What is known about a task before it is routed. Measured once per task; travels with it, so that whichever replica
/// an executor calls back need not measure again.
struct Evidence {
  std::optional<double> drift;
  std::optional<OcpsReport> ocps;
  bool escalated = false;
  std::vector<std::string> warnings;
  static constexpr auto kFields =
      Fields(Sparse("drift", &Evidence::drift, "Drift of the task"),
             Sparse("ocps", &Evidence::ocps, "The drift valve of its stream"),
             Optional("escalated", &Evidence::escalated, "Whether the task itself was escalated"),
             Sparse("warnings", &Evidence::warnings, "What could not be measured"));
};

struct EnergyReport {
  double before = 0.0;
  double after = 0.0;
  double delta = 0.0;
  static constexpr auto kFields = Fields(Required("before", &EnergyReport::before, "Measured before the work"),
                                         Required("after", &EnergyReport::after, "Measured after it"),
                                         Required("delta", &EnergyReport::delta, "after - before"));
};

/// One step of an escalated task.
struct StepReport {
  std::string step_id;
  std::string status;
  bool success = false;
  std::string organ_id;
  std::string agent_id;
  json::object task;
  std::vector<std::string> depends_on;
  json::value result;
  std::optional<std::string> error;
  std::string error_code;
  std::optional<EnergyReport> energy;
  double took_ms = 0.0;
  static constexpr auto kFields =
      Fields(Required("step_id", &StepReport::step_id, "Unique in the plan"),
             Required("status", &StepReport::status,
                      "done, reused (from an earlier attempt), failed, skipped, waiting or pending"),
             Required("success", &StepReport::success, "done or reused"),
             Sparse("organ_id", &StepReport::organ_id, "The organ that ran it"),
             Sparse("agent_id", &StepReport::agent_id, "The agent that ran it"),
             Required("task", &StepReport::task, "What it was to do"),
             Sparse("depends_on", &StepReport::depends_on, "Steps that had to be done before"),
             Optional("result", &StepReport::result, "What the executor answered"),
             Sparse("error", &StepReport::error, "Why it did not succeed"),
             Sparse("error_code", &StepReport::error_code, "Code of the error"),
             Sparse("energy", &StepReport::energy, "Unified energy around the step"),
             Required("took_ms", &StepReport::took_ms, "Time it took in this attempt"));
};

/// The reply to a routed task, and what is stored as its result.
struct RouteResponse {
  std::string kind;
  bool success = false;
  std::string path;
  json::object payload;
  json::object metadata;
  std::string correlation_id;
  std::string routing_reason;
  std::optional<std::string> organ_id;
  bool escalated = false;
  double p_fast = 1.0;
  std::optional<double> drift;
  std::optional<OcpsReport> ocps;
  std::vector<StepReport> results;
  std::optional<EnergyReport> energy;
  std::optional<double> retry_after_s;
  std::vector<std::string> warnings;
  std::optional<std::string> error;
  std::string error_code;
  std::string error_path;
  TaskEffects effects;
  std::vector<StepCheckpoint> checkpoints;
  bool waits_for_step = false;
  WallTime created_at;
  std::string version = "1.0";

  /// 200 for a task that succeeded, is held or is to be retried; else the status of the error.
  [[nodiscard]] int HttpStatus() const;
  static constexpr auto kFields = Fields(
      Required("kind", &RouteResponse::kind, "fast_path, escalated, held, retry or error"),
      Required("success", &RouteResponse::success, "The verdict of whoever did the work"),
      Required("path", &RouteResponse::path, "fast, hgnn, hold or retry"),
      Required("payload", &RouteResponse::payload,
               "fast_path: routed_to, organ_id, agent_id, processing_time_ms, result; escalated: solution_steps, "
               "plan_source, estimated_complexity, explanations; error: error, error_type, original_type"),
      Required("metadata", &RouteResponse::metadata,
               "path (direct_routing, hgnn_decomposition, error_handling), step_count"),
      Required("correlation_id", &RouteResponse::correlation_id, "Joins logs of one routing"),
      Required("routing_reason", &RouteResponse::routing_reason, "The rule that decided"),
      Optional("organ_id", &RouteResponse::organ_id, "The organ of the fast path"),
      Required("escalated", &RouteResponse::escalated, "Whether the task was planned"),
      Required("p_fast", &RouteResponse::p_fast, "Share of recent drift verdicts that were fast"),
      Optional("drift", &RouteResponse::drift, "Drift of the task; null when it could not be measured"),
      Optional("ocps", &RouteResponse::ocps, "The drift valve of the task's stream; null when there was no drift"),
      Sparse("results", &RouteResponse::results, "The steps of an escalated task"),
      Sparse("energy", &RouteResponse::energy, "Unified energy before and after, where the organism measured it"),
      Sparse("retry_after_s", &RouteResponse::retry_after_s, "For retry: how long to wait"),
      Sparse("warnings", &RouteResponse::warnings, "What went wrong without stopping the task"),
      Sparse("error", &RouteResponse::error, "Why the task failed"),
      Sparse("error_code", &RouteResponse::error_code, "Code of the error"),
      Sparse("error_path", &RouteResponse::error_path, "What the error is about"),
      Optional("effects", &RouteResponse::effects, "What the caller must write, when it asked to"),
      Sparse("checkpoints", &RouteResponse::checkpoints, "Steps that the caller must write with the end of the task"),
      Optional("waits_for_step", &RouteResponse::waits_for_step, "For held: a step of the plan waits for a person"),
      Required("created_at", &RouteResponse::created_at, "When this answer was made"),
      Required("version", &RouteResponse::version, "Version of this format"));
};

struct AnomalyTriageRequest {
  std::string agent_id;
  std::vector<double> series;
  std::vector<json::value> timestamps;
  std::int64_t report_from = 0;
  json::object context;
  EffectsMode effects = EffectsMode::kApply;
  std::optional<Evidence> evidence;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields = Fields(
      Required("agent_id", &AnomalyTriageRequest::agent_id, "Whose series it is"),
      Required("series", &AnomalyTriageRequest::series, "The values, oldest first; at least one"),
      Sparse("timestamps", &AnomalyTriageRequest::timestamps,
             "One per value, RFC 3339 or Unix seconds; default: context.timestamps"),
      Optional("report_from", &AnomalyTriageRequest::report_from,
               "Values before this index serve as history; default: context.report_from"),
      Optional("context", &AnomalyTriageRequest::context, "What is known about the series"),
      Optional("effects", &AnomalyTriageRequest::effects, "apply: keep an incident; return: leave it to the caller"),
      Sparse("evidence", &AnomalyTriageRequest::evidence,
             "Within a task: what was measured for it; default: drift is measured now"));
};

struct MutationReport {
  std::string action;
  std::string reason;
  static constexpr auto kFields =
      Fields(Required("action", &MutationReport::action, "submit_tuning, submit_retrain, hold or skip"),
             Required("reason", &MutationReport::reason, "The mutation rule that decided"));
};

struct AnomalyTriageResponse {
  std::string agent_id;
  std::vector<AnomalousPoint> anomalies;
  AnomalySummary summary;
  json::object reason;
  json::object decision;
  bool escalated = false;
  std::string routing_reason;
  double p_fast = 1.0;
  std::optional<double> drift;
  std::optional<OcpsReport> ocps;
  MutationReport mutation;
  std::optional<json::object> tuning_job;
  std::optional<std::string> incident_id;
  std::optional<TaskEffects> effects;
  std::optional<json::object> memory;
  std::vector<std::string> warnings;
  std::string correlation_id;
  static constexpr auto kFields = Fields(
      Required("agent_id", &AnomalyTriageResponse::agent_id, "As in the request"),
      Required("anomalies", &AnomalyTriageResponse::anomalies, "Every anomalous point, in order"),
      Required("summary", &AnomalyTriageResponse::summary, "The same in figures"),
      Required("reason", &AnomalyTriageResponse::reason,
               "Analysis of the Cognitive service when escalated; else thought and proposed_solution"),
      Required("decision", &AnomalyTriageResponse::decision, "action, reasoning, confidence, and more when escalated"),
      Required("escalated", &AnomalyTriageResponse::escalated, "Whether the Cognitive service was asked"),
      Required("routing_reason", &AnomalyTriageResponse::routing_reason, "Why, or why not"),
      Required("p_fast", &AnomalyTriageResponse::p_fast, "Share of recent drift verdicts that were fast"),
      Optional("drift", &AnomalyTriageResponse::drift, "Drift of the task; null when it could not be measured"),
      Optional("ocps", &AnomalyTriageResponse::ocps, "The drift valve of the stream"),
      Required("mutation", &AnomalyTriageResponse::mutation, "What the mutation rules say about the models"),
      Sparse("tuning_job", &AnomalyTriageResponse::tuning_job, "Of a submit_* mutation: what became of it"),
      Sparse("incident_id", &AnomalyTriageResponse::incident_id, "The incident kept for later reasoning"),
      Sparse("effects", &AnomalyTriageResponse::effects, "With effects=return: the incident to keep"),
      Sparse("memory", &AnomalyTriageResponse::memory, "What the Cognitive service made of it for memory"),
      Sparse("warnings", &AnomalyTriageResponse::warnings, "What went wrong without stopping the triage"),
      Required("correlation_id", &AnomalyTriageResponse::correlation_id, "Joins logs of one triage"));
};

struct CoordinatorMetrics {
  std::int64_t total_tasks = 0;
  std::int64_t successful_tasks = 0;
  std::int64_t failed_tasks = 0;
  std::int64_t fast_path_tasks = 0;
  std::int64_t hgnn_tasks = 0;
  std::int64_t held_tasks = 0;
  std::int64_t retried_tasks = 0;
  std::int64_t escalation_failures = 0;
  std::int64_t escalations_refused = 0;
  std::int64_t escalations_in_flight = 0;
  std::int64_t triages = 0;
  std::int64_t rules_skipped = 0;
  std::optional<double> fast_path_latency_ms;
  std::optional<double> hgnn_latency_ms;
  std::optional<double> fast_path_latency_ms_avg;
  std::optional<double> hgnn_latency_ms_avg;
  std::optional<double> success_rate;
  std::optional<double> fast_path_rate;
  std::optional<double> hgnn_rate;
  double p_fast = 1.0;
  static constexpr auto kFields = Fields(
      Required("total_tasks", &CoordinatorMetrics::total_tasks, "Routed since the start"),
      Required("successful_tasks", &CoordinatorMetrics::successful_tasks, "Of those executed"),
      Required("failed_tasks", &CoordinatorMetrics::failed_tasks, "Of those executed"),
      Required("fast_path_tasks", &CoordinatorMetrics::fast_path_tasks, "Sent straight to an organ"),
      Required("hgnn_tasks", &CoordinatorMetrics::hgnn_tasks, "Escalated"),
      Required("held_tasks", &CoordinatorMetrics::held_tasks, "Held"),
      Required("retried_tasks", &CoordinatorMetrics::retried_tasks, "Sent back for later"),
      Required("escalation_failures", &CoordinatorMetrics::escalation_failures, "Escalated and failed"),
      Required("escalations_refused", &CoordinatorMetrics::escalations_refused,
               "Of those, because too many were under way"),
      Required("escalations_in_flight", &CoordinatorMetrics::escalations_in_flight, "Under way now"),
      Required("triages", &CoordinatorMetrics::triages, "Anomaly triages"),
      Required("rules_skipped", &CoordinatorMetrics::rules_skipped,
               "Rules passed over because they could not be computed"),
      Optional("fast_path_latency_ms", &CoordinatorMetrics::fast_path_latency_ms, "Median of the last minute"),
      Optional("hgnn_latency_ms", &CoordinatorMetrics::hgnn_latency_ms, "Median of the last minute"),
      Optional("fast_path_latency_ms_avg", &CoordinatorMetrics::fast_path_latency_ms_avg, "Mean since the start"),
      Optional("hgnn_latency_ms_avg", &CoordinatorMetrics::hgnn_latency_ms_avg, "Mean since the start"),
      Optional("success_rate", &CoordinatorMetrics::success_rate, "Of those executed, since the start"),
      Optional("fast_path_rate", &CoordinatorMetrics::fast_path_rate, "fast_path_tasks / total_tasks"),
      Optional("hgnn_rate", &CoordinatorMetrics::hgnn_rate, "hgnn_tasks / total_tasks"),
      Required("p_fast", &CoordinatorMetrics::p_fast, "Share of recent drift verdicts that were fast"));
};

struct CoordinatorHealth {
  std::string status = "healthy";
  std::string service = "coordinator";
  std::string route_prefix = "/pipeline";
  std::map<std::string, std::string> parts;
  [[nodiscard]] int HttpStatus() const { return status == "unhealthy" ? 503 : 200; }
  static constexpr auto kFields = Fields(
      Required("status", &CoordinatorHealth::status,
               "healthy; degraded: drift, planning or new rules are missing; unhealthy (503): nothing can be executed"),
      Required("service", &CoordinatorHealth::service, "coordinator"),
      Required("route_prefix", &CoordinatorHealth::route_prefix, "/pipeline"),
      Required("parts", &CoordinatorHealth::parts, "Part to `ok` or what is wrong with it"));
};

}  // namespace seedcore::service
