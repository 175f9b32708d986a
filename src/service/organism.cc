#include "service/organism.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "base/strings.h"
#include "organism/organism.h"

namespace seedcore::service {
namespace {

constexpr std::size_t kMaxRouteQueries = 1000;

Result<void> CheckInitialized(const organism::Organism& organism) {
  if (organism.IsInitialized()) return {};
  return Fail(ErrorCode::kUnavailable, "the organism is not initialized: POST /organism/initialize");
}

organism::TaskSpec ToSpec(const OrganTask& task) {
  return {.id = task.id,
          .type = organism::NormalizeType(task.type),
          .description = task.description,
          .domain = organism::NormalizeDomain(task.domain),
          .params = task.params,
          .priority = task.priority,
          .drift_score = task.drift_score,
          .required_capability = task.required_capability,
          .agent_id = task.agent_id,
          .attempt = task.attempt};
}

/// The caller's deadline or the organ's, whichever is sooner, under the identity of the task.
CallContext CallFor(const OrganTask& task, double organ_timeout_s, const CallContext& call, Env& env) {
  constexpr double kShortest = 1.0;
  constexpr double kLongest = 300.0;
  const std::chrono::duration<double> timeout(std::clamp(organ_timeout_s, kShortest, kLongest));
  CallContext derived = call.Within(std::chrono::duration_cast<std::chrono::nanoseconds>(timeout), env);
  if (!task.id.empty()) derived.task_id = task.id;
  if (!task.idempotency_key.empty()) derived.idempotency_key = task.idempotency_key;
  // An outside call must be recognizable at every attempt of the task, so the task's id serves where no key was given.
  if (derived.idempotency_key.empty()) derived.idempotency_key = task.id;
  return derived;
}

TaskEffects ToTaskEffects(store::Effects effects) {
  TaskEffects out;
  for (store::NewFact& fact : effects.facts) {
    out.facts.push_back({std::move(fact.text), std::move(fact.tags), std::move(fact.meta_data)});
  }
  for (store::NewLedgerEntry& entry : effects.ledger) {
    out.ledger.push_back({std::move(entry.scope), std::move(entry.scope_id), std::move(entry.task_id),
                          entry.energy_before, entry.energy_after, entry.delta_e, entry.cost,
                          std::move(entry.breakdown), std::move(entry.meta)});
  }
  for (store::NewIncident& incident : effects.incidents) {
    out.incidents.push_back({incident.salience_score, std::move(incident.event_data)});
  }
  return out;
}

ExecuteReply ToReply(organism::Execution execution) {
  ExecuteReply reply;
  reply.success = execution.success;
  reply.organ_id = std::move(execution.organ_id);
  const auto& accounted = execution.accounted;
  reply.result = AgentReport{
      .agent_id = std::move(execution.agent_id),
      .task_processed = true,
      .success = execution.success,
      .quality = execution.quality,
      .capability_score = accounted.state.capability,
      .mem_util = accounted.state.mem_util,
      .result = std::move(execution.result),
      .mem_hits = execution.mem_hits,
      .latency_ms = std::chrono::duration<double, std::milli>(execution.latency).count(),
      .delta_e_realized = accounted.after.total - accounted.before.total,
      .energy_before = accounted.before.total,
      .energy_after = accounted.after.total,
      .selection_score = execution.selection_score,
      .candidates = execution.candidates,
  };
  if (execution.error) {
    reply.error = std::move(execution.error->message);
    reply.error_code = ToString(execution.error->code);
    reply.error_path = std::move(execution.error->path);
    reply.retryable = IsRetryable(execution.error->code);
  }
  return reply;
}

ResolveRouteReply ToReply(organism::Route route) {
  return {.logical_id = std::move(route.logical_id),
          .resolved_from = std::string(EnumToString(route.resolved_from)),
          .epoch = std::move(route.epoch),
          .instance_id = std::move(route.instance_id),
          .cache_hit = route.cache_hit,
          .cache_age_ms = std::chrono::duration<double, std::milli>(route.cache_age).count()};
}

RoutingRulesReply ToReply(organism::RoutingDirectory::Rules rules) {
  return {std::move(rules.by_task), std::move(rules.by_domain)};
}

OrganStatusView ToView(const organism::OrganSnapshot& organ, const organism::Presence& presence) {
  OrganStatusView view{.organ_id = organ.organ_id,
                       .organ_type = organ.type,
                       .agent_count = static_cast<int>(organ.agent_ids.size()),
                       .agent_ids = organ.agent_ids,
                       .status = "healthy",
                       .running_tasks = organ.running,
                       .free_slots = organ.capacity - organ.running};
  if (organ.agent_ids.empty()) view.detail = "no agents";
  const auto registration = presence.Of(organ.organ_id);
  if (!registration) {
    view.detail = "not registered";
  } else {
    view.instance_id = registration->instance_id;
    if (!registration->problem.empty()) view.detail = registration->problem;
  }
  if (!view.detail.empty()) view.status = "degraded";
  return view;
}

OrganismAgent ToView(const organism::AgentSnapshot& agent) {
  const organism::AgentState& state = agent.state;
  return {.agent_id = agent.agent_id,
          .organ_id = agent.organ_id,
          .state_embedding_h = {state.h.begin(), state.h.end()},
          .role_probs = {{"E", state.roles.E}, {"S", state.roles.S}, {"O", state.roles.O}},
          .capability = state.capability,
          .mem_util = state.mem_util,
          .tasks_processed = state.tasks_processed,
          .successful_tasks = state.successful_tasks,
          .success_rate = state.SuccessRate(),
          .quality_score = state.MeanQuality(),
          .mean_latency_ms = state.mean_latency_ms,
          .running_tasks = agent.running,
          .lifecycle = std::string(state.Lifecycle()),
          .last_task_at = state.last_task_at};
}

RouteAnswer FailedRoute(const Error& error, bool type_is_known) {
  RouteAnswer answer;
  answer.status = error.code == ErrorCode::kNonRetryable && !type_is_known ? "unknown_type" : "error";
  answer.error = error.message;
  return answer;
}

RouteAnswer FoundRoute(organism::Route route) {
  RouteAnswer answer;
  answer.status = "ok";
  if (route.resolved_from == organism::ResolvedFrom::kFallback) {
    answer.status = route.instance_id ? "fallback" : "no_active_instance";
  }
  answer.logical_id = std::move(route.logical_id);
  answer.resolved_from = std::string(EnumToString(route.resolved_from));
  answer.epoch = std::move(route.epoch);
  answer.instance_id = std::move(route.instance_id);
  answer.cache_hit = route.cache_hit;
  answer.cache_age_ms = std::chrono::duration<double, std::milli>(route.cache_age).count();
  return answer;
}

/// Parameters of Evolve; which of them an operation reads is said in the request's documentation.
struct EvolveParams {
  int k = 2;
  std::vector<std::string> src_organs;
  double move_fraction = 0.0;
  std::string migrate_to;
  bool force = false;
  static constexpr auto kFields =
      Fields(Optional("k", &EvolveParams::k, "split: parts, the original included"),
             Optional("src_organs", &EvolveParams::src_organs, "merge: organs whose agents join organ_id"),
             Optional("move_fraction", &EvolveParams::move_fraction, "clone: share of the agents that move"),
             Optional("migrate_to", &EvolveParams::migrate_to, "retire: organ that takes the agents"),
             Optional("force", &EvolveParams::force, "Make the change although it does not pay"));
};

organism::EvolutionOp ToOp(EvolveOp op) {
  switch (op) {
    case EvolveOp::kSplit: return organism::EvolutionOp::kSplit;
    case EvolveOp::kMerge: return organism::EvolutionOp::kMerge;
    case EvolveOp::kClone: return organism::EvolutionOp::kClone;
    case EvolveOp::kRetire: return organism::EvolutionOp::kRetire;
  }
  return organism::EvolutionOp::kSplit;
}

/// A second path to an operation needs a name of its own in the API document.
Operation<OrganismService> Named(std::string name, Operation<OrganismService> operation) {
  operation.info.name = std::move(name);
  return operation;
}

json::object Describe(const organism::EvolutionPlan& plan) {
  json::object moved;
  for (const auto& [agent, organ] : plan.moves) moved[agent] = organ;
  const auto list = [](const auto& ids) {
    json::array array;
    for (const auto& id : ids) array.push_back(json::string(id));
    return array;
  };
  json::array new_organs;
  for (const auto& [organ, type] : plan.new_organs) new_organs.push_back(json::string(organ));
  json::array new_agents;
  for (const auto& agent : plan.new_agents) new_agents.push_back(json::string(agent.agent_id));
  return {{"new_organs", std::move(new_organs)}, {"removed_organs", list(plan.removed_organs)},
          {"agents_moved", plan.moves.size()},   {"moves", std::move(moved)},
          {"new_agents", std::move(new_agents)}, {"removed_agents", list(plan.removed_agents)}};
}

}  // namespace

Result<void> OrganTask::Validate() const {
  if (Trim(type).empty()) return Fail(ErrorCode::kInvalidArgument, "must not be empty", "type");
  if (priority < 1 || priority > 10) return Fail(ErrorCode::kInvalidArgument, "expected 1 to 10", "priority");
  if (!(drift_score >= 0.0)) return Fail(ErrorCode::kInvalidArgument, "expected 0 or more", "drift_score");
  if (!(required_capability >= 0.0 && required_capability <= 1.0)) {
    return Fail(ErrorCode::kInvalidArgument, "expected 0 to 1", "required_capability");
  }
  if (attempt < 1) return Fail(ErrorCode::kInvalidArgument, "expected 1 or more", "attempt");
  return {};
}

Result<void> ResolveRoutesRequest::Validate() const {
  if (tasks.size() <= kMaxRouteQueries) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("more than {} tasks", kMaxRouteQueries), "tasks");
}

