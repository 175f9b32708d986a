#include "store/graph_store.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "base/uuid.h"

namespace seedcore::store {
namespace {

constexpr std::size_t kMaxIdBytes = 512;
constexpr std::size_t kMaxEntityNameBytes = 4096;
constexpr std::size_t kMaxPropsBytes = 65'536;
constexpr std::size_t kMaxDimensions = 4096;
constexpr int kMaxFanout = 10'000;
constexpr int kMaxScan = 10'000;
constexpr int kMaxSync = 10'000;

// In the order of NodeKind.
constexpr std::array<NodeTable, kNodeKinds> kNodeTables = {{
    {.kind = NodeKind::kTask, .table = "tasks", .id_column = "id", .has_uuid = true},
    {.kind = NodeKind::kAgent, .table = "agent_registry", .id_column = "agent_id"},
    {.kind = NodeKind::kOrgan, .table = "organ_registry", .id_column = "organ_id"},
    {.kind = NodeKind::kFact, .table = "facts", .id_column = "id", .has_uuid = true},
    {.kind = NodeKind::kArtifact, .table = "artifact", .id_column = "artifact_id", .has_uuid = true, .is_entity = true},
    {.kind = NodeKind::kCapability,
     .table = "capability",
     .id_column = "capability_id",
     .has_uuid = true,
     .is_entity = true},
    {.kind = NodeKind::kMemoryCell,
     .table = "memory_cell",
     .id_column = "memory_cell_id",
     .has_uuid = true,
     .is_entity = true},
    {.kind = NodeKind::kModel, .table = "model", .id_column = "model_name", .is_entity = true},
    {.kind = NodeKind::kPolicy, .table = "policy", .id_column = "policy_name", .is_entity = true},
    {.kind = NodeKind::kService, .table = "service", .id_column = "service_name", .is_entity = true},
    {.kind = NodeKind::kSkill, .table = "skill", .id_column = "skill_name", .is_entity = true},
}};

// In the order of EdgeKind.
constexpr std::array<EdgeTable, kEdgeKinds> kEdgeTables = {{
    {EdgeKind::kTaskDependsOnTask, NodeKind::kTask, NodeKind::kTask, "task_depends_on_task", "src_task_id",
     "dst_task_id", true},
    {EdgeKind::kTaskProducesArtifact, NodeKind::kTask, NodeKind::kArtifact, "task_produces_artifact", "task_id",
     "artifact_id"},
    {EdgeKind::kTaskUsesCapability, NodeKind::kTask, NodeKind::kCapability, "task_uses_capability", "task_id",
     "capability_id"},
    {EdgeKind::kTaskReadsMemoryCell, NodeKind::kTask, NodeKind::kMemoryCell, "task_reads_memory", "task_id",
     "memory_cell_id"},
    {EdgeKind::kTaskWritesMemoryCell, NodeKind::kTask, NodeKind::kMemoryCell, "task_writes_memory", "task_id",
     "memory_cell_id"},
    {EdgeKind::kTaskExecutedByOrgan, NodeKind::kTask, NodeKind::kOrgan, "task_executed_by_organ", "task_id",
     "organ_id"},
    {EdgeKind::kTaskExecutedByAgent, NodeKind::kTask, NodeKind::kAgent, "task_executed_by_agent", "task_id", "agent_id",
     true},
    {EdgeKind::kTaskOwnedByAgent, NodeKind::kTask, NodeKind::kAgent, "task_owned_by_agent", "task_id", "agent_id"},
    {EdgeKind::kTaskReadsFact, NodeKind::kTask, NodeKind::kFact, "task_reads_fact", "task_id", "fact_id"},
    {EdgeKind::kTaskProducesFact, NodeKind::kTask, NodeKind::kFact, "task_produces_fact", "task_id", "fact_id", true},
    {EdgeKind::kAgentMemberOfOrgan, NodeKind::kAgent, NodeKind::kOrgan, "agent_member_of_organ", "agent_id", "organ_id",
     true},
    {EdgeKind::kAgentCollabAgent, NodeKind::kAgent, NodeKind::kAgent, "agent_collab_agent", "src_agent", "dst_agent"},
    {EdgeKind::kAgentUsesModel, NodeKind::kAgent, NodeKind::kModel, "agent_uses_model", "agent_id", "model_name"},
    {EdgeKind::kAgentOwnsMemoryCell, NodeKind::kAgent, NodeKind::kMemoryCell, "agent_owns_memory_cell", "agent_id",
     "memory_cell_id"},
    {EdgeKind::kOrganProvidesSkill, NodeKind::kOrgan, NodeKind::kSkill, "organ_provides_skill", "organ_id",
     "skill_name"},
    {EdgeKind::kOrganProvidesCapability, NodeKind::kOrgan, NodeKind::kCapability, "organ_provides_capability",
     "organ_id", "capability_id"},
    {EdgeKind::kOrganUsesService, NodeKind::kOrgan, NodeKind::kService, "organ_uses_service", "organ_id",
     "service_name"},
    {EdgeKind::kOrganGovernedByPolicy, NodeKind::kOrgan, NodeKind::kPolicy, "organ_governed_by_policy", "organ_id",
     "policy_name"},
}};

Result<void> CheckBatch(std::size_t size, const char* what) {
  if (size <= kMaxGraphBatch) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("at most {} at once, got {}", kMaxGraphBatch, size), what);
}

Result<void> CheckText(std::string_view text, std::size_t most, const char* field) {
  if (text.empty()) return Fail(ErrorCode::kInvalidArgument, "must not be empty", field);
  if (text.size() > most) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("at most {} bytes, got {}", most, text.size()), field);
  }
  return {};
}

