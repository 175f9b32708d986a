#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json_binding.h"
#include "base/result.h"
#include "store/store.h"

/// What the Organism service is asked and what it answers. Field names are those of the earlier system where it had
/// them.
namespace seedcore::service {

/// A task as the organism needs it.
struct OrganTask {
  std::string id;
  std::string type;
  std::string description;
  std::string domain;
  json::object params;
  int priority = 5;
  double drift_score = 0.0;
  double required_capability = 0.0;
  std::string agent_id;
  std::string idempotency_key;
  int attempt = 1;
  json::object evidence;

  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields =
      Fields(Sparse("id", &OrganTask::id, "Task id; echoed, and part of the idempotency key of outside calls"),
             Required("type", &OrganTask::type, "Task type: picks the executor. Stripped and lower-cased"),
             Optional("description", &OrganTask::description, "What is wanted, in words"),
             Optional("domain", &OrganTask::domain, "Domain of the task; part of routing"),
             Optional("params", &OrganTask::params, "Parameters of the executor"),
             Optional("priority", &OrganTask::priority, "1 (low) to 10 (urgent)"),
             Optional("drift_score", &OrganTask::drift_score, "Drift measured for this task, 0 or more"),
             Optional("required_capability", &OrganTask::required_capability,
                      "Only agents whose capability is at least this, 0 to 1, may run the task"),
             Sparse("agent_id", &OrganTask::agent_id, "Only this agent may run the task"),
             Sparse("idempotency_key", &OrganTask::idempotency_key,
                    "The same at every attempt of the same work; default: the task's id"),
             Optional("attempt", &OrganTask::attempt, "Which execution this is, from 1"),
             Sparse("evidence", &OrganTask::evidence,
                    "What the coordinator measured when it routed the task, for executors that call it back"));
};

/// Who writes the effects of an execution (facts, ledger entries).
enum class EffectsMode {
  kApply,   ///< the organism writes them before it answers
  kReturn,  ///< the caller writes them, in one transaction with the task's completion
};
constexpr std::array<std::pair<EffectsMode, std::string_view>, 2> EnumNames(EffectsMode) {
  return {{{EffectsMode::kApply, "apply"}, {EffectsMode::kReturn, "return"}}};
}

struct FactEffect {
  std::string text;
  std::vector<std::string> tags;
  json::object meta_data;
  static constexpr auto kFields =
      Fields(Required("text", &FactEffect::text, "The fact"), Optional("tags", &FactEffect::tags, "Tags"),
             Optional("meta_data", &FactEffect::meta_data, "Free-form details"));
};

struct LedgerEffect {
  std::string scope;
  std::string scope_id;
  std::string task_id;
  double energy_before = 0.0;
  double energy_after = 0.0;
  double delta_e = 0.0;
  double cost = 0.0;
  json::object breakdown;
  json::object meta;
  static constexpr auto kFields =
      Fields(Required("scope", &LedgerEffect::scope, "agent, organ or cluster"),
             Required("scope_id", &LedgerEffect::scope_id, "Id within the scope"),
             Optional("task_id", &LedgerEffect::task_id, "The task that caused the change"),
             Required("energy_before", &LedgerEffect::energy_before, "Energy measured before"),
             Required("energy_after", &LedgerEffect::energy_after, "Energy measured after"),
             Required("delta_e", &LedgerEffect::delta_e, "energy_after - energy_before"),
             Optional("cost", &LedgerEffect::cost, "Cost charged on top, in units of energy"),
             Optional("breakdown", &LedgerEffect::breakdown, "Change term by term"),
             Optional("meta", &LedgerEffect::meta, "Free-form details"));
};

struct IncidentEffect {
  double salience_score = 0.0;
  json::object event_data;
  static constexpr auto kFields = Fields(Required("salience_score", &IncidentEffect::salience_score, "0 to 1"),
                                         Required("event_data", &IncidentEffect::event_data, "What happened"));
};

struct TaskEffects {
  std::vector<FactEffect> facts;
  std::vector<LedgerEffect> ledger;
  std::vector<IncidentEffect> incidents;

