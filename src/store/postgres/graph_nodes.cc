#include <map>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/graph_sql.h"
#include "store/postgres/graph_store.h"
#include "store/stored_task.h"

namespace seedcore::store::postgres {
namespace {

/// Label, text and priority of a node of table `t`; the payload of a task is `p`.
std::string_view KnownColumns(NodeKind kind) {
  switch (kind) {
    case NodeKind::kTask: return "t.type, left(p.description, 4096), t.priority";
    case NodeKind::kAgent: return "'', left(coalesce(t.display_name, ''), 4096), NULL::int4";
    case NodeKind::kOrgan: return "t.kind, '', NULL::int4";
    case NodeKind::kFact: return "'', left(t.text, 4096), NULL::int4";
    case NodeKind::kArtifact: return "t.kind, t.uri, NULL::int4";
    case NodeKind::kCapability: return "t.name, '', NULL::int4";
    case NodeKind::kMemoryCell: return "t.scope, t.mkey, NULL::int4";
    default: return "'', '', NULL::int4";
  }
}

// $1 ids
const char* DescribeSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    const std::string_view name = EnumToString(table.kind);
    return fmt::format(
        "SELECT t.{1}::text, coalesce(n.node_id, 0), t.created_at, {2} FROM unnest($1::text[]) f (id) JOIN {0} t ON "
        "t.{1} = f.id{6} {3}LEFT JOIN graph_node_map n ON n.node_type = '{4}' AND n.{5} = t.{1}",
        table.table, table.id_column, KnownColumns(table.kind),
        table.kind == NodeKind::kTask ? "LEFT JOIN task_payload p ON p.seq = t.seq " : "", name, MapColumn(table.kind),
        CastOf(table.kind));
  });
}

// $1 ids, $2 now. In the order of ids, so that two who do it at once wait for each other and not in a circle.
const char* MapSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    const std::string_view name = EnumToString(table.kind);
    return fmt::format(
        "INSERT INTO graph_node_map (node_type, ext_table, {3}, created_at, updated_at) SELECT '{2}', '{0}', t.{1}, "
        "$2, $2 FROM {0} t WHERE t.{1} = ANY ($1::text[]{4}) AND NOT EXISTS (SELECT 1 FROM graph_node_map n WHERE "
        "n.node_type = '{2}' AND n.{3} = t.{1}) ORDER BY t.{1} ON CONFLICT DO NOTHING",
        table.table, table.id_column, name, MapColumn(table.kind), table.has_uuid ? "::uuid[]" : "");
  });
}

const char* MappedSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    const std::string_view name = EnumToString(table.kind);
    return fmt::format(
        "SELECT f.at - 1, n.node_id FROM unnest($1::text[]) WITH ORDINALITY f (id, at) JOIN graph_node_map n ON "
        "n.node_type = '{}' AND n.{} = f.id{}",
        name, MapColumn(table.kind), CastOf(table.kind));
  });
}

// $1 after, $2 limit
const char* PageSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    return fmt::format(
        "SELECT count(*), coalesce((array_agg(id ORDER BY id DESC))[1]::text, '') FROM (SELECT {1} AS id FROM {0} "
        "WHERE {1} > $1::text{2} ORDER BY {1} LIMIT $2) page",
        table.table, table.id_column, CastOf(table.kind));
  });
}

// $1 after, $2 last, $3 now
const char* SyncSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    const std::string_view name = EnumToString(table.kind);
    return fmt::format(
        "INSERT INTO graph_node_map (node_type, ext_table, {3}, created_at, updated_at) SELECT '{2}', '{0}', t.{1}, "
        "$3, $3 FROM {0} t WHERE t.{1} > $1::text{4} AND t.{1} <= $2::text{4} AND NOT EXISTS (SELECT 1 FROM "
        "graph_node_map n WHERE n.node_type = '{2}' AND n.{3} = t.{1}) ORDER BY t.{1} ON CONFLICT DO NOTHING",
        table.table, table.id_column, name, MapColumn(table.kind), CastOf(table.kind));
  });
}

// $1 names, $2 now
const char* NameSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    return fmt::format(
        "INSERT INTO {0} ({1}, meta, created_at, updated_at) SELECT f.id, '{{}}', $2, $2 FROM (SELECT "
        "DISTINCT id FROM unnest($1::text[]) g (id)) f ORDER BY f.id ON CONFLICT DO NOTHING",
        table.table, table.id_column);
  });
}

const char* DeleteSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    return fmt::format("DELETE FROM {} WHERE {} = $1::text{}", table.table, table.id_column, CastOf(table.kind));
  });
}

constexpr char kFindNodes[] =
    "SELECT f.at - 1, n.node_type, coalesce(n.ext_uuid::text, n.ext_text_id) FROM unnest($1::int8[]) WITH ORDINALITY f "
    "(id, at) JOIN graph_node_map n ON n.node_id = f.id";

