#include "service/plan_execution.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iterator>
#include <utility>

#include "coordinator/plan_inputs.h"
#include "service/edge.h"
#include "service/organ_task.h"
#include "service/workflow.h"

namespace seedcore::service {

using coordinator::PlanStep;
using coordinator::StepOutcome;
using coordinator::StepStatus;

namespace {

void Append(TaskEffects& to, TaskEffects from) {
  std::ranges::move(from.facts, std::back_inserter(to.facts));
  std::ranges::move(from.ledger, std::back_inserter(to.ledger));
  std::ranges::move(from.incidents, std::back_inserter(to.incidents));
}

}  // namespace

PlanExecution::PlanExecution(CoordinatorService::Impl& impl, const RoutedTask& task, const RouteResponse& response,
                             const CallContext& call)
    : impl_(impl),
      task_(task),
      response_(response),
      call_(call),
      steps_(task.lease.has_value() ? impl.deps.steps : nullptr) {}

Result<coordinator::Plan> PlanExecution::Prepare() {
  if (steps_ != nullptr) {
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<store::TaskStep> kept, steps_->Steps(task_.id));
    if (!kept.empty()) return Restore(std::move(kept));
  }
  SEEDCORE_ASSIGN_OR_RETURN(coordinator::Plan plan, task_.type == kWorkflowType ? OwnPlan() : AskForPlan());
  if (steps_ != nullptr) SEEDCORE_RETURN_IF_ERROR(steps_->SavePlan(*task_.lease, ToStore(plan, meta_)));
  return plan;
}

std::vector<StepOutcome> PlanExecution::Run(const coordinator::Plan& plan) {
  coordinator::PlanHooks hooks;
  hooks.run = [this](const PlanStep& step, const json::object& inputs) { return RunStep(step, inputs); };
  hooks.recall = [this](const PlanStep& step) { return Recall(step); };
  hooks.save = [this](const PlanStep& step, const json::value&, bool is_last) { return Save(step, is_last); };
  if (steps_ != nullptr) hooks.wait = [this](const PlanStep& step) { return Wait(step); };
  return coordinator::RunPlan(plan, hooks, impl_.deps.settings.max_parallel_steps, call_, impl_.deps.env);
}

void PlanExecution::TakeRest(const coordinator::Plan& plan, const std::vector<StepOutcome>& outcomes,
                             RouteResponse& out) {
  for (auto& [step, effects] : effects_) Append(out.effects, std::move(effects));
  out.checkpoints = std::move(checkpoints_);
  if (steps_ == nullptr) return;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    const bool failed = outcomes[i].status == StepStatus::kFailed;
    if (!failed && outcomes[i].status != StepStatus::kSkipped) continue;
    StepCheckpoint& checkpoint = out.checkpoints.emplace_back();
    checkpoint.step = plan.steps[i].id;
    checkpoint.status = failed ? "failed" : "skipped";
    checkpoint.error = outcomes[i].error->message;
    checkpoint.error_code = std::string(ToString(outcomes[i].error->code));
  }
}

Result<coordinator::Plan> PlanExecution::Restore(std::vector<store::TaskStep> kept) {
  json::array raw;
  for (store::TaskStep& step : kept) {
    json::object object = std::move(step.spec);
    const bool is_hold = object.contains("hold");
    object["step_id"] = step.name;
    json::array depends_on;
    for (const std::string& name : step.depends_on) depends_on.push_back(json::string(name));
    object["depends_on"] = std::move(depends_on);
    raw.push_back(std::move(object));
    if (step.status == store::TaskStepStatus::kCompleted) {
      StepRecord& record = done_[step.name];
      if (is_hold) {
        record.output = std::move(step.result);
      } else {
        SEEDCORE_ASSIGN_OR_RETURN(record, FromJson<StepRecord>(step.result));
      }
    }
    kept_[step.name] = {step.status, step.round, std::move(step.error), std::move(step.error_code)};
  }
  meta_ = std::move(kept.front().plan_note);
  return coordinator::ParsePlan(raw, store::kMaxSteps);
}

Result<coordinator::Plan> PlanExecution::OwnPlan() {
  meta_ = {{"plan_source", "params"}};
  return ReadWorkflow(task_.params);
}

Result<coordinator::Plan> PlanExecution::AskForPlan() {
  CognitiveRequest request;
  request.agent_id = "coordinator";
  request.task_id = task_.id;
  request.type = task_.type;
  request.task_description = task_.description;
  request.task = cognitive::TaskDescription{.type = task_.type,
                                            .domain = task_.domain,
                                            .description = task_.description,
                                            .params = task_.params,
                                            .id = task_.id,
                                            .drift_score = response_.drift,
                                            .priority = task_.priority};
  request.constraints = {{"latency_ms", impl_.deps.settings.fast_path_latency_slo.count()},
                         {"max_steps", impl_.deps.settings.max_plan_steps}};
  json::array history;
  for (const std::string& id : task_.history_ids) history.push_back(json::string(id));
  request.context = {{"features", task_.features}, {"history_ids", std::move(history)}};
  SEEDCORE_ASSIGN_OR_RETURN(const PlanTaskResponse reply,
                            impl_.deps.cognitive.Call<&CognitiveService::PlanTask>(
                                request, call_.Within(impl_.deps.settings.cognitive_timeout, impl_.deps.env)));
  const cognitive::TaskPlan& proposal = reply.result.result;
  meta_ = {{"plan_source", "cognitive_service"},
           {"provider", reply.result.metadata.provider},
           {"estimated_complexity", proposal.estimated_complexity},
           {"explanations", proposal.rationale},
           {"confidence", proposal.confidence}};
  json::array steps;
  for (const auto& step : proposal.solution_steps) steps.push_back(ToJson(step));
  return coordinator::ParsePlan(steps, static_cast<std::size_t>(impl_.deps.settings.max_plan_steps));
}

