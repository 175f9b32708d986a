#include <map>

#include <fmt/format.h>

#include "base/json.h"
#include "store/graph_sql.h"
#include "store/sqlite/graph_store.h"
#include "store/stored_task.h"

namespace seedcore::store::sqlite {
namespace {

/// For each of ?1 the newest ?2 on the other side, as JSON. The order is that of an index, so a node with a million
/// edges costs as much as one with ?2.
std::string NeighboursText(const EdgeTable& table, bool outgoing) {
  const std::string_view here = outgoing ? table.src_column : table.dst_column;
  const std::string_view there = outgoing ? table.dst_column : table.src_column;
  const bool has_uuid = TableOf(outgoing ? table.dst : table.src).has_uuid;
  const std::string order = table.kind == EdgeKind::kTaskExecutedByAgent
                                ? "seq DESC"
                                : fmt::format("{} {}", there, has_uuid ? "DESC" : "ASC");
  return fmt::format(
      "SELECT f.key, (SELECT json_group_array(there) FROM (SELECT {1} AS there FROM {0} WHERE {2} = f.value ORDER BY "
      "{3} LIMIT ?2)) FROM json_each(?1) f",
      table.table, there, here, order);
}

const char* NeighboursSql(const EdgeSide& side) {
  if (side.outgoing) return PerKind(side.kind, [](const EdgeTable& table) { return NeighboursText(table, true); });
  return PerKind(side.kind, [](const EdgeTable& table) { return NeighboursText(table, false); });
}

// ?1 src, ?2 dst, ?3 now
const char* PutSql(EdgeKind kind) {
  return PerKind(kind, [](const EdgeTable& table) {
    const NodeTable& src = TableOf(table.src);
    const NodeTable& dst = TableOf(table.dst);
    return fmt::format(
        "INSERT INTO {0} ({1}, {2}, created_at) SELECT s.{4}, d.{6}, ?3 FROM {3} s CROSS JOIN {5} d WHERE s.{4} = ?1 "
        "AND d.{6} = ?2 ON CONFLICT DO NOTHING",
        table.table, table.src_column, table.dst_column, src.table, src.id_column, dst.table, dst.id_column);
  });
}

const char* HasSql(EdgeKind kind) {
  return PerKind(kind, [](const EdgeTable& table) {
    return fmt::format("SELECT 1 FROM {} WHERE {} = ?1 AND {} = ?2", table.table, table.src_column, table.dst_column);
  });
}

const char* DeleteSql(EdgeKind kind) {
  return PerKind(kind, [](const EdgeTable& table) {
    return fmt::format("DELETE FROM {} WHERE {} = ?1 AND {} = ?2", table.table, table.src_column, table.dst_column);
  });
}

}  // namespace

Result<std::vector<Neighbour>> SqliteGraphStore::Neighbours(std::span<const NodeRef> nodes, const EdgeQuery& query) {
  SEEDCORE_RETURN_IF_ERROR(CheckQuery(nodes, query));
  return readers_.Run([&](Database& database) -> Result<std::vector<Neighbour>> {
    std::vector<Neighbour> out;
    for (const NodesOfKind& group : GroupByKind(nodes)) {
      const std::string ids = WriteStrings(group.ids);
      for (const EdgeSide& side : SidesOf(group.kind, query)) {
        SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(NeighboursSql(side), ids, query.fanout));
        for (;;) {
          SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
          if (!more) break;
          SEEDCORE_ASSIGN_OR_RETURN(auto there, ParseStoredStrings(rows.Text(1), "edges"));
          const std::size_t from = group.at[static_cast<std::size_t>(rows.Int(0))];
          for (std::string& id : there) out.push_back({from, side.kind, side.outgoing, std::move(id)});
        }
      }
    }
    SortNeighbours(out);
    return out;
  });
}

Result<bool> SqliteGraphStore::PutEdge(const GraphEdge& edge) {
  SEEDCORE_RETURN_IF_ERROR(CheckEdge(edge));
  const EdgeTable& table = TableOf(edge.kind);
  const std::vector<NodeRef> ends{{table.src, edge.src}, {table.dst, edge.dst}};
  auto put = writer_.Run([&](WriteContext& context) -> Result<bool> {
    for (const NodesOfKind& group : GroupByKind(ends)) SEEDCORE_RETURN_IF_ERROR(MakeNamedNodes(context, group));
    SEEDCORE_ASSIGN_OR_RETURN(const int changed,
                              context.db.Execute(PutSql(edge.kind), edge.src, edge.dst, context.now));
    if (changed > 0) return true;
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(HasSql(edge.kind), edge.src, edge.dst));
    SEEDCORE_ASSIGN_OR_RETURN(const bool known, row.Next());
    if (known) return false;
    return Fail(ErrorCode::kNotFound, "an end of the edge does not exist");
  });
  if (put || put.error().code != ErrorCode::kNotFound) return put;
  SEEDCORE_ASSIGN_OR_RETURN(const auto there, Describe(ends));
  const bool has_src = !there.empty() && there.front().ref == ends.front();
  return Fail(ErrorCode::kNotFound, fmt::format("there is no {}", ToString(has_src ? ends.back() : ends.front())));
}

Result<bool> SqliteGraphStore::DeleteEdge(const GraphEdge& edge) {
  SEEDCORE_RETURN_IF_ERROR(CheckEdge(edge));
  return writer_.Run([&](WriteContext& context) -> Result<bool> {
    SEEDCORE_ASSIGN_OR_RETURN(const int changed, context.db.Execute(DeleteSql(edge.kind), edge.src, edge.dst));
    return changed > 0;
  });
}

}  // namespace seedcore::store::sqlite