constexpr char kPutArtifact[] =
    "INSERT INTO artifact (artifact_id, uri, kind, props, created_at, updated_at) VALUES ($1::text::uuid, $2, $3, $4, "
    "$5, $5) "
    "ON CONFLICT (artifact_id) DO UPDATE SET uri = excluded.uri, kind = excluded.kind, props = excluded.props, "
    "updated_at = excluded.updated_at";
constexpr char kPutCapability[] =
    "INSERT INTO capability (capability_id, name, props, created_at, updated_at) VALUES ($1::text::uuid, $2, $3, $4, "
    "$4) "
    "ON CONFLICT (capability_id) DO UPDATE SET name = excluded.name, props = excluded.props, updated_at = "
    "excluded.updated_at";
constexpr char kCapabilityTaken[] =
    "SELECT capability_id::text FROM capability WHERE name = $1 AND capability_id <> $2::text::uuid";
constexpr char kPutMemoryCell[] =
    "INSERT INTO memory_cell (memory_cell_id, scope, mkey, version, props, created_at, updated_at) VALUES "
    "($1::text::uuid, $2, "
    "$3, $4, $5, $6, $6) ON CONFLICT (memory_cell_id) DO UPDATE SET scope = excluded.scope, mkey = excluded.mkey, "
    "version "
    "= excluded.version, props = excluded.props, updated_at = excluded.updated_at";
constexpr char kMemoryCellTaken[] =
    "SELECT memory_cell_id::text FROM memory_cell WHERE scope = $1 AND mkey = $2 AND version = $3 AND memory_cell_id "
    "<> "
    "$4::text::uuid";

// $1 name, $2 meta, $3 now
const char* PutNamedSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    return fmt::format(
        "INSERT INTO {0} ({1}, meta, created_at, updated_at) VALUES ($1, $2, $3, $3) ON CONFLICT ({1}) DO UPDATE SET "
        "meta = excluded.meta, updated_at = excluded.updated_at",
        table.table, table.id_column);
  });
}

template <class... Args>
Result<void> RefuseTaken(Connection& connection, const char* sql, const char* what, const Args&... args) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(sql, args...));
  if (rows.empty()) return {};
  return Fail(ErrorCode::kConflict, fmt::format("{} belongs to {}", what, rows.Text(0, 0)));
}

Result<void> WriteEntity(WriteContext& context, const GraphEntity& entity, const std::string& id) {
  Connection& db = context.db;
  const std::string props = WriteObject(entity.props);
  switch (entity.ref.kind) {
    case NodeKind::kArtifact:
      SEEDCORE_RETURN_IF_ERROR(db.Query(kPutArtifact, id, entity.name, entity.scope, props, context.now));
      return {};
    case NodeKind::kCapability:
      SEEDCORE_RETURN_IF_ERROR(RefuseTaken(db, kCapabilityTaken, "the name", entity.name, id));
      SEEDCORE_RETURN_IF_ERROR(db.Query(kPutCapability, id, entity.name, props, context.now));
      return {};
    case NodeKind::kMemoryCell:
      SEEDCORE_RETURN_IF_ERROR(RefuseTaken(db, kMemoryCellTaken, "the version of this key in this scope", entity.scope,
                                           entity.name, entity.version, id));
      SEEDCORE_RETURN_IF_ERROR(
          db.Query(kPutMemoryCell, id, entity.scope, entity.name, entity.version, props, context.now));
      return {};
    default: SEEDCORE_RETURN_IF_ERROR(db.Query(PutNamedSql(entity.ref.kind), id, props, context.now)); return {};
  }
}

}  // namespace

Result<void> MakeNamedNodes(WriteContext& context, const NodesOfKind& nodes) {
  const NodeTable& table = TableOf(nodes.kind);
  if (!table.is_entity || table.has_uuid) return {};
  SEEDCORE_RETURN_IF_ERROR(context.db.Query(NameSql(nodes.kind), TextArray(nodes.ids), context.now));
  return {};
}

Array TextArray(std::span<const std::string> texts) {
  Array out(Oid::kText);
  for (const std::string& text : texts) out.Add(text);
  return out;
}

Array IdArray(std::span<const std::int64_t> ids) {
  Array out(Oid::kInt8);
  for (const std::int64_t id : ids) out.Add(id);
  return out;
}

std::string_view CastOf(NodeKind kind) { return TableOf(kind).has_uuid ? "::uuid" : ""; }

