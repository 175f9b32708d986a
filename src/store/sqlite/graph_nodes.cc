#include <map>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/graph_sql.h"
#include "store/sqlite/graph_store.h"
#include "store/stored_task.h"

namespace seedcore::store::sqlite {
namespace {

/// Label, text and priority of a node of table `t`; the payload of a task is `p`.
std::string_view KnownColumns(NodeKind kind) {
  switch (kind) {
    case NodeKind::kTask: return "t.type, substr(p.description, 1, 4096), t.priority";
    case NodeKind::kAgent: return "'', substr(coalesce(t.display_name, ''), 1, 4096), NULL";
    case NodeKind::kOrgan: return "t.kind, '', NULL";
    case NodeKind::kFact: return "'', substr(t.text, 1, 4096), NULL";
    case NodeKind::kArtifact: return "t.kind, t.uri, NULL";
    case NodeKind::kCapability: return "t.name, '', NULL";
    case NodeKind::kMemoryCell: return "t.scope, t.mkey, NULL";
    default: return "'', '', NULL";
  }
}

// CROSS JOIN keeps the order of the join: first what was asked for.
const char* DescribeSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    const std::string_view name = EnumToString(table.kind);
    return fmt::format(
        "SELECT t.{1}, coalesce(n.node_id, 0), t.created_at, {2} FROM json_each(?1) f CROSS JOIN {0} t ON t.{1} = "
        "f.value {3}LEFT JOIN graph_node_map n ON n.node_type = '{4}' AND n.{5} = t.{1}",
        table.table, table.id_column, KnownColumns(table.kind),
        table.kind == NodeKind::kTask ? "LEFT JOIN task_payload p ON p.seq = t.seq " : "", name, MapColumn(table.kind));
  });
}

// ?1 ids, ?2 now
const char* MapSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    const std::string_view name = EnumToString(table.kind);
    return fmt::format(
        "INSERT INTO graph_node_map (node_type, ext_table, {3}, created_at, updated_at) SELECT '{2}', '{0}', t.{1}, "
        "?2, ?2 FROM json_each(?1) f CROSS JOIN {0} t ON t.{1} = f.value WHERE true ON CONFLICT DO NOTHING",
        table.table, table.id_column, name, MapColumn(table.kind));
  });
}

const char* MappedSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    const std::string_view name = EnumToString(table.kind);
    return fmt::format(
        "SELECT f.key, n.node_id FROM json_each(?1) f CROSS JOIN graph_node_map n ON n.node_type = '{}' AND n.{} = "
        "f.value",
        name, MapColumn(table.kind));
  });
}

// ?1 after, ?2 limit
const char* PageSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    return fmt::format(
        "SELECT count(*), coalesce(max(id), '') FROM (SELECT {1} AS id FROM {0} WHERE {1} > ?1 ORDER BY {1} LIMIT ?2)",
        table.table, table.id_column);
  });
}

// ?1 after, ?2 last, ?3 now
const char* SyncSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    const std::string_view name = EnumToString(table.kind);
    return fmt::format(
        "INSERT INTO graph_node_map (node_type, ext_table, {3}, created_at, updated_at) SELECT '{2}', '{0}', t.{1}, "
        "?3, ?3 FROM {0} t WHERE t.{1} > ?1 AND t.{1} <= ?2 AND NOT EXISTS (SELECT 1 FROM graph_node_map n WHERE "
        "n.node_type = '{2}' AND n.{3} = t.{1}) ORDER BY t.{1}",
        table.table, table.id_column, name, MapColumn(table.kind));
  });
}

// ?1 name, ?2 now
const char* NameSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    return fmt::format(
        "INSERT INTO {0} ({1}, meta, created_at, updated_at) SELECT f.value, '{{}}', ?2, ?2 FROM json_each(?1) f WHERE "
        "true ON CONFLICT DO NOTHING",
        table.table, table.id_column);
  });
}

const char* DeleteSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    return fmt::format("DELETE FROM {} WHERE {} = ?1", table.table, table.id_column);
  });
}

constexpr char kFindNodes[] =
    "SELECT f.key, n.node_type, coalesce(n.ext_uuid, n.ext_text_id) FROM json_each(?1) f CROSS JOIN graph_node_map n "
    "ON n.node_id = f.value";