Error ExecuteReply::VerdictError() const {
  return {ErrorCodeFromString(error_code), error.value_or("the agent gave no reason"), error_path};
}

store::Effects TaskEffects::ToStore() const {
  store::Effects out;
  for (const FactEffect& fact : facts) out.facts.push_back({fact.text, fact.tags, fact.meta_data});
  for (const LedgerEffect& entry : ledger) {
    out.ledger.push_back({entry.scope, entry.scope_id, entry.task_id, entry.energy_before, entry.energy_after,
                          entry.delta_e, entry.cost, entry.breakdown, entry.meta});
  }
  for (const IncidentEffect& incident : incidents)
    out.incidents.push_back({incident.salience_score, incident.event_data});
  return out;
}

Result<ExecuteReply> OrganismService::Execute(const std::string& organ_id, const OrganTask& task,
                                              double organ_timeout_s, EffectsMode mode, const CallContext& call) {
  const CallContext derived = CallFor(task, organ_timeout_s, call, env_);
  SEEDCORE_ASSIGN_OR_RETURN(organism::Execution execution, organism_.Execute(organ_id, ToSpec(task), derived));
  store::Effects effects = std::move(execution.effects);
  ExecuteReply reply = ToReply(std::move(execution));
  if (mode == EffectsMode::kReturn) {
    reply.effects = ToTaskEffects(std::move(effects));
  } else {
    SEEDCORE_RETURN_IF_ERROR(organism_.ApplyEffects(effects));
  }
  return reply;
}

