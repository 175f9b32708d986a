#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_binding.h"
#include "graph/engine.h"

/// What graph tasks do. Who claims them and who accounts for them is decided elsewhere.
namespace seedcore::graph {

enum class TaskKind { kEmbed, kQuery, kSync };

struct TaskType {
  std::string_view name;
  TaskKind kind;
  std::string_view operation_type;  ///< in the result; empty: none
};
/// The types of the earlier system. Those with _v2 do the same as those without.
[[nodiscard]] std::span<const TaskType> TaskTypes();
[[nodiscard]] const TaskType* FindTaskType(std::string_view name);

/// Where to start, by number or by what the nodes stand for, and how far to go.
struct StartParams {
  std::vector<std::int64_t> start_node_ids;
  std::vector<std::int64_t> start_ids;
  std::vector<std::string> start_task_ids;
  std::vector<std::string> start_agent_ids;
  std::vector<std::string> start_organ_ids;
  std::vector<std::string> start_fact_ids;
  std::vector<std::string> start_artifact_ids;
  std::vector<std::string> start_capability_ids;
  std::vector<std::string> start_memory_cell_ids;
  std::vector<std::string> start_model_ids;
  std::vector<std::string> start_policy_ids;
  std::vector<std::string> start_service_ids;
  std::vector<std::string> start_skill_ids;
  int k = 2;
  int chunk = 0;
  int topk = 10;
  Metric metric = Metric::kL2;
  std::vector<store::NodeKind> node_kinds;
  static constexpr auto kFields =
      Fields(Optional("start_node_ids", &StartParams::start_node_ids, "Node ids to start from"),
             Optional("start_ids", &StartParams::start_ids, "The same"),
             Optional("start_task_ids", &StartParams::start_task_ids, "Tasks to start from, full ids"),
             Optional("start_agent_ids", &StartParams::start_agent_ids, "Agents"),
             Optional("start_organ_ids", &StartParams::start_organ_ids, "Organs"),
             Optional("start_fact_ids", &StartParams::start_fact_ids, "Facts, full ids"),
             Optional("start_artifact_ids", &StartParams::start_artifact_ids, "Artifacts"),
             Optional("start_capability_ids", &StartParams::start_capability_ids, "Capabilities"),
             Optional("start_memory_cell_ids", &StartParams::start_memory_cell_ids, "Memory cells"),
             Optional("start_model_ids", &StartParams::start_model_ids, "Models, by name"),
             Optional("start_policy_ids", &StartParams::start_policy_ids, "Policies, by name"),
             Optional("start_service_ids", &StartParams::start_service_ids, "Services, by name"),
             Optional("start_skill_ids", &StartParams::start_skill_ids, "Skills, by name"),
             Optional("k", &StartParams::k, "Hops around the start that are embedded, 0 to 6"),
             Optional("chunk", &StartParams::chunk, "Start nodes whose neighborhoods are read at once; 0: all"),
             Optional("topk", &StartParams::topk, "Neighbors to return, 1 to 1000; queries only"),
             Optional("metric", &StartParams::metric, "l2 or cosine; queries only"),
             Optional("node_kinds", &StartParams::node_kinds, "Only neighbors of these kinds; queries only"));
};

struct SyncParams {
  std::vector<store::NodeKind> node_kinds;
  static constexpr auto kFields =
      Fields(Optional("node_kinds", &SyncParams::node_kinds, "Kinds to give node ids to; default: all"));
};

/// What one task came to.
struct TaskReport {
  json::object result;
  double quality = 1.0;  ///< of a query: share of `topk` that was found
  int found = 0;
};

/// Embeds what lies within k hops of the start and keeps it. kInvalidArgument names the start that does not exist, or
/// says that there is none: nothing embedded is no success.
[[nodiscard]] Result<TaskReport> RunEmbed(const Engine& engine, const StartParams& params, const TaskType& type,
                                          const CallContext& call);
/// The same, then the stored embeddings nearest to the mean of the start's, without the start itself.
[[nodiscard]] Result<TaskReport> RunQuery(const Engine& engine, const StartParams& params, const TaskType& type,
                                          const CallContext& call);
/// Gives a node id to everything that has none.
[[nodiscard]] Result<TaskReport> RunSync(const Engine& engine, const SyncParams& params, const CallContext& call,
                                         Env& env);

}  // namespace seedcore::graph