Result<std::vector<GraphNode>> PostgresGraphStore::Describe(std::span<const NodeRef> nodes) {
  SEEDCORE_RETURN_IF_ERROR(CheckQuery(nodes, {}));
  return database_.Read([&](Connection& connection) -> Result<std::vector<GraphNode>> {
    std::map<NodeRef, GraphNode> found;
    for (const NodesOfKind& group : GroupByKind(nodes)) {
      SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(DescribeSql(group.kind), TextArray(group.ids)));
      for (int i = 0; i < rows.size(); ++i) {
        GraphNode node{.ref = {group.kind, std::string(rows.Text(i, 0))},
                       .node_id = rows.Int(i, 1),
                       .label = std::string(rows.Text(i, 3)),
                       .text = std::string(rows.Text(i, 4)),
                       .priority = std::nullopt,
                       .created_at = rows.Time(i, 2)};
        if (!rows.IsNull(i, 5)) node.priority = static_cast<int>(rows.Int(i, 5));
        found.emplace(node.ref, std::move(node));
      }
    }
    std::vector<GraphNode> out;
    for (const NodeRef& node : nodes) {
      if (const auto known = found.find(node); known != found.end()) out.push_back(known->second);
    }
    return out;
  });
}

Result<std::vector<std::optional<NodeRef>>> PostgresGraphStore::FindNodes(std::span<const std::int64_t> node_ids) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.Read([&](Connection& connection) {
    return connection.Query(kFindNodes, IdArray(node_ids));
  }));
  std::vector<std::optional<NodeRef>> out(node_ids.size());
  for (int i = 0; i < rows.size(); ++i) {
    const auto kind = EnumFromString<NodeKind>(rows.Text(i, 1));
    if (!kind) return Fail(ErrorCode::kCorrupt, "a node is of an unknown kind");
    out[static_cast<std::size_t>(rows.Int(i, 0))] = NodeRef{*kind, std::string(rows.Text(i, 2))};
  }
  return out;
}

Result<std::vector<std::int64_t>> PostgresGraphStore::EnsureNodes(std::span<const NodeRef> nodes) {
  SEEDCORE_RETURN_IF_ERROR(CheckQuery(nodes, {}));
  return database_.Write([&](WriteContext& context) -> Result<std::vector<std::int64_t>> {
    std::vector<std::int64_t> out(nodes.size());
    for (const NodesOfKind& group : GroupByKind(nodes)) {
      const Array ids = TextArray(group.ids);
      SEEDCORE_RETURN_IF_ERROR(MakeNamedNodes(context, group));
      SEEDCORE_RETURN_IF_ERROR(context.db.Query(MapSql(group.kind), ids, context.now));
      SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, context.db.Query(MappedSql(group.kind), ids));
      for (int i = 0; i < rows.size(); ++i) out[group.at[static_cast<std::size_t>(rows.Int(i, 0))]] = rows.Int(i, 1);
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (out[i] == 0) return Fail(ErrorCode::kNotFound, fmt::format("there is no {}", ToString(nodes[i])));
    }
    return out;
  });
}

Result<SyncedNodes> PostgresGraphStore::SyncNodes(NodeKind kind, const std::string& after, int limit) {
  constexpr char kBeforeAll[] = "00000000-0000-0000-0000-000000000000";
  SEEDCORE_RETURN_IF_ERROR(CheckSync(limit));
  const std::string from = after.empty() && TableOf(kind).has_uuid ? kBeforeAll : after;
  return database_.Write([&](WriteContext& context) -> Result<SyncedNodes> {
    SyncedNodes synced;
    SEEDCORE_ASSIGN_OR_RETURN(const Rows page, context.db.Query(PageSql(kind), from, std::int64_t{limit}));
    synced.seen = static_cast<int>(page.Int(0, 0));
    synced.last = page.Text(0, 1);
    if (synced.seen == 0) return synced;
    SEEDCORE_ASSIGN_OR_RETURN(const Rows added, context.db.Query(SyncSql(kind), from, synced.last, context.now));
    synced.added = added.changed();
    return synced;
  });
}

Result<NodeRef> PostgresGraphStore::PutEntity(const GraphEntity& entity) {
  SEEDCORE_RETURN_IF_ERROR(CheckEntity(entity));
  return database_.Write([&](WriteContext& context) -> Result<NodeRef> {
    NodeRef ref = entity.ref;
    if (ref.id.empty()) ref.id = context.env.NewId();
    SEEDCORE_RETURN_IF_ERROR(WriteEntity(context, entity, ref.id));
    return ref;
  });
}

Result<bool> PostgresGraphStore::DeleteEntity(const NodeRef& node) {
  SEEDCORE_RETURN_IF_ERROR(CheckNode(node));
  if (!TableOf(node.kind).is_entity) {
    return Fail(ErrorCode::kInvalidArgument, "a node of this kind comes from its own table", "kind");
  }
  return database_.Write([&](WriteContext& context) -> Result<bool> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows deleted, context.db.Query(DeleteSql(node.kind), node.id));
    return deleted.changed() > 0;
  });
}

}  // namespace seedcore::store::postgres
