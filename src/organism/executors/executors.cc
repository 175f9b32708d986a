#include "organism/executors/executors.h"

namespace seedcore::organism {

Result<std::shared_ptr<const ToolSet>> MakeTools(const ExecutorParts& parts) {
  auto tools = std::make_shared<ToolSet>();
  SEEDCORE_RETURN_IF_ERROR(tools->Add(MakeTimeTool(parts.env)));
  SEEDCORE_RETURN_IF_ERROR(tools->Add(MakeDateTool(parts.env)));
  SEEDCORE_RETURN_IF_ERROR(tools->Add(MakeCalculateTool()));
  SEEDCORE_RETURN_IF_ERROR(tools->Add(MakeSystemStatusTool(parts)));
  SEEDCORE_RETURN_IF_ERROR(tools->Add(MakeFactSearchTool(parts.store.facts())));
  SEEDCORE_RETURN_IF_ERROR(tools->Add(MakeTaskSearchTool(parts.store.tasks())));
  SEEDCORE_ASSIGN_OR_RETURN(Tool webhook, MakeWebhookTool(parts.webhook_post, parts.webhook_allow));
  SEEDCORE_RETURN_IF_ERROR(tools->Add(std::move(webhook)));
  for (const Tool& tool : parts.more_tools) SEEDCORE_RETURN_IF_ERROR(tools->Add(tool));
  return tools;
}

Result<void> RegisterExecutors(ExecutorRegistry& registry, ExecutorParts parts) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto tools, MakeTools(parts));
  SEEDCORE_RETURN_IF_ERROR(registry.Register(MakeGeneralQuery(tools)));
  SEEDCORE_RETURN_IF_ERROR(registry.Register(MakeExecute(tools)));
  SEEDCORE_RETURN_IF_ERROR(registry.Register(MakeHealthCheck(parts)));
  SEEDCORE_RETURN_IF_ERROR(registry.Register(MakeFactStore()));
  SEEDCORE_RETURN_IF_ERROR(registry.Register(MakeFactSearch(tools)));
  return registry.Register(MakeAnomalyTriage(std::move(parts.anomaly_triage)));
}

}  // namespace seedcore::organism