  /// For store::Finish.
  [[nodiscard]] store::Effects ToStore() const;
  static constexpr auto kFields = Fields(Sparse("facts", &TaskEffects::facts, "Facts to add"),
                                         Sparse("ledger", &TaskEffects::ledger, "Energy ledger entries to append"),
                                         Sparse("incidents", &TaskEffects::incidents, "Incidents to add"));
};

struct ExecuteOnOrganRequest {
  std::string organ_id;
  OrganTask task;
  double organ_timeout_s = 30.0;
  EffectsMode effects = EffectsMode::kApply;
  static constexpr auto kFields =
      Fields(Required("organ_id", &ExecuteOnOrganRequest::organ_id, "The organ that runs the task"),
             Required("task", &ExecuteOnOrganRequest::task, "The task"),
             Optional("organ_timeout_s", &ExecuteOnOrganRequest::organ_timeout_s,
                      "Time allowed in seconds, clamped to 1..300 and to the deadline of the call"),
             Optional("effects", &ExecuteOnOrganRequest::effects,
                      "apply: the organism writes facts and ledger entries; return: the caller does"));
};

struct ExecuteOnRandomRequest {
  OrganTask task;
  double organ_timeout_s = 30.0;
  EffectsMode effects = EffectsMode::kApply;
  static constexpr auto kFields =
      Fields(Required("task", &ExecuteOnRandomRequest::task, "The task"),
             Optional("organ_timeout_s", &ExecuteOnRandomRequest::organ_timeout_s, "As for execute-on-organ"),
             Optional("effects", &ExecuteOnRandomRequest::effects, "As for execute-on-organ"));
};

/// What one agent reports of one execution.
struct AgentReport {
  std::string agent_id;
  std::string host;
  bool task_processed = true;
  bool success = false;
  double quality = 0.0;
  double capability_score = 0.0;
  double mem_util = 0.0;
  json::value result;
  int mem_hits = 0;
  double latency_ms = 0.0;
  double delta_e_realized = 0.0;
  double energy_before = 0.0;
  double energy_after = 0.0;
  double selection_score = 0.0;
  int candidates = 0;
  static constexpr auto kFields = Fields(
      Required("agent_id", &AgentReport::agent_id, "The agent that was selected"),
      Sparse("host", &AgentReport::host, "Actor of the organ that did the work; not there: the organism did"),
      Required("task_processed", &AgentReport::task_processed, "Whether an executor ran"),
      Required("success", &AgentReport::success, "The agent's verdict"),
      Required("quality", &AgentReport::quality, "0 to 1, measured by the executor (see docs of each executor)"),
      Required("capability_score", &AgentReport::capability_score, "Capability of the agent after the task, 0 to 1"),
      Required("mem_util", &AgentReport::mem_util, "Memory utilization of the agent after the task, 0 to 1"),
      Optional("result", &AgentReport::result, "What the executor answered"),
      Required("mem_hits", &AgentReport::mem_hits, "Stored records (facts, tasks) the work used"),
      Required("latency_ms", &AgentReport::latency_ms, "Time the executor took"),
      Required("delta_e_realized", &AgentReport::delta_e_realized, "E_after - E_before"),
      Required("E_before", &AgentReport::energy_before, "Unified energy over the live agents before the task"),
      Required("E_after", &AgentReport::energy_after, "The same with the agent's state after the task"),
      Required("selection_score", &AgentReport::selection_score, "Energy score of the agent when selected; lower wins"),
      Required("candidates", &AgentReport::candidates, "Agents that were free and capable enough"));
};

/// The outcome of an execution. A task that failed is a reply with success=false and its typed error; only a call that
/// could not run the task at all (unknown organ, not initialized, no free agent) is an error of the call.
struct ExecuteReply {
  bool success = false;
  std::string organ_id;
  std::optional<AgentReport> result;
  std::optional<std::string> error;
  std::string error_code;
  std::string error_path;
  bool retryable = false;
  TaskEffects effects;