Result<ExecuteReply> OrganismService::ExecuteOnOrgan(const ExecuteOnOrganRequest& request, const CallContext& call) {
  return Execute(request.organ_id, request.task, request.organ_timeout_s, request.effects, call);
}

Result<ExecuteReply> OrganismService::ExecuteOnRandom(const ExecuteOnRandomRequest& request, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::string organ_id, organism_.RandomOrgan());
  return Execute(organ_id, request.task, request.organ_timeout_s, request.effects, call);
}

Result<HandleTaskReply> OrganismService::HandleTask(const HandleTaskRequest& request, const CallContext& call) {
  SEEDCORE_RETURN_IF_ERROR(CheckInitialized(organism_));
  OrganTask task;
  task.type = request.task_type;
  task.description = request.description;
  task.domain = request.domain;
  task.params = request.params;
  task.drift_score = request.drift_score;
  if (auto valid = task.Validate(); !valid) {
    return Fail(valid.error().code, valid.error().message,
                valid.error().path == "type" ? "task_type" : valid.error().path);
  }
  SEEDCORE_ASSIGN_OR_RETURN(const auto route, organism_.routing().Resolve(task.type, task.domain, {}, call));
  constexpr double kDefaultTimeout = 30.0;
  HandleTaskReply reply{.task_type = request.task_type};
  SEEDCORE_ASSIGN_OR_RETURN(reply.result, Execute(route.logical_id, task, kDefaultTimeout, EffectsMode::kApply, call));
  reply.success = reply.result->success;
  reply.error = reply.result->error;
  return reply;
}

Result<ResolveRouteReply> OrganismService::ResolveRoute(const ResolveRouteRequest& request, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(auto route, organism_.routing().Resolve(request.task.type, request.task.domain,
                                                                    request.preferred_logical_id, call));
  return ToReply(std::move(route));
}

Result<ResolveRoutesReply> OrganismService::ResolveRoutes(const ResolveRoutesRequest& request,
                                                          const CallContext& call) {
  ResolveRoutesReply reply;
  SEEDCORE_ASSIGN_OR_RETURN(reply.epoch, organism_.routing().Epoch(call));
  for (std::size_t i = 0; i < request.tasks.size(); ++i) {
    const RouteQuery& query = request.tasks[i];
    auto route = organism_.routing().Resolve(query.type, query.domain, query.preferred_logical_id, call);
    const bool type_is_known = organism_.executors().Knows(organism::NormalizeType(query.type));
    RouteAnswer answer = route ? FoundRoute(std::move(*route)) : FailedRoute(route.error(), type_is_known);
    if (answer.epoch.empty()) answer.epoch = reply.epoch;
    answer.index = query.index.value_or(static_cast<int>(i));
    answer.key = query.key.empty() ? fmt::format("{}/{}", query.type, query.domain) : query.key;
    reply.results.push_back(std::move(answer));
  }
  return reply;
}

