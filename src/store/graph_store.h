#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "base/result.h"

/// The graph of what a store knows: tasks, facts, organs, agents and what people name beside them are nodes, and what
/// joins them are edges. Edges are rows of ordinary tables; those that tasks, facts and the registry leave behind
/// anyway are read where they are, and never copied.
namespace seedcore::store {

enum class NodeKind {
  kTask,
  kAgent,
  kOrgan,
  kFact,
  kArtifact,
  kCapability,
  kMemoryCell,
  kModel,
  kPolicy,
  kService,
  kSkill
};
constexpr std::array<std::pair<NodeKind, std::string_view>, 11> EnumNames(NodeKind) {
  return {{{NodeKind::kTask, "task"},
           {NodeKind::kAgent, "agent"},
           {NodeKind::kOrgan, "organ"},
           {NodeKind::kFact, "fact"},
           {NodeKind::kArtifact, "artifact"},
           {NodeKind::kCapability, "capability"},
           {NodeKind::kMemoryCell, "memory_cell"},
           {NodeKind::kModel, "model"},
           {NodeKind::kPolicy, "policy"},
           {NodeKind::kService, "service"},
           {NodeKind::kSkill, "skill"}}};
}
inline constexpr std::size_t kNodeKinds = EnumNames(NodeKind{}).size();

enum class EdgeKind {
  kTaskDependsOnTask,
  kTaskProducesArtifact,
  kTaskUsesCapability,
  kTaskReadsMemoryCell,
  kTaskWritesMemoryCell,
  kTaskExecutedByOrgan,
  kTaskExecutedByAgent,
  kTaskOwnedByAgent,
  kTaskReadsFact,
  kTaskProducesFact,
  kAgentMemberOfOrgan,
  kAgentCollabAgent,
  kAgentUsesModel,
  kAgentOwnsMemoryCell,
  kOrganProvidesSkill,
  kOrganProvidesCapability,
  kOrganUsesService,
  kOrganGovernedByPolicy
};
constexpr std::array<std::pair<EdgeKind, std::string_view>, 18> EnumNames(EdgeKind) {
  return {{{EdgeKind::kTaskDependsOnTask, "task__depends_on__task"},
           {EdgeKind::kTaskProducesArtifact, "task__produces__artifact"},
           {EdgeKind::kTaskUsesCapability, "task__uses__capability"},
           {EdgeKind::kTaskReadsMemoryCell, "task__reads__memory_cell"},
           {EdgeKind::kTaskWritesMemoryCell, "task__writes__memory_cell"},
           {EdgeKind::kTaskExecutedByOrgan, "task__executed_by__organ"},
           {EdgeKind::kTaskExecutedByAgent, "task__executed_by__agent"},
           {EdgeKind::kTaskOwnedByAgent, "task__owned_by__agent"},
           {EdgeKind::kTaskReadsFact, "task__reads__fact"},
           {EdgeKind::kTaskProducesFact, "task__produces__fact"},
           {EdgeKind::kAgentMemberOfOrgan, "agent__member_of__organ"},
           {EdgeKind::kAgentCollabAgent, "agent__collab__agent"},
           {EdgeKind::kAgentUsesModel, "agent__uses__model"},
           {EdgeKind::kAgentOwnsMemoryCell, "agent__owns__memory_cell"},
           {EdgeKind::kOrganProvidesSkill, "organ__provides__skill"},
           {EdgeKind::kOrganProvidesCapability, "organ__provides__capability"},
           {EdgeKind::kOrganUsesService, "organ__uses__service"},
           {EdgeKind::kOrganGovernedByPolicy, "organ__governed_by__policy"}}};
}
inline constexpr std::size_t kEdgeKinds = EnumNames(EdgeKind{}).size();

/// A node by what it stands for: a full id, or the name where the kind has names.
struct NodeRef {
  NodeKind kind = NodeKind::kTask;
  std::string id;
  auto operator<=>(const NodeRef&) const = default;
};

/// What is known of a node. `node_id` is 0 until it has been given one (EnsureNodes).
struct GraphNode {
  NodeRef ref;
  std::int64_t node_id = 0;
  std::string label;  ///< type of a task, kind of an organ or artifact, name of a capability, scope of a memory cell
  std::string
      text;  ///< description of a task, text of a fact, URI, key or display name; at most kMaxNodeText characters
  std::optional<int> priority;  ///< of a task
  WallTime created_at;
};
inline constexpr int kMaxNodeText = 4096;

/// Something that has no table of its own elsewhere: artifact, capability, memory cell, model, policy, service, skill.
struct GraphEntity {
  NodeRef ref;        ///< an empty id of an artifact, a capability or a memory cell: a new one is made
  std::string name;   ///< artifact: its URI; capability: its name, unique; memory cell: its key; else unused
  std::string scope;  ///< artifact: its kind; memory cell: its scope; else unused
  int version = 1;    ///< of a memory cell: scope, key and version are unique together
  json::object props;
};

struct GraphEdge {
  EdgeKind kind = EdgeKind::kTaskDependsOnTask;
  std::string src;
  std::string dst;
  auto operator<=>(const GraphEdge&) const = default;
};

enum class Direction { kOut, kIn, kBoth };
constexpr std::array<std::pair<Direction, std::string_view>, 3> EnumNames(Direction) {
  return {{{Direction::kOut, "out"}, {Direction::kIn, "in"}, {Direction::kBoth, "both"}}};
}

/// Which edges of some nodes: all kinds when `kinds` is empty; for each node, kind and direction the newest `fanout`.
struct EdgeQuery {
  Direction direction = Direction::kBoth;
  std::vector<EdgeKind> kinds;
  int fanout = 64;  ///< 1 to 10,000
};

/// One end of an edge as seen from the node at `from`, an index into what was asked for.
struct Neighbour {
  std::size_t from = 0;
  EdgeKind kind = EdgeKind::kTaskDependsOnTask;
  bool outgoing = true;
  std::string id;
};

/// A vector for a node, made by one version of a model. Vectors of different models are never compared.
struct NodeEmbedding {
  std::int64_t node_id = 0;
  NodeRef node;       ///< filled when read
  std::string model;  ///< together with node_id the key
  std::string model_version;
  std::string label;          ///< the node's label when it was embedded
  std::vector<float> vector;  ///< 1 to 4096 finite numbers
  std::string content_hash;   ///< what it was made from; the same hash and version change nothing
  json::object props;
  WallTime updated_at;
};

/// One page of SyncNodes.
struct SyncedNodes {
  int seen = 0;
  int added = 0;
  std::string last;  ///< the last one's id
};

struct EmbeddingsWritten {
  int inserted = 0;
  int updated = 0;
  int unchanged = 0;
};

/// Part of the embeddings of one version of a model, by node id.
struct EmbeddingScan {
  std::string model;
  std::string model_version;
  std::vector<NodeKind> kinds;  ///< empty: all
  std::int64_t after_node_id = 0;
  int limit = 1024;  ///< 1 to 10,000
};

/// Thread-safe; every method is one transaction, durable on return. At most kMaxGraphBatch nodes or embeddings per
/// call: kInvalidArgument.
class GraphStore {
 public:
  virtual ~GraphStore() = default;

