#include "service/organism.h"

#include <algorithm>
#include <cmath>
#include <map>

#include <fmt/format.h>

#include "organism/organism.h"
#include "service/organism_views.h"

namespace seedcore::service {
namespace {

Result<void> CheckInitialized(const organism::Organism& organism) {
  if (organism.IsInitialized()) return {};
  return Fail(ErrorCode::kUnavailable, "the organism is not initialized: POST /organism/initialize");
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

}  // namespace

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
    if (organism_.hosts() != nullptr) {
      for (const auto& host : organism_.hosts()->Of(organ.organ_id)) {
        std::string& where = reply.hosts[organ.organ_id];
        where += fmt::format("{}{} at {}", where.empty() ? "" : ", ", host.name, host.address);
      }
    }
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
  reply.asks_hosts = organism_.hosts() != nullptr;
  for (const auto& organ : organism_.population().Organs()) {
    OrganStatusView& view = reply.status.emplace_back(ToView(organ, organism_.presence()));
    if (organism_.hosts() == nullptr) continue;
    for (auto& host : organism_.hosts()->Of(organ.organ_id)) {
      view.hosts.push_back({std::move(host.name), std::move(host.address)});
    }
  }
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
