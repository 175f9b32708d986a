#include "app/external_types.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "base/strings.h"
#include "graph/tasks.h"
#include "service/coordinator.h"
#include "service/workflow.h"

namespace seedcore::app {

ExternalTypes::ExternalTypes(const std::vector<std::string>& types, const organism::ExecutorRegistry& executors)
    : executors_(executors) {
  for (const std::string& type : types) {
    std::string name = ToLower(Trim(type));
    if (name == "*") {
      all_others_ = true;
    } else if (!name.empty()) {
      types_.push_back(std::move(name));
    }
  }
}

bool ExternalTypes::IsExternal(const std::string& type) const { return std::ranges::count(types_, type) > 0; }

std::vector<std::string> ExternalTypes::Embedded() const {
  if (types_.empty() && !all_others_) return {};
  std::vector<std::string> embedded;
  for (const auto& executor : executors_.All()) {
    if (!IsExternal(executor->type)) embedded.push_back(executor->type);
  }
  if (!IsExternal(std::string(service::kWorkflowType))) embedded.emplace_back(service::kWorkflowType);
  // An empty list would mean every type; no task can have a type without a name.
  if (embedded.empty()) embedded.emplace_back();
  return embedded;
}

Result<void> ExternalTypes::Check(const std::string& type, const json::object& params) const {
  if (IsExternal(type)) return {};
  if (type == service::kWorkflowType) {
    return service::CheckWorkflow(params, [this](const std::string& step) { return CheckStep(step); });
  }
  if (types_.empty() || all_others_) return {};
  const auto executor = executors_.Find(type);
  if (executor) return {};
  return Fail(ErrorCode::kInvalidArgument,
              fmt::format("{}; types for workers outside (queue.external_types): {}", executor.error().message,
                          fmt::join(types_, ", ")),
              "type");
}

Result<void> ExternalTypes::CheckStep(const std::string& type) const {
  const auto executor = executors_.Find(type);
  if (executor) return {};
  std::string why = executor.error().message;
  if (type == service::kWorkflowType) {
    why = "a workflow cannot be a step of another";
  } else if (IsExternal(type)) {
    why = fmt::format("'{}' is left to workers outside (queue.external_types), who take tasks, not steps", type);
  } else if (all_others_) {
    why += "; workers outside (queue.external_types) take tasks, not steps";
  }
  return Fail(ErrorCode::kInvalidArgument, std::move(why), "type");
}

std::vector<std::string> TypesLeftToOthers(const settings::Settings& settings) {
  std::vector<std::string> types = settings.queue.external_types;
  if (settings.graph.dispatch_elsewhere) {
    for (const graph::TaskType& type : graph::TaskTypes()) types.emplace_back(type.name);
  }
  return types;
}

}  // namespace seedcore::app