  /// Those that exist, in the order asked for; the rest is left out.
  [[nodiscard]] virtual Result<std::vector<GraphNode>> Describe(std::span<const NodeRef> nodes) = 0;
  /// What the node ids stand for, in their order; nothing for an unknown one.
  [[nodiscard]] virtual Result<std::vector<std::optional<NodeRef>>> FindNodes(
      std::span<const std::int64_t> node_ids) = 0;
  /// Their node ids, given now where there was none; a node keeps its id as long as it exists. kNotFound names the
  /// first that does not exist.
  [[nodiscard]] virtual Result<std::vector<std::int64_t>> EnsureNodes(std::span<const NodeRef> nodes) = 0;
  /// Looks at the next `limit` (1 to 10,000) things of the kind after `after`, by id, and gives node ids to those that
  /// have none. Done when `seen` is less than `limit`.
  [[nodiscard]] virtual Result<SyncedNodes> SyncNodes(NodeKind kind, const std::string& after, int limit) = 0;

  /// Adds or replaces. kConflict: name, or scope, key and version, belong to another. kInvalidArgument: a kind that is
  /// kept elsewhere, or a member that is missing.
  [[nodiscard]] virtual Result<NodeRef> PutEntity(const GraphEntity& entity) = 0;
  /// With its edges, node id and embeddings. Returns whether there was one.
  [[nodiscard]] virtual Result<bool> DeleteEntity(const NodeRef& node) = 0;