std::optional<Result<json::value>> PlanExecution::Recall(const PlanStep& step) const {
  if (const auto found = done_.find(step.id); found != done_.end()) return Result<json::value>(found->second.output);
  const auto kept = kept_.find(step.id);
  // What a person refused, or did not answer in time, is not asked again.
  const bool refused = step.hold && kept != kept_.end() && kept->second.status == store::TaskStepStatus::kFailed;
  if (!refused) return std::nullopt;
  return Result<json::value>(Fail(ErrorCode::kNonRetryable, kept->second.error));
}

Result<void> PlanExecution::Write(store::StepWrite write, const store::Effects& effects) {
  return steps_->WriteSteps(*task_.lease, {&write, 1}, effects);
}

Result<json::value> PlanExecution::RunStep(const PlanStep& step, const json::object& inputs) {
  const auto kept = kept_.find(step.id);
  const int round = kept == kept_.end() ? 1 : kept->second.round;
  if (steps_ != nullptr) {
    SEEDCORE_RETURN_IF_ERROR(
        Write({.name = step.id, .status = store::TaskStepStatus::kRunning, .result = nullptr}, {}));
  }
  const json::value* params = step.task.if_contains("params");
  SEEDCORE_ASSIGN_OR_RETURN(const json::value resolved,
                            coordinator::ResolveInputs(params == nullptr ? json::object() : *params, inputs));
  OrganTask organ_task{.id = task_.id,
                       .type = TextOf(step.task, "type"),
                       .description = TextOf(step.task, "description"),
                       .domain = TextOf(step.task, "domain"),
                       .params = resolved.is_object() ? resolved.get_object() : json::object(),
                       .priority = task_.priority,
                       .drift_score = response_.drift.value_or(0.0),
                       .required_capability = RequiredCapability(task_.params),
                       .agent_id = {},
                       .idempotency_key = store::StepKey(task_.idempotency_key, step.id, round),
                       .attempt = task_.attempt,
                       .evidence = {}};
  organ_task.evidence = EvidenceFor(organ_task.type, response_);
  CallContext call = call_;
  if (step.timeout_s) {
    call = call_.Within(std::chrono::milliseconds(std::llround(*step.timeout_s * 1000.0)), impl_.deps.env);
  }
  call.idempotency_key = organ_task.idempotency_key;
  SEEDCORE_ASSIGN_OR_RETURN(ExecuteReply reply,
                            impl_.Execute(std::move(organ_task), {}, NormalizedOrganTimeout(task_.params),
                                          steps_ != nullptr ? EffectsMode::kReturn : task_.effects, call));
  StepRecord record{.organ_id = reply.organ_id,
                    .agent_id = reply.result ? reply.result->agent_id : "",
                    .energy = EnergyOf(reply),
                    .output = reply.result ? reply.result->result : json::value()};
  json::value output = record.output;
  const std::lock_guard lock(mutex_);
  effects_[step.id] = std::move(reply.effects);
  done_[step.id] = std::move(record);
  if (!reply.success) return std::unexpected(reply.VerdictError());
  return output;
}

Result<void> PlanExecution::Save(const PlanStep& step, bool is_last) {
  if (steps_ == nullptr) return {};
  json::value record;
  store::Effects effects;
  {
    const std::lock_guard lock(mutex_);
    record = ToJson(done_[step.id]);
    if (is_last) {
      checkpoints_.push_back({step.id, "completed", std::move(record), {}, {}});
      return {};
    }
    effects = std::exchange(effects_[step.id], {}).ToStore();
  }
  return Write({.name = step.id, .status = store::TaskStepStatus::kCompleted, .result = std::move(record)}, effects);
}

Result<void> PlanExecution::Wait(const PlanStep& step) {
  const auto kept = kept_.find(step.id);
  if (kept != kept_.end() && kept->second.status == store::TaskStepStatus::kWaiting) return {};
  std::optional<WallTime> until;
  if (step.hold->timeout_s) {
    until = impl_.deps.env.WallNow() + std::chrono::milliseconds(std::llround(*step.hold->timeout_s * 1000.0));
  }
  return Write({.name = step.id,
                .status = store::TaskStepStatus::kWaiting,
                .result = nullptr,
                .error = step.hold->reason,
                .wait_until = until},
               {});
}

StepReport PlanExecution::ReportOf(const coordinator::Plan& plan, std::size_t index, const StepOutcome& outcome) const {
  const PlanStep& step = plan.steps[index];
  StepReport report;
  report.step_id = step.id;
  report.status = std::string(EnumToString(outcome.status));
  report.success = outcome.status == StepStatus::kDone || outcome.status == StepStatus::kReused;
  report.task = step.task;
  for (const std::size_t dependency : step.depends_on) report.depends_on.push_back(plan.steps[dependency].id);
  report.result = outcome.output;
  if (outcome.error) {
    report.error = outcome.error->message;
    report.error_code = std::string(ToString(outcome.error->code));
  }
  if (const auto found = done_.find(step.id); found != done_.end()) {
    report.organ_id = found->second.organ_id;
    report.agent_id = found->second.agent_id;
    report.energy = found->second.energy;
  }
  report.took_ms = ToMilliseconds(outcome.took);
  return report;
}

}  // namespace seedcore::service
