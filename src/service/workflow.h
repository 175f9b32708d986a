#pragma once

#include <functional>
#include <string>

#include "coordinator/plan.h"
#include "store/step_store.h"

/// Tasks of kWorkflowType, which bring their plan.
namespace seedcore::service {

/// The plan in the form in which the store keeps it.
[[nodiscard]] store::NewPlan ToStore(const coordinator::Plan& plan, json::object note);

/// The plan of a workflow with these params; the same at its submission and at its execution. The path of an error says
/// where: kInvalidArgument, kPayloadTooLarge (what the store does not keep).
[[nodiscard]] Result<coordinator::Plan> ReadWorkflow(const json::object& params);

/// Whether it can be carried out. `check_type`: whether a step of this type can be.
[[nodiscard]] Result<void> CheckWorkflow(const json::object& params,
                                         const std::function<Result<void>(const std::string& type)>& check_type);

}  // namespace seedcore::service