constexpr char kPutArtifact[] =
    "INSERT INTO artifact (artifact_id, uri, kind, props, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5) "
    "ON CONFLICT (artifact_id) DO UPDATE SET uri = excluded.uri, kind = excluded.kind, props = excluded.props, "
    "updated_at = excluded.updated_at";
constexpr char kPutCapability[] =
    "INSERT INTO capability (capability_id, name, props, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4) "
    "ON CONFLICT (capability_id) DO UPDATE SET name = excluded.name, props = excluded.props, updated_at = "
    "excluded.updated_at";
constexpr char kCapabilityTaken[] = "SELECT capability_id FROM capability WHERE name = ?1 AND capability_id <> ?2";
constexpr char kPutMemoryCell[] =
    "INSERT INTO memory_cell (memory_cell_id, scope, mkey, version, props, created_at, updated_at) VALUES (?1, ?2, ?3, "
    "?4, ?5, ?6, ?6) ON CONFLICT (memory_cell_id) DO UPDATE SET scope = excluded.scope, mkey = excluded.mkey, version "
    "= excluded.version, props = excluded.props, updated_at = excluded.updated_at";
constexpr char kMemoryCellTaken[] =
    "SELECT memory_cell_id FROM memory_cell WHERE scope = ?1 AND mkey = ?2 AND version = ?3 AND memory_cell_id <> ?4";

// ?1 name, ?2 meta, ?3 now
const char* PutNamedSql(NodeKind kind) {
  return PerKind(kind, [](const NodeTable& table) {
    return fmt::format(
        "INSERT INTO {0} ({1}, meta, created_at, updated_at) VALUES (?1, ?2, ?3, ?3) ON CONFLICT ({1}) DO UPDATE SET "
        "meta = excluded.meta, updated_at = excluded.updated_at",
        table.table, table.id_column);
  });
}

template <class... Args>
Result<void> RefuseTaken(Database& database, const char* sql, const char* what, const Args&... args) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(sql, args...));
  SEEDCORE_ASSIGN_OR_RETURN(const bool taken, row.Next());
  if (!taken) return {};
  return Fail(ErrorCode::kConflict, fmt::format("{} belongs to {}", what, row.Text(0)));
}

Result<void> WriteEntity(WriteContext& context, const GraphEntity& entity, const std::string& id) {
  Database& db = context.db;
  const std::string props = WriteObject(entity.props);
  switch (entity.ref.kind) {
    case NodeKind::kArtifact:
      SEEDCORE_RETURN_IF_ERROR(db.Execute(kPutArtifact, id, entity.name, entity.scope, props, context.now));
      return {};
    case NodeKind::kCapability:
      SEEDCORE_RETURN_IF_ERROR(RefuseTaken(db, kCapabilityTaken, "the name", entity.name, id));
      SEEDCORE_RETURN_IF_ERROR(db.Execute(kPutCapability, id, entity.name, props, context.now));
      return {};
    case NodeKind::kMemoryCell:
      SEEDCORE_RETURN_IF_ERROR(RefuseTaken(db, kMemoryCellTaken, "the version of this key in this scope", entity.scope,
                                           entity.name, entity.version, id));
      SEEDCORE_RETURN_IF_ERROR(
          db.Execute(kPutMemoryCell, id, entity.scope, entity.name, entity.version, props, context.now));
      return {};
    default: SEEDCORE_RETURN_IF_ERROR(db.Execute(PutNamedSql(entity.ref.kind), id, props, context.now)); return {};
  }
}

}  // namespace

Result<void> MakeNamedNodes(WriteContext& context, const NodesOfKind& nodes) {
  const NodeTable& table = TableOf(nodes.kind);
  if (!table.is_entity || table.has_uuid) return {};
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(NameSql(nodes.kind), WriteStrings(nodes.ids), context.now));
  return {};
}