Result<RoutingRulesReply> OrganismService::RoutingRules(const Empty&, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(auto rules, organism_.routing().GetRules(call));
  return ToReply(std::move(rules));
}

Result<ChangeRoutingRulesReply> OrganismService::ChangeRoutingRules(const ChangeRoutingRulesRequest& request,
                                                                    const CallContext& call) {
  std::vector<store::RoutingRule> add;
  for (const RoutingRuleChange& rule : request.add) add.push_back({rule.task_type, rule.domain, rule.logical_id});
  std::vector<store::RoutingRule> remove;
  for (const RoutingRuleRemoval& rule : request.remove) remove.push_back({rule.task_type, rule.domain, {}});
  SEEDCORE_RETURN_IF_ERROR(organism_.routing().ChangeRules(std::move(add), std::move(remove), call));
  SEEDCORE_ASSIGN_OR_RETURN(auto rules, organism_.routing().GetRules(call));
  return ChangeRoutingRulesReply{.success = true, .rules = ToReply(std::move(rules))};
}

Result<OrganismAck> OrganismService::RefreshRouting(const Empty&, const CallContext&) {
  organism_.routing().Invalidate();
  return OrganismAck{.success = true, .message = {}};
}

Result<OrganismHealthReply> OrganismService::Health(const Empty&, const CallContext&) {
  OrganismHealthReply reply;
  reply.organism_initialized = organism_.IsInitialized();
  reply.status = reply.organism_initialized ? "healthy" : "initializing";
  for (const auto& organ : organism_.population().Organs()) {
    ++reply.organs;
    reply.agents += static_cast<int>(organ.agent_ids.size());
    const OrganStatusView view = ToView(organ, organism_.presence());
    if (const auto registration = organism_.presence().Of(organ.organ_id)) reply.epoch = registration->epoch;
    if (view.detail.empty()) continue;
    reply.status = "degraded";
    reply.detail += fmt::format("{}{}: {}", reply.detail.empty() ? "" : "; ", organ.organ_id, view.detail);
  }
  return reply;
}

OrganismSummary OrganismService::Summarize() {
  OrganismSummary summary;
  summary.overall_health = "healthy";
  std::map<std::string, std::string> type_of;
  for (const auto& organ : organism_.population().Organs()) {
    ++summary.total_organs;
    ++summary.organs_by_type[organ.type];
    type_of[organ.organ_id] = organ.type;
    if (ToView(organ, organism_.presence()).status != "healthy") summary.overall_health = "degraded";
    if (const auto registration = organism_.presence().Of(organ.organ_id)) summary.epoch = registration->epoch;
  }
  const auto agents = organism_.population().Agents();
  for (const auto& agent : agents) {
    ++summary.agents_by_type[type_of[agent.organ_id]];
    summary.tasks_processed += agent.state.tasks_processed;
    summary.tasks_successful += agent.state.successful_tasks;
    summary.average_capability_score += agent.state.capability / static_cast<double>(agents.size());
    summary.average_memory_utilization += agent.state.mem_util / static_cast<double>(agents.size());
  }
  summary.total_agents = static_cast<int>(agents.size());
  summary.energy_total = organism_.population().Energy().total;
  summary.last_updated = env_.WallNow();
  return summary;
}

Result<OrganismServiceStatus> OrganismService::Status(const Empty&, const CallContext&) {
  OrganismServiceStatus reply;
  reply.organism_initialized = organism_.IsInitialized();
  reply.status = "initializing";
  if (!reply.organism_initialized) return reply;
  reply.organism_info = Summarize();
  reply.status = reply.organism_info->overall_health;
  if (reply.status != "healthy") reply.error = "an organ is degraded: GET /organism/organism-status";
  return reply;
}

Result<OrganismStatusReply> OrganismService::OrganismStatus(const Empty&, const CallContext&) {
  SEEDCORE_RETURN_IF_ERROR(CheckInitialized(organism_));
  OrganismStatusReply reply;
  for (const auto& organ : organism_.population().Organs()) reply.status.push_back(ToView(organ, organism_.presence()));
  return reply;
}