  /// By node, edge kind, outgoing first, then newest first where ids tell (UUIDs) and by name elsewhere. Nodes that do
  /// not exist have no edges.
  [[nodiscard]] virtual Result<std::vector<Neighbour>> Neighbours(std::span<const NodeRef> nodes,
                                                                  const EdgeQuery& query) = 0;
  /// Returns whether it is new. kNotFound names the end that is missing. kInvalidArgument: the kind is derived.
  [[nodiscard]] virtual Result<bool> PutEdge(const GraphEdge& edge) = 0;
  /// Returns whether there was one. kInvalidArgument: the kind is derived.
  [[nodiscard]] virtual Result<bool> DeleteEdge(const GraphEdge& edge) = 0;

  /// All or none. kNotFound: an unknown node id.
  [[nodiscard]] virtual Result<EmbeddingsWritten> PutEmbeddings(std::span<const NodeEmbedding> embeddings) = 0;
  /// Of one version of a model, for those of the nodes that have one, by node id.
  [[nodiscard]] virtual Result<std::vector<NodeEmbedding>> Embeddings(const std::string& model,
                                                                      const std::string& model_version,
                                                                      std::span<const std::int64_t> node_ids) = 0;
  /// Without hashes and props.
  [[nodiscard]] virtual Result<std::vector<NodeEmbedding>> ScanEmbeddings(const EmbeddingScan& scan) = 0;
  [[nodiscard]] virtual Result<std::int64_t> CountEmbeddings(const std::string& model,
                                                             const std::string& model_version) = 0;
};

inline constexpr std::size_t kMaxGraphBatch = 10'000;

/// Where the edges of a kind are kept, the same in both stores.
struct EdgeTable {
  EdgeKind kind;
  NodeKind src, dst;
  std::string_view table;
  std::string_view src_column, dst_column;
  /// Left behind by tasks, facts or the registry: read-only here.
  bool derived = false;
};
[[nodiscard]] const EdgeTable& TableOf(EdgeKind kind);

/// Where the nodes of a kind are kept, the same in both stores.
struct NodeTable {
  NodeKind kind;
  std::string_view table;
  std::string_view id_column;
  bool has_uuid = false;   ///< its ids are UUIDs, in lower case
  bool is_entity = false;  ///< PutEntity makes it
};
[[nodiscard]] const NodeTable& TableOf(NodeKind kind);

/// "task 0190…", for messages.
[[nodiscard]] std::string ToString(const NodeRef& node);

/// Nodes of one kind, and where they stood among all.
struct NodesOfKind {
  NodeKind kind = NodeKind::kTask;
  std::vector<std::string> ids;
  std::vector<std::size_t> at;
};
/// In the order of kinds, kinds without nodes left out.
[[nodiscard]] std::vector<NodesOfKind> GroupByKind(std::span<const NodeRef> nodes);

/// One statement of Neighbours: edges of a kind, seen from one of their ends.
struct EdgeSide {
  EdgeKind kind;
  bool outgoing;
};
/// Those that the query wants of nodes of `kind`.
[[nodiscard]] std::vector<EdgeSide> SidesOf(NodeKind kind, const EdgeQuery& query);
/// Puts what a store found into the promised order; an edge that was found twice counts once.
void SortNeighbours(std::vector<Neighbour>& neighbours);

// What both stores check alike; kInvalidArgument names the field.
[[nodiscard]] Result<void> CheckNode(const NodeRef& node);
[[nodiscard]] Result<void> CheckEntity(const GraphEntity& entity);
[[nodiscard]] Result<void> CheckEdge(const GraphEdge& edge);
[[nodiscard]] Result<void> CheckQuery(std::span<const NodeRef> nodes, const EdgeQuery& query);
[[nodiscard]] Result<void> CheckEmbeddings(std::span<const NodeEmbedding> embeddings);
[[nodiscard]] Result<void> CheckScan(const EmbeddingScan& scan);
[[nodiscard]] Result<void> CheckSync(int limit);

/// JSON, with as many digits as bring the number back.
[[nodiscard]] std::string WriteVector(std::span<const float> vector);
/// Numbers in [] or {}. kCorrupt.
[[nodiscard]] Result<std::vector<float>> ReadVector(std::string_view text);

}  // namespace seedcore::store