Result<void> CheckLimit(int limit, int most) {
  if (limit >= 1 && limit <= most) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {}, got {}", most, limit), "limit");
}

bool IsCanonicalUuid(std::string_view text) {
  return IsUuid(text) && std::ranges::none_of(text, [](char c) { return c >= 'A' && c <= 'F'; });
}

}  // namespace

const EdgeTable& TableOf(EdgeKind kind) { return kEdgeTables[static_cast<std::size_t>(kind)]; }
const NodeTable& TableOf(NodeKind kind) { return kNodeTables[static_cast<std::size_t>(kind)]; }

std::string ToString(const NodeRef& node) { return fmt::format("{} {}", EnumToString(node.kind), node.id); }

std::vector<NodesOfKind> GroupByKind(std::span<const NodeRef> nodes) {
  std::array<NodesOfKind, kNodeKinds> all;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    NodesOfKind& group = all[static_cast<std::size_t>(nodes[i].kind)];
    group.kind = nodes[i].kind;
    group.ids.push_back(nodes[i].id);
    group.at.push_back(i);
  }
  std::vector<NodesOfKind> out;
  for (NodesOfKind& group : all) {
    if (!group.ids.empty()) out.push_back(std::move(group));
  }
  return out;
}

std::vector<EdgeSide> SidesOf(NodeKind kind, const EdgeQuery& query) {
  std::vector<EdgeSide> sides;
  for (const EdgeTable& table : kEdgeTables) {
    if (!query.kinds.empty() && std::ranges::find(query.kinds, table.kind) == query.kinds.end()) continue;
    if (table.src == kind && query.direction != Direction::kIn) sides.push_back({table.kind, true});
    if (table.dst == kind && query.direction != Direction::kOut) sides.push_back({table.kind, false});
  }
  return sides;
}

void SortNeighbours(std::vector<Neighbour>& neighbours) {
  std::ranges::sort(neighbours, [](const Neighbour& a, const Neighbour& b) {
    if (a.from != b.from) return a.from < b.from;
    if (a.kind != b.kind) return a.kind < b.kind;
    if (a.outgoing != b.outgoing) return a.outgoing;
    const EdgeTable& table = TableOf(a.kind);
    return TableOf(a.outgoing ? table.dst : table.src).has_uuid ? a.id > b.id : a.id < b.id;
  });
  const auto same = [](const Neighbour& a, const Neighbour& b) {
    return a.from == b.from && a.kind == b.kind && a.outgoing == b.outgoing && a.id == b.id;
  };
  const auto rest = std::ranges::unique(neighbours, same);
  neighbours.erase(rest.begin(), rest.end());
}

Result<void> CheckNode(const NodeRef& node) {
  SEEDCORE_RETURN_IF_ERROR(CheckText(node.id, kMaxIdBytes, "id"));
  if (TableOf(node.kind).has_uuid && !IsCanonicalUuid(node.id)) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the id of a node of kind {} is a UUID in lower case, got '{}'", EnumToString(node.kind),
                            node.id.substr(0, 64)),
                "id");
  }
  return {};
}

