#include <array>

#include "store/check_rules.h"

namespace seedcore::store {
namespace {

// An edge table, its column, and the table and column that the column refers to.
#define SEEDCORE_DANGLING(edges, column, nodes, key)                                                        \
  "SELECT CAST(e." column " AS TEXT) AS id FROM " edges " e LEFT JOIN " nodes " n ON n." key " = e." column \
  " WHERE n." key " IS NULL"
// A kind of node, the column of the map that names it, and where it is.
#define SEEDCORE_GONE(kind, column, nodes, key)                                                               \
  "SELECT CAST(m.node_id AS TEXT) AS id FROM graph_node_map m LEFT JOIN " nodes " n ON n." key " = m." column \
  " WHERE m.node_type = '" kind "' AND n." key " IS NULL"
#define SEEDCORE_OR " UNION ALL "

// clang-format off: one edge a line
constexpr std::array kGraphRules = {
    Rule{"an edge from a task begins at one that exists",
         SEEDCORE_DANGLING("task_depends_on_task", "src_task_id", "tasks", "id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_produces_artifact", "task_id", "tasks", "id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_uses_capability", "task_id", "tasks", "id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_reads_memory", "task_id", "tasks", "id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_writes_memory", "task_id", "tasks", "id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_executed_by_organ", "task_id", "tasks", "id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_owned_by_agent", "task_id", "tasks", "id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_reads_fact", "task_id", "tasks", "id")},
    Rule{"an edge from a task ends at what exists",
         SEEDCORE_DANGLING("task_depends_on_task", "dst_task_id", "tasks", "id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_produces_artifact", "artifact_id", "artifact", "artifact_id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_uses_capability", "capability_id", "capability", "capability_id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_reads_memory", "memory_cell_id", "memory_cell", "memory_cell_id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_writes_memory", "memory_cell_id", "memory_cell", "memory_cell_id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_executed_by_organ", "organ_id", "organ_registry", "organ_id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_owned_by_agent", "agent_id", "agent_registry", "agent_id")
         SEEDCORE_OR SEEDCORE_DANGLING("task_reads_fact", "fact_id", "facts", "id")},
    Rule{"an edge from an agent joins what exists",
         SEEDCORE_DANGLING("agent_member_of_organ", "agent_id", "agent_registry", "agent_id")
         SEEDCORE_OR SEEDCORE_DANGLING("agent_member_of_organ", "organ_id", "organ_registry", "organ_id")
         SEEDCORE_OR SEEDCORE_DANGLING("agent_collab_agent", "src_agent", "agent_registry", "agent_id")
         SEEDCORE_OR SEEDCORE_DANGLING("agent_collab_agent", "dst_agent", "agent_registry", "agent_id")
         SEEDCORE_OR SEEDCORE_DANGLING("agent_uses_model", "agent_id", "agent_registry", "agent_id")
         SEEDCORE_OR SEEDCORE_DANGLING("agent_uses_model", "model_name", "model", "model_name")
         SEEDCORE_OR SEEDCORE_DANGLING("agent_owns_memory_cell", "agent_id", "agent_registry", "agent_id")
         SEEDCORE_OR SEEDCORE_DANGLING("agent_owns_memory_cell", "memory_cell_id", "memory_cell", "memory_cell_id")},
    Rule{"an edge from an organ joins what exists",
         SEEDCORE_DANGLING("organ_provides_skill", "organ_id", "organ_registry", "organ_id")
         SEEDCORE_OR SEEDCORE_DANGLING("organ_provides_skill", "skill_name", "skill", "skill_name")
         SEEDCORE_OR SEEDCORE_DANGLING("organ_provides_capability", "organ_id", "organ_registry", "organ_id")
         SEEDCORE_OR SEEDCORE_DANGLING("organ_provides_capability", "capability_id", "capability", "capability_id")
         SEEDCORE_OR SEEDCORE_DANGLING("organ_uses_service", "organ_id", "organ_registry", "organ_id")
         SEEDCORE_OR SEEDCORE_DANGLING("organ_uses_service", "service_name", "service", "service_name")
         SEEDCORE_OR SEEDCORE_DANGLING("organ_governed_by_policy", "organ_id", "organ_registry", "organ_id")
         SEEDCORE_OR SEEDCORE_DANGLING("organ_governed_by_policy", "policy_name", "policy", "policy_name")},
    Rule{"a numbered node stands for what exists",
         SEEDCORE_GONE("task", "ext_uuid", "tasks", "id")
         SEEDCORE_OR SEEDCORE_GONE("artifact", "ext_uuid", "artifact", "artifact_id")
         SEEDCORE_OR SEEDCORE_GONE("capability", "ext_uuid", "capability", "capability_id")
         SEEDCORE_OR SEEDCORE_GONE("memory_cell", "ext_uuid", "memory_cell", "memory_cell_id")
         SEEDCORE_OR SEEDCORE_GONE("fact", "ext_uuid", "facts", "id")
         SEEDCORE_OR SEEDCORE_GONE("agent", "ext_text_id", "agent_registry", "agent_id")
         SEEDCORE_OR SEEDCORE_GONE("organ", "ext_text_id", "organ_registry", "organ_id")
         SEEDCORE_OR SEEDCORE_GONE("model", "ext_text_id", "model", "model_name")
         SEEDCORE_OR SEEDCORE_GONE("policy", "ext_text_id", "policy", "policy_name")
         SEEDCORE_OR SEEDCORE_GONE("service", "ext_text_id", "service", "service_name")
         SEEDCORE_OR SEEDCORE_GONE("skill", "ext_text_id", "skill", "skill_name")},
    Rule{"an embedding belongs to a numbered node",
         SEEDCORE_DANGLING("graph_embeddings", "node_id", "graph_node_map", "node_id")},
    // Both forms of a vector, '[1,2]' and '{1,2}', have a comma between two numbers and nowhere else.
    Rule{"an embedding has as many numbers as it says",
         "SELECT CAST(e.node_id AS TEXT) AS id FROM graph_embeddings e WHERE e.dims < 1 OR e.dims <> 1 + "
         "length(CAST(e.emb AS TEXT)) - length(replace(CAST(e.emb AS TEXT), ',', ''))"},
    Rule{"the embeddings by one version of a model are equally long",
         "SELECT CAST(e.node_id AS TEXT) AS id FROM graph_embeddings e JOIN (SELECT model, model_version, min(dims) AS "
         "dims FROM graph_embeddings GROUP BY model, model_version) m ON m.model = e.model AND m.model_version = "
         "e.model_version WHERE e.dims <> m.dims"},
};
// clang-format on

}  // namespace

std::span<const Rule> GraphRules() { return kGraphRules; }

}  // namespace seedcore::store
