#include "service/workflow.h"

#include <cstddef>
#include <utility>

#include <fmt/format.h>

#include "service/edge.h"
#include "store/step_rules.h"

namespace seedcore::service {

using coordinator::PlanStep;

store::NewPlan ToStore(const coordinator::Plan& plan, json::object note) {
  store::NewPlan out{.steps = {}, .note = std::move(note)};
  for (const PlanStep& step : plan.steps) {
    store::NewStep& kept = out.steps.emplace_back();
    kept.name = step.id;
    for (const std::size_t dependency : step.depends_on) kept.depends_on.push_back(plan.steps[dependency].id);
    kept.spec = coordinator::SpecOf(step);
  }
  return out;
}

Result<coordinator::Plan> ReadWorkflow(const json::object& params) {
  SEEDCORE_ASSIGN_OR_RETURN(coordinator::Plan plan, coordinator::ReadWorkflow(params, store::kMaxSteps));
  if (auto kept = store::PreparePlan(ToStore(plan, {})); !kept) {
    Error error = std::move(kept).error();
    error.path = "params.steps";
    return std::unexpected(std::move(error));
  }
  return plan;
}

Result<void> CheckWorkflow(const json::object& params,
                           const std::function<Result<void>(const std::string& type)>& check_type) {
  SEEDCORE_ASSIGN_OR_RETURN(const coordinator::Plan plan, ReadWorkflow(params));
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const PlanStep& step = plan.steps[i];
    if (step.hold) continue;
    auto checked = check_type(TextOf(step.task, "type"));
    if (checked) continue;
    return Fail(ErrorCode::kInvalidArgument, fmt::format("step '{}': {}", step.id, checked.error().message),
                fmt::format("params.steps[{}].task.type", i));
  }
  return {};
}

}  // namespace seedcore::service
