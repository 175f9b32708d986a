#include <algorithm>
#include <chrono>

#include <fmt/format.h>

#include "service/organ_task.h"
#include "service/plan_execution.h"

namespace seedcore::service {

using coordinator::PlanStep;
using coordinator::StepOutcome;
using coordinator::StepStatus;

double ToMilliseconds(std::chrono::nanoseconds duration) {
  return std::chrono::duration<double, std::milli>(duration).count();
}

void SetError(RouteResponse& response, const Error& error, const std::string& original_type) {
  response.kind = "error";
  response.success = false;
  response.error = error.message;
  response.error_code = std::string(ToString(error.code));
  response.error_path = error.path;
  response.payload = {{"error", error.message}, {"error_type", ToString(error.code)}, {"original_type", original_type}};
  response.metadata["path"] = "error_handling";
}

Result<EscalationSlot> EscalationSlot::Take(std::atomic<int>& taken, int limit) {
  if (taken.fetch_add(1) >= limit) {
    taken.fetch_sub(1);
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("Too many concurrent escalations: {} are allowed (COGNITIVE_MAX_INFLIGHT)", limit));
  }
  return EscalationSlot(taken);
}

Result<ExecuteReply> CoordinatorService::Impl::Execute(OrganTask task, const std::string& preferred, double timeout_s,
                                                       EffectsMode effects, const CallContext& call) {
  SEEDCORE_RETURN_IF_ERROR(call.Check(deps.env));
  ResolveRouteRequest route{.task = task, .preferred_logical_id = preferred};
  route.task.params = {};  // routing reads type and domain
  SEEDCORE_ASSIGN_OR_RETURN(
      const ResolveRouteReply organ,
      deps.organism.Call<&OrganismService::ResolveRoute>(route, call.Within(deps.settings.organism_timeout, deps.env)));
  const ExecuteOnOrganRequest request{
      .organ_id = organ.logical_id, .task = std::move(task), .organ_timeout_s = timeout_s, .effects = effects};
  return deps.organism.Call<&OrganismService::ExecuteOnOrgan>(request, call);
}

void CoordinatorService::Impl::ExecuteFast(const RoutedTask& task, const std::string& organ, const CallContext& call,
                                           RouteResponse& out) {
  const Instant start = deps.env.Now();
  auto reply = Execute(OrganTaskOf(task, out), organ, NormalizedOrganTimeout(task.params), task.effects, call);
  const auto took = deps.env.Now() - start;
  out.metadata = {{"path", "direct_routing"}};
  if (!reply) {
    SetError(out, reply.error(), task.type);
  } else {
    out.organ_id = reply->organ_id;
    out.energy = EnergyOf(*reply);
    out.effects = std::move(reply->effects);
    out.success = reply->success;
    if (reply->success) {
      out.kind = "fast_path";
      out.payload = {{"routed_to", reply->organ_id},
                     {"organ_id", reply->organ_id},
                     {"agent_id", reply->result ? reply->result->agent_id : ""},
                     {"processing_time_ms", ToMilliseconds(took)},
                     {"result", reply->result ? reply->result->result : json::value()}};
      if (reply->result) out.metadata["quality"] = reply->result->quality;
    } else {
      SetError(out, reply->VerdictError(), task.type);
    }
  }
  load.RecordFastPath(took, out.success);
  counters.fast_us += std::chrono::duration_cast<std::chrono::microseconds>(took).count();
  ++counters.fast_executions;
  ++(out.success ? counters.succeeded : counters.failed);
}

void CoordinatorService::Impl::ExecuteEscalated(const RoutedTask& task, const CallContext& call, RouteResponse& out) {
  const auto fail = [&](const Error& error) {
    SetError(out, error, task.type);
    ++counters.escalation_failures;
    ++counters.failed;
  };
  auto slot = EscalationSlot::Take(escalations, deps.settings.max_inflight_escalations);
  if (!slot) {
    ++counters.escalations_refused;
    return fail(slot.error());
  }
  const Instant start = deps.env.Now();
  PlanExecution execution(*this, task, out, call);
  const auto conclude = [&](bool success) {
    const auto took = deps.env.Now() - start;
    load.RecordEscalation(took, success);
    counters.hgnn_us += std::chrono::duration_cast<std::chrono::microseconds>(took).count();
    ++counters.hgnn_executions;
  };
  const auto plan = execution.Prepare();
  if (!plan) {
    conclude(false);
    // What is kept of a failed task is the message alone.
    const std::string where = plan.error().path.empty() ? "" : fmt::format(" ({})", plan.error().path);
    return fail({plan.error().code, "planning failed: " + plan.error().message + where, plan.error().path});
  }
  out.warnings.insert(out.warnings.end(), plan->warnings.begin(), plan->warnings.end());
  const std::vector<StepOutcome> outcomes = execution.Run(*plan);

  const StepOutcome* failed = nullptr;
  std::string failed_step;
  json::array solution_steps;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    StepReport report = execution.ReportOf(*plan, i, outcomes[i]);
    if (outcomes[i].status == StepStatus::kFailed && failed == nullptr) {
      failed = &outcomes[i];
      failed_step = report.step_id;
    }
    if (report.energy) {
      if (!out.energy) out.energy = EnergyReport{.before = report.energy->before, .after = 0.0, .delta = 0.0};
      out.energy->after = report.energy->after;
      out.energy->delta = out.energy->after - out.energy->before;
    }
    solution_steps.push_back(
        json::object{{"step_id", report.step_id}, {"organ_id", report.organ_id}, {"success", report.success}});
    out.results.push_back(std::move(report));
  }
  execution.TakeRest(*plan, outcomes, out);
  out.kind = "escalated";
  out.success = failed == nullptr;
  out.metadata = {{"path", "hgnn_decomposition"}, {"step_count", outcomes.size()}, {"escalated", true}};
  out.payload = execution.meta();
  out.payload["solution_steps"] = std::move(solution_steps);
  conclude(out.success);
  const auto waiting = std::ranges::find(outcomes, StepStatus::kWaiting, &StepOutcome::status);
  if (out.success && waiting != outcomes.end()) {
    const PlanStep& step = plan->steps[static_cast<std::size_t>(waiting - outcomes.begin())];
    out.success = false;
    out.kind = "held";
    out.path = "hold";
    out.waits_for_step = true;
    out.routing_reason = fmt::format("step '{}': {}", step.id, step.hold->reason);
    ++counters.held;
    return;
  }
  if (out.success) {
    ++counters.succeeded;
    return;
  }
  const json::object payload = out.payload;
  fail({failed->error->code, fmt::format("step '{}': {}", failed_step, failed->error->message), failed->error->path});
  out.payload.insert(payload.begin(), payload.end());
}

}  // namespace seedcore::service