Result<OrganismSummaryReply> OrganismService::Summary(const Empty&, const CallContext&) {
  SEEDCORE_RETURN_IF_ERROR(CheckInitialized(organism_));
  return OrganismSummaryReply{.success = true, .summary = Summarize()};
}

Result<OrganismAgentsReply> OrganismService::Agents(const Empty&, const CallContext&) {
  SEEDCORE_RETURN_IF_ERROR(CheckInitialized(organism_));
  OrganismAgentsReply reply;
  for (const auto& agent : organism_.population().Agents()) reply.agents.push_back(ToView(agent));
  reply.energy_total = organism_.population().Energy().total;
  return reply;
}

Result<ExecutorsReply> OrganismService::Executors(const Empty&, const CallContext&) {
  ExecutorsReply reply;
  for (const auto& executor : organism_.executors().All()) {
    reply.executors.push_back({executor->type, executor->doc, executor->params_schema});
  }
  return reply;
}

Result<OrganismAck> OrganismService::Initialize(const Empty&, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const bool done, organism_.Initialize());
  return OrganismAck{.success = true,
                     .message = done ? "Organism initialized successfully" : "Organism already initialized"};
}

Result<OrganismAck> OrganismService::Shutdown(const Empty&, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const bool done, organism_.Shutdown(call));
  return OrganismAck{.success = true, .message = done ? "Organism shut down" : "Organism was not running"};
}

Result<EvolveReply> OrganismService::Evolve(const EvolveRequest& request, const CallContext& call) {
  SEEDCORE_RETURN_IF_ERROR(CheckInitialized(organism_));
  auto params = FromJson<EvolveParams>(request.params);
  if (!params) return Fail(params.error().code, params.error().message, "params." + params.error().path);
  SEEDCORE_ASSIGN_OR_RETURN(const auto outcome, organism_.Evolve({.op = ToOp(request.op),
                                                                  .organ_id = request.organ_id,
                                                                  .k = params->k,
                                                                  .sources = params->src_organs,
                                                                  .move_fraction = params->move_fraction,
                                                                  .migrate_to = params->migrate_to,
                                                                  .force = params->force},
                                                                 call));
  return EvolveReply{.success = outcome.applied,
                     .op = request.op,
                     .organ_id = request.organ_id,
                     .delta_e_est = outcome.plan.energy_after - outcome.plan.energy_before,
                     .energy_before = outcome.measured_before,
                     .energy_after = outcome.measured_after,
                     .delta_e_realized = outcome.measured_after - outcome.measured_before,
                     .cost = outcome.plan.cost,
                     .accepted = outcome.accepted,
                     .applied = outcome.applied,
                     .result = Describe(outcome.plan)};
}

OperationTable<OrganismService> OrganismOperations() {
  using S = OrganismService;
  return {"/organism",
          "Organism: organs and agents that execute tasks",
          {
              Get<&S::Health>("/health", "Whether tasks can be executed; 503 until initialized").Open(),
              Get<&S::Status>("/status", "State of the organism, with its summary"),
              Get<&S::OrganismStatus>("/organism-status", "Every organ with its agents"),
              Get<&S::Summary>("/organism-summary", "Counts, means and energy"),
              Get<&S::Agents>("/agents", "Every live agent with its state"),
              Get<&S::Executors>("/executors", "Task types that can be executed, with their parameters"),
              Post<&S::ExecuteOnOrgan>("/execute-on-organ", "Executes a task on an organ"),
              Post<&S::ExecuteOnRandom>("/execute-on-random", "Executes a task on any organ with a free agent"),
              Post<&S::HandleTask>("/handle-task", "Routes a task and executes it"),
              Post<&S::ResolveRoute>("/resolve-route", "Which organ a task belongs to"),
              Post<&S::ResolveRoutes>("/resolve-routes", "The same for many tasks"),
              Get<&S::RoutingRules>("/routing/rules", "Routing rules"),
              Put<&S::ChangeRoutingRules>("/routing/rules", "Adds and removes routing rules"),
              Post<&S::RefreshRouting>("/routing/refresh", "Forgets cached routes"),
              Post<&S::Evolve>("/evolve", "Splits, merges, clones or retires organs"),
              Post<&S::Initialize>("/initialize", "Starts organs and agents"),
              Named("InitializeOrganism", Post<&S::Initialize>("/initialize-organism", "The same as /initialize")),
              Post<&S::Shutdown>("/shutdown", "Stops organs and agents"),
              Named("ShutdownOrganism", Post<&S::Shutdown>("/shutdown-organism", "The same as /shutdown")),
          },
          ""};
}

}  // namespace seedcore::service