Result<void> CheckEntity(const GraphEntity& entity) {
  const NodeKind kind = entity.ref.kind;
  const NodeTable& table = TableOf(kind);
  if (!table.is_entity) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("a node of kind {} comes from its own table and is not made here", EnumToString(kind)),
                "kind");
  }
  if (!table.has_uuid || !entity.ref.id.empty()) SEEDCORE_RETURN_IF_ERROR(CheckNode(entity.ref));
  if (table.has_uuid) SEEDCORE_RETURN_IF_ERROR(CheckText(entity.name, kMaxEntityNameBytes, "name"));
  if (kind == NodeKind::kMemoryCell) {
    SEEDCORE_RETURN_IF_ERROR(CheckText(entity.scope, kMaxIdBytes, "scope"));
    if (entity.version < 1) return Fail(ErrorCode::kInvalidArgument, "expected 1 or more", "version");
  }
  if (entity.scope.size() > kMaxIdBytes) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("at most {} bytes", kMaxIdBytes), "scope");
  }
  if (WriteJson(entity.props).size() > kMaxPropsBytes) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("at most {} bytes of JSON", kMaxPropsBytes), "props");
  }
  return {};
}

Result<void> CheckEdge(const GraphEdge& edge) {
  const EdgeTable& table = TableOf(edge.kind);
  if (table.derived) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("edges of kind {} follow from tasks, facts and the registry and are not made here",
                            EnumToString(edge.kind)),
                "kind");
  }
  SEEDCORE_RETURN_IF_ERROR(CheckNode({table.src, edge.src}));
  return CheckNode({table.dst, edge.dst});
}

Result<void> CheckQuery(std::span<const NodeRef> nodes, const EdgeQuery& query) {
  SEEDCORE_RETURN_IF_ERROR(CheckBatch(nodes.size(), "nodes"));
  if (query.fanout < 1 || query.fanout > kMaxFanout) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {}, got {}", kMaxFanout, query.fanout),
                "fanout");
  }
  for (const NodeRef& node : nodes) SEEDCORE_RETURN_IF_ERROR(CheckNode(node));
  return {};
}

Result<void> CheckEmbeddings(std::span<const NodeEmbedding> embeddings) {
  SEEDCORE_RETURN_IF_ERROR(CheckBatch(embeddings.size(), "embeddings"));
  std::set<std::pair<std::int64_t, std::string_view>> keys;
  for (const NodeEmbedding& embedding : embeddings) {
    SEEDCORE_RETURN_IF_ERROR(CheckText(embedding.model, kMaxIdBytes, "model"));
    SEEDCORE_RETURN_IF_ERROR(CheckText(embedding.model_version, kMaxIdBytes, "model_version"));
    SEEDCORE_RETURN_IF_ERROR(CheckText(embedding.content_hash, kMaxIdBytes, "content_hash"));
    if (!keys.emplace(embedding.node_id, embedding.model).second) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("node {} is given twice", embedding.node_id), "node_id");
    }
    const std::size_t size = embedding.vector.size();
    if (size == 0 || size > kMaxDimensions) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {} numbers, got {}", kMaxDimensions, size),
                  "vector");
    }
    if (!std::ranges::all_of(embedding.vector, [](float x) { return std::isfinite(x); })) {
      return Fail(ErrorCode::kInvalidArgument, "a number is not finite", "vector");
    }
  }
  return {};
}

Result<void> CheckScan(const EmbeddingScan& scan) {
  SEEDCORE_RETURN_IF_ERROR(CheckText(scan.model, kMaxIdBytes, "model"));
  return CheckLimit(scan.limit, kMaxScan);
}

Result<void> CheckSync(int limit) { return CheckLimit(limit, kMaxSync); }

std::string WriteVector(std::span<const float> vector) {
  std::string out = "[";
  std::array<char, 32> digits{};
  for (const float x : vector) {
    if (out.size() > 1) out += ',';
    out.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), x).ptr);
  }
  return out + "]";
}

Result<std::vector<float>> ReadVector(std::string_view text) {
  const auto damaged = [] { return Fail(ErrorCode::kCorrupt, "a stored vector is not a list of numbers"); };
  if (text.size() < 2) return damaged();
  const char* at = text.data() + 1;
  const char* const end = text.data() + text.size() - 1;
  std::vector<float> out;
  out.reserve(static_cast<std::size_t>(std::count(at, end, ',')) + 1);
  while (at != end) {
    float x = 0.0F;
    const auto [next, error] = std::from_chars(at, end, x);
    if (error != std::errc{}) return damaged();
    out.push_back(x);
    at = next;
    if (at == end) break;
    if (*at != ',' || at + 1 == end) return damaged();
    ++at;
  }
  return out;
}

}  // namespace seedcore::store
