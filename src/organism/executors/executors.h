#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/env.h"
#include "organism/executor.h"
#include "organism/tool.h"
#include "organism/vitals.h"
#include "state/host.h"
#include "store/store.h"

/// The executors and tools that SeedCore brings along.
namespace seedcore::organism {

/// Sends `body` to `url` by POST and returns the JSON of a 2xx reply. The call carries deadline and idempotency key.
using WebhookPost =
    std::function<Result<json::value>(const std::string& url, const json::value& body, const CallContext& call)>;
/// Triage of a series: {agent_id, series, context} to the coordinator's reply, and the incident to be kept with it.
struct AnomalyTriageOutcome {
  json::value reply;
  store::Effects effects;
};
using AnomalyTriageFunction =
    std::function<Result<AnomalyTriageOutcome>(const json::object& request, const CallContext& call)>;

struct ExecutorParts {
  Env& env;
  store::Store& store;
  state::HostSampler& host;  ///< measures the machine and the disk that holds the data
  std::function<Vitals()> vitals;
  WebhookPost webhook_post;                ///< empty: webhooks answer "unavailable"
  std::vector<std::string> webhook_allow;  ///< SEEDCORE_WEBHOOK_ALLOW: URLs that a webhook may begin with
  AnomalyTriageFunction anomaly_triage;    ///< empty: anomaly_triage answers "unavailable"
  std::vector<Tool> more_tools;            ///< further tools for `execute`
};

/// Registers general_query, health_check, fact_store, fact_search, execute and anomaly_triage. What `parts` refers to
/// must outlive the registry. kConflict when a type or tool name is taken; kInvalidArgument for a bad allow-list.
[[nodiscard]] Result<void> RegisterExecutors(ExecutorRegistry& registry, ExecutorParts parts);

// One per file; RegisterExecutors puts them together.
[[nodiscard]] Result<std::shared_ptr<const ToolSet>> MakeTools(const ExecutorParts& parts);
[[nodiscard]] Executor MakeGeneralQuery(std::shared_ptr<const ToolSet> tools);
[[nodiscard]] Executor MakeExecute(std::shared_ptr<const ToolSet> tools);
[[nodiscard]] Executor MakeHealthCheck(const ExecutorParts& parts);
[[nodiscard]] Executor MakeFactStore();
[[nodiscard]] Executor MakeFactSearch(std::shared_ptr<const ToolSet> tools);
[[nodiscard]] Executor MakeAnomalyTriage(AnomalyTriageFunction triage);

[[nodiscard]] Tool MakeTimeTool(Env& env);
[[nodiscard]] Tool MakeDateTool(Env& env);
[[nodiscard]] Tool MakeCalculateTool();
[[nodiscard]] Tool MakeSystemStatusTool(const ExecutorParts& parts);
[[nodiscard]] Tool MakeFactSearchTool(store::FactStore& facts);
[[nodiscard]] Tool MakeTaskSearchTool(store::TaskStore& tasks);
[[nodiscard]] Result<Tool> MakeWebhookTool(WebhookPost post, const std::vector<std::string>& allow);

/// One thing a health check looked at.
struct HealthProbe {
  std::string name;
  bool healthy = false;
  bool critical = false;  ///< whether being unhealthy fails the check as a whole
  std::string detail;
};
/// Store, organism, disk, memory and load, each really looked at.
[[nodiscard]] std::vector<HealthProbe> ProbeHealth(store::Store& store, const Vitals& vitals,
                                                   const state::HostState& host);

}  // namespace seedcore::organism