Result<std::vector<GraphNode>> SqliteGraphStore::Describe(std::span<const NodeRef> nodes) {
  SEEDCORE_RETURN_IF_ERROR(CheckQuery(nodes, {}));
  return readers_.Run([&](Database& database) -> Result<std::vector<GraphNode>> {
    std::map<NodeRef, GraphNode> found;
    for (const NodesOfKind& group : GroupByKind(nodes)) {
      SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(DescribeSql(group.kind), WriteStrings(group.ids)));
      for (;;) {
        SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
        if (!more) break;
        GraphNode node{.ref = {group.kind, std::string(rows.Text(0))},
                       .node_id = rows.Int(1),
                       .label = std::string(rows.Text(3)),
                       .text = std::string(rows.Text(4)),
                       .priority = std::nullopt,
                       .created_at = rows.Time(2)};
        if (!rows.IsNull(5)) node.priority = static_cast<int>(rows.Int(5));
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

Result<std::vector<std::optional<NodeRef>>> SqliteGraphStore::FindNodes(std::span<const std::int64_t> node_ids) {
  return readers_.Run([&](Database& database) -> Result<std::vector<std::optional<NodeRef>>> {
    std::vector<std::optional<NodeRef>> out(node_ids.size());
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows,
                              database.Query(kFindNodes, WriteJson(json::array(node_ids.begin(), node_ids.end()))));
    for (;;) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
      if (!more) return out;
      const auto kind = EnumFromString<NodeKind>(rows.Text(1));
      if (!kind) return Fail(ErrorCode::kCorrupt, "a node is of an unknown kind");
      out[static_cast<std::size_t>(rows.Int(0))] = NodeRef{*kind, std::string(rows.Text(2))};
    }
  });
}

Result<std::vector<std::int64_t>> SqliteGraphStore::EnsureNodes(std::span<const NodeRef> nodes) {
  SEEDCORE_RETURN_IF_ERROR(CheckQuery(nodes, {}));
  return writer_.Run([&](WriteContext& context) -> Result<std::vector<std::int64_t>> {
    std::vector<std::int64_t> out(nodes.size());
    for (const NodesOfKind& group : GroupByKind(nodes)) {
      const std::string ids = WriteStrings(group.ids);
      SEEDCORE_RETURN_IF_ERROR(MakeNamedNodes(context, group));
      SEEDCORE_RETURN_IF_ERROR(context.db.Execute(MapSql(group.kind), ids, context.now));
      SEEDCORE_ASSIGN_OR_RETURN(Statement rows, context.db.Query(MappedSql(group.kind), ids));
      for (;;) {
        SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
        if (!more) break;
        out[group.at[static_cast<std::size_t>(rows.Int(0))]] = rows.Int(1);
      }
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (out[i] == 0) return Fail(ErrorCode::kNotFound, fmt::format("there is no {}", ToString(nodes[i])));
    }
    return out;
  });
}

Result<SyncedNodes> SqliteGraphStore::SyncNodes(NodeKind kind, const std::string& after, int limit) {
  SEEDCORE_RETURN_IF_ERROR(CheckSync(limit));
  return writer_.Run([&](WriteContext& context) -> Result<SyncedNodes> {
    SyncedNodes synced;
    {
      SEEDCORE_ASSIGN_OR_RETURN(Statement page, context.db.Query(PageSql(kind), after, limit));
      SEEDCORE_RETURN_IF_ERROR(page.Next());
      synced.seen = static_cast<int>(page.Int(0));
      synced.last = page.Text(1);
    }
    if (synced.seen == 0) return synced;
    SEEDCORE_ASSIGN_OR_RETURN(synced.added, context.db.Execute(SyncSql(kind), after, synced.last, context.now));
    return synced;
  });
}

Result<NodeRef> SqliteGraphStore::PutEntity(const GraphEntity& entity) {
  SEEDCORE_RETURN_IF_ERROR(CheckEntity(entity));
  return writer_.Run([&](WriteContext& context) -> Result<NodeRef> {
    NodeRef ref = entity.ref;
    if (ref.id.empty()) ref.id = context.env.NewId();
    SEEDCORE_RETURN_IF_ERROR(WriteEntity(context, entity, ref.id));
    return ref;
  });
}

Result<bool> SqliteGraphStore::DeleteEntity(const NodeRef& node) {
  SEEDCORE_RETURN_IF_ERROR(CheckNode(node));
  if (!TableOf(node.kind).is_entity) {
    return Fail(ErrorCode::kInvalidArgument, "a node of this kind comes from its own table", "kind");
  }
  return writer_.Run([&](WriteContext& context) -> Result<bool> {
    SEEDCORE_ASSIGN_OR_RETURN(const int changed, context.db.Execute(DeleteSql(node.kind), node.id));
    return changed > 0;
  });
}

}  // namespace seedcore::store::sqlite