  /// The task's typed error. Meaningful when !success.
  [[nodiscard]] Error VerdictError() const;
  static constexpr auto kFields =
      Fields(Required("success", &ExecuteReply::success, "The agent's verdict"),
             Required("organ_id", &ExecuteReply::organ_id, "The organ that ran the task"),
             Optional("result", &ExecuteReply::result, "The agent's report"),
             Optional("error", &ExecuteReply::error, "Why the task failed; null when it did not"),
             Sparse("error_code", &ExecuteReply::error_code, "Code of the error"),
             Sparse("error_path", &ExecuteReply::error_path, "What the error is about, for example params.url"),
             Optional("retryable", &ExecuteReply::retryable, "Whether a later attempt can succeed"),
             Optional("effects", &ExecuteReply::effects, "What the caller must write, when it asked to"));
};

struct OrganismAck {
  bool success = true;
  std::string message;
  static constexpr auto kFields = Fields(Required("success", &OrganismAck::success, "Always true"),
                                         Sparse("message", &OrganismAck::message, "What was done"));
};

struct OrganHostView {
  std::string name;
  std::string address;
  static constexpr auto kFields = Fields(Required("name", &OrganHostView::name, "Its actor"),
                                         Required("address", &OrganHostView::address, "HOST:PORT of its listener"));
};

struct OrganStatusView {
  std::string organ_id;
  std::string organ_type;
  std::string instance_id;
  int agent_count = 0;
  std::vector<std::string> agent_ids;
  std::string status;
  std::string detail;
  int running_tasks = 0;
  int free_slots = 0;
  std::vector<OrganHostView> hosts;
  static constexpr auto kFields =
      Fields(Required("organ_id", &OrganStatusView::organ_id, "Organ id"),
             Required("organ_type", &OrganStatusView::organ_type, "Cognitive, Actuator, Utility, ..."),
             Required("instance_id", &OrganStatusView::instance_id, "Instance in the runtime registry"),
             Required("agent_count", &OrganStatusView::agent_count, "Agents"),
             Required("agent_ids", &OrganStatusView::agent_ids, "Their ids"),
             Required("status", &OrganStatusView::status, "healthy, or degraded with a detail"),
             Sparse("detail", &OrganStatusView::detail, "Why it is not healthy"),
             Required("running_tasks", &OrganStatusView::running_tasks, "Executions in progress"),
             Required("free_slots", &OrganStatusView::free_slots, "Executions that could start now"),
             Sparse("hosts", &OrganStatusView::hosts,
                    "Who does the work of its agents; not there: the organism's own process"));
};

struct OrganismStatusReply {
  bool success = true;
  std::vector<OrganStatusView> status;
  bool asks_hosts = false;
  static constexpr auto kFields =
      Fields(Required("success", &OrganismStatusReply::success, "Always true"),
             Required("status", &OrganismStatusReply::status, "One per organ"),
             Required("asks_hosts", &OrganismStatusReply::asks_hosts,
                      "Whether actors of organs are asked to do the work of their agents, where there are any"));
};

struct OrganismSummary {
  int total_organs = 0;
  int total_agents = 0;
  std::map<std::string, int> organs_by_type;
  std::map<std::string, int> agents_by_type;
  std::string overall_health;
  std::int64_t tasks_processed = 0;
  std::int64_t tasks_successful = 0;
  double average_capability_score = 0.0;
  double average_memory_utilization = 0.0;
  double energy_total = 0.0;
  std::string epoch;
  WallTime last_updated;
  static constexpr auto kFields =
      Fields(Required("total_organs", &OrganismSummary::total_organs, "Organs"),
             Required("total_agents", &OrganismSummary::total_agents, "Agents"),
             Required("organs_by_type", &OrganismSummary::organs_by_type, "Organs of each type"),
             Required("agents_by_type", &OrganismSummary::agents_by_type, "Agents in organs of each type"),
             Required("overall_health", &OrganismSummary::overall_health, "healthy or degraded"),
             Required("tasks_processed", &OrganismSummary::tasks_processed, "Executions since the start"),
             Required("tasks_successful", &OrganismSummary::tasks_successful, "Those that succeeded"),
             Required("average_capability_score", &OrganismSummary::average_capability_score, "Mean over agents"),
             Required("average_memory_utilization", &OrganismSummary::average_memory_utilization, "Mean over agents"),
             Required("energy_total", &OrganismSummary::energy_total, "Unified energy over the live agents"),
             Required("epoch", &OrganismSummary::epoch, "Cluster epoch"),
             Required("last_updated", &OrganismSummary::last_updated, "When this was measured"));
};

struct OrganismSummaryReply {
  bool success = true;
  OrganismSummary summary;
  static constexpr auto kFields = Fields(Required("success", &OrganismSummaryReply::success, "Always true"),
                                         Required("summary", &OrganismSummaryReply::summary, "The summary"));
};

struct OrganismServiceStatus {
  std::string status;
  bool organism_initialized = false;
  std::optional<OrganismSummary> organism_info;
  std::optional<std::string> error;
  static constexpr auto kFields = Fields(
      Required("status", &OrganismServiceStatus::status, "healthy, degraded or initializing"),
      Required("organism_initialized", &OrganismServiceStatus::organism_initialized, "Whether organs are running"),
      Optional("organism_info", &OrganismServiceStatus::organism_info, "The summary, once initialized"),
      Optional("error", &OrganismServiceStatus::error, "What is wrong"));
};

/// One live agent: what the state and energy services collect.
struct OrganismAgent {
  std::string agent_id;
  std::string organ_id;
  std::vector<double> state_embedding_h;
  std::map<std::string, double> role_probs;
  double capability = 0.0;
  double mem_util = 0.0;
  std::int64_t tasks_processed = 0;
  std::int64_t successful_tasks = 0;
  double success_rate = 0.0;
  double quality_score = 0.0;
  double mean_latency_ms = 0.0;
  int running_tasks = 0;
  std::string lifecycle;
  std::optional<WallTime> last_task_at;
  static constexpr auto kFields = Fields(
      Required("agent_id", &OrganismAgent::agent_id, "Agent id"),
      Required("organ_id", &OrganismAgent::organ_id, "Its organ"),
      Required("state_embedding_h", &OrganismAgent::state_embedding_h, "State vector, 128 numbers"),
      Required("role_probs", &OrganismAgent::role_probs, "E, S, O"),
      Required("capability_score_c", &OrganismAgent::capability, "0 to 1"),
      Required("mem_util", &OrganismAgent::mem_util, "0 to 1"),
      Required("tasks_processed", &OrganismAgent::tasks_processed, "Executions"),
      Required("successful_tasks", &OrganismAgent::successful_tasks, "Successful executions"),
      Required("success_rate", &OrganismAgent::success_rate,
               "successful_tasks / tasks_processed; 0 when there were none"),
      Required("quality_score", &OrganismAgent::quality_score, "Mean of the last 20 qualities; 0 when there were none"),
      Required("mean_latency_ms", &OrganismAgent::mean_latency_ms, "Moving average of execution time"),
      Required("running_tasks", &OrganismAgent::running_tasks, "Executions in progress"),
      Required("lifecycle", &OrganismAgent::lifecycle, "Employed, Scout, Specialist or Archived"),
      Optional("last_task_at", &OrganismAgent::last_task_at, "End of the last execution"));
};

struct OrganismAgentsReply {
  std::vector<OrganismAgent> agents;
  double energy_total = 0.0;
  static constexpr auto kFields =
      Fields(Required("agents", &OrganismAgentsReply::agents, "Live agents, by id"),
             Required("energy_total", &OrganismAgentsReply::energy_total, "Unified energy over them"));
};

struct ExecutorView {
  std::string type;
  std::string doc;
  json::object params_schema;
  static constexpr auto kFields =
      Fields(Required("type", &ExecutorView::type, "Task type"), Required("doc", &ExecutorView::doc, "What it does"),
             Required("params_schema", &ExecutorView::params_schema, "JSON Schema of params"));
};

struct ExecutorsReply {
  std::vector<ExecutorView> executors;
  static constexpr auto kFields =
      Fields(Required("executors", &ExecutorsReply::executors, "Every task type that can run"));
};

struct HandleTaskRequest {
  std::string task_type;
  json::object params;
  std::string description;
  std::string domain = "general";
  double drift_score = 0.0;
  json::object app_state;
  static constexpr auto kFields =
      Fields(Required("task_type", &HandleTaskRequest::task_type, "Task type"),
             Optional("params", &HandleTaskRequest::params, "Parameters of the executor"),
             Optional("description", &HandleTaskRequest::description, "What is wanted, in words"),
             Optional("domain", &HandleTaskRequest::domain, "Domain"),
             Optional("drift_score", &HandleTaskRequest::drift_score, "Drift measured for this task"),
             Optional("app_state", &HandleTaskRequest::app_state, "Accepted from older clients and not used"));
};

struct HandleTaskReply {
  bool success = false;
  std::optional<ExecuteReply> result;
  std::optional<std::string> error;
  std::string task_type;
  static constexpr auto kFields = Fields(Required("success", &HandleTaskReply::success, "The agent's verdict"),
                                         Optional("result", &HandleTaskReply::result, "As execute-on-organ answers"),
                                         Optional("error", &HandleTaskReply::error, "Why the task failed"),
                                         Required("task_type", &HandleTaskReply::task_type, "Of the request"));
};

enum class EvolveOp { kSplit, kMerge, kClone, kRetire };
constexpr std::array<std::pair<EvolveOp, std::string_view>, 4> EnumNames(EvolveOp) {
  return {{{EvolveOp::kSplit, "split"},
           {EvolveOp::kMerge, "merge"},
           {EvolveOp::kClone, "clone"},
           {EvolveOp::kRetire, "retire"}}};
}

struct EvolveRequest {
  EvolveOp op = EvolveOp::kSplit;
  std::string organ_id;
  json::object params;
  static constexpr auto kFields = Fields(
      Required("op", &EvolveRequest::op, "split, merge, clone or retire"),
      Required("organ_id", &EvolveRequest::organ_id, "The organ changed; for merge the one that takes the agents"),
      Optional("params", &EvolveRequest::params,
               "split: k (default 2); merge: src_organs; clone: move_fraction (default 0); retire: migrate_to; "
               "all: force (keep the change although it does not pay)"));
};

struct EvolveReply {
  bool success = false;
  EvolveOp op = EvolveOp::kSplit;
  std::string organ_id;
  double delta_e_est = 0.0;
  double energy_before = 0.0;
  double energy_after = 0.0;
  double delta_e_realized = 0.0;
  double cost = 0.0;
  bool accepted = false;
  bool applied = false;
  json::object result;
  static constexpr auto kFields =
      Fields(Required("success", &EvolveReply::success, "Whether the change was made"),
             Required("op", &EvolveReply::op, "Of the request"),
             Required("organ_id", &EvolveReply::organ_id, "Of the request"),
             Required("delta_E_est", &EvolveReply::delta_e_est, "Change of energy computed before anything was moved"),
             Required("E_before", &EvolveReply::energy_before, "Energy measured before"),
             Required("E_after", &EvolveReply::energy_after, "Energy measured after"),
             Required("delta_E_realized", &EvolveReply::delta_e_realized, "E_after - E_before; negative is better"),
             Required("cost", &EvolveReply::cost, "Cost of the operation in units of energy"),
             Required("accepted", &EvolveReply::accepted, "Whether delta_E_est + cost < 0: the change pays for itself"),
             Required("applied", &EvolveReply::applied, "Whether organs and agents were changed"),
             Required("result", &EvolveReply::result, "Organs made and agents moved"));
};

struct OrganismHealthReply {
  std::string status;
  std::string service = "organism-manager";
  std::string route_prefix = "/organism";
  bool organism_initialized = false;
  int organs = 0;
  int agents = 0;
  std::string epoch;
  std::string detail;
  std::map<std::string, std::string> hosts;
  [[nodiscard]] int HttpStatus() const { return organism_initialized && agents > 0 ? 200 : 503; }
  static constexpr auto kFields =
      Fields(Required("status", &OrganismHealthReply::status, "healthy or degraded; 503 when not able to serve"),
             Required("service", &OrganismHealthReply::service, "Name of the service"),
             Required("route_prefix", &OrganismHealthReply::route_prefix, "Where its routes begin"),
             Required("organism_initialized", &OrganismHealthReply::organism_initialized, "Whether organs are running"),
             Required("organs", &OrganismHealthReply::organs, "Organs"),
             Required("agents", &OrganismHealthReply::agents, "Agents"),
             Required("epoch", &OrganismHealthReply::epoch, "Cluster epoch"),
             Sparse("detail", &OrganismHealthReply::detail, "What is wrong"),
             Sparse("hosts", &OrganismHealthReply::hosts,
                    "Organ to the actor that does the work of its agents, and where; of others the organism does it"));
};

}  // namespace seedcore::service
