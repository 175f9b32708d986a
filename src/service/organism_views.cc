#include "service/organism_views.h"

namespace seedcore::service {

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
          .attempt = task.attempt,
          .evidence = task.evidence};
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
      .host = std::move(execution.host),
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

}  // namespace seedcore::service
