#include <fmt/format.h>

#include "store/graph_sql.h"
#include "store/postgres/graph_store.h"

namespace seedcore::store::postgres {
namespace {

/// In the view of the ledger, ids of tasks are text.
std::string_view ColumnCast(const EdgeTable& table, NodeKind kind) {
  return table.kind == EdgeKind::kTaskExecutedByAgent ? "" : CastOf(kind);
}

/// For each of $1 the newest $2 on the other side. The order is that of an index, so a node with a million edges costs
/// as much as one with $2.
std::string NeighboursText(const EdgeTable& table, bool outgoing) {
  const std::string_view here = outgoing ? table.src_column : table.dst_column;
  const std::string_view there = outgoing ? table.dst_column : table.src_column;
  const bool has_uuid = TableOf(outgoing ? table.dst : table.src).has_uuid;
  const std::string order = table.kind == EdgeKind::kTaskExecutedByAgent
                                ? "x.seq DESC"
                                : fmt::format("x.{} {}", there, has_uuid ? "DESC" : "ASC");
  return fmt::format(
      "SELECT f.at - 1, e.there FROM unnest($1::text[]) WITH ORDINALITY f (id, at) CROSS JOIN LATERAL (SELECT "
      "x.{1}::text AS there FROM {0} x WHERE x.{2} = f.id{4} ORDER BY {3} LIMIT $2) e",
      table.table, there, here, order, ColumnCast(table, outgoing ? table.src : table.dst));
}

const char* NeighboursSql(const EdgeSide& side) {
  if (side.outgoing) return PerKind(side.kind, [](const EdgeTable& table) { return NeighboursText(table, true); });
  return PerKind(side.kind, [](const EdgeTable& table) { return NeighboursText(table, false); });
}

// $1 src, $2 dst, $3 now. The locks are those of a foreign key: neither end goes away meanwhile.
const char* PutSql(EdgeKind kind) {
  return PerKind(kind, [](const EdgeTable& table) {
    const NodeTable& src = TableOf(table.src);
    const NodeTable& dst = TableOf(table.dst);
    return fmt::format(
        "INSERT INTO {0} ({1}, {2}, created_at) SELECT s.{4}, d.{7}, $3 FROM {3} s, {6} d WHERE s.{4} = $1::text{5} "
        "AND d.{7} = $2::text{8} FOR KEY SHARE ON CONFLICT DO NOTHING",
        table.table, table.src_column, table.dst_column, src.table, src.id_column, CastOf(table.src), dst.table,
        dst.id_column, CastOf(table.dst));
  });
}

std::string EdgeText(std::string_view verb, const EdgeTable& table) {
  return fmt::format("{} FROM {} WHERE {} = $1::text{} AND {} = $2::text{}", verb, table.table, table.src_column,
                     ColumnCast(table, table.src), table.dst_column, ColumnCast(table, table.dst));
}

const char* HasSql(EdgeKind kind) {
  return PerKind(kind, [](const EdgeTable& table) { return EdgeText("SELECT 1", table); });
}

const char* DeleteSql(EdgeKind kind) {
  return PerKind(kind, [](const EdgeTable& table) { return EdgeText("DELETE", table); });
}

}  // namespace

Result<std::vector<Neighbour>> PostgresGraphStore::Neighbours(std::span<const NodeRef> nodes, const EdgeQuery& query) {
  SEEDCORE_RETURN_IF_ERROR(CheckQuery(nodes, query));
  return database_.Read([&](Connection& connection) -> Result<std::vector<Neighbour>> {
    std::vector<Neighbour> out;
    for (const NodesOfKind& group : GroupByKind(nodes)) {
      const Array ids = TextArray(group.ids);
      for (const EdgeSide& side : SidesOf(group.kind, query)) {
        SEEDCORE_ASSIGN_OR_RETURN(const Rows rows,
                                  connection.Query(NeighboursSql(side), ids, std::int64_t{query.fanout}));
        for (int i = 0; i < rows.size(); ++i) {
          out.push_back({group.at[static_cast<std::size_t>(rows.Int(i, 0))], side.kind, side.outgoing,
                         std::string(rows.Text(i, 1))});
        }
      }
    }
    SortNeighbours(out);
    return out;
  });
}

Result<bool> PostgresGraphStore::PutEdge(const GraphEdge& edge) {
  SEEDCORE_RETURN_IF_ERROR(CheckEdge(edge));
  const EdgeTable& table = TableOf(edge.kind);
  const std::vector<NodeRef> ends{{table.src, edge.src}, {table.dst, edge.dst}};
  auto put = database_.Write([&](WriteContext& context) -> Result<bool> {
    for (const NodesOfKind& group : GroupByKind(ends)) SEEDCORE_RETURN_IF_ERROR(MakeNamedNodes(context, group));
    SEEDCORE_ASSIGN_OR_RETURN(const Rows put_rows,
                              context.db.Query(PutSql(edge.kind), edge.src, edge.dst, context.now));
    if (put_rows.changed() > 0) return true;
    SEEDCORE_ASSIGN_OR_RETURN(const Rows known, context.db.Query(HasSql(edge.kind), edge.src, edge.dst));
    if (!known.empty()) return false;
    return Fail(ErrorCode::kNotFound, "an end of the edge does not exist");
  });
  if (put || put.error().code != ErrorCode::kNotFound) return put;
  SEEDCORE_ASSIGN_OR_RETURN(const auto there, Describe(ends));
  const bool has_src = !there.empty() && there.front().ref == ends.front();
  return Fail(ErrorCode::kNotFound, fmt::format("there is no {}", ToString(has_src ? ends.back() : ends.front())));
}

Result<bool> PostgresGraphStore::DeleteEdge(const GraphEdge& edge) {
  SEEDCORE_RETURN_IF_ERROR(CheckEdge(edge));
  return database_.Write([&](WriteContext& context) -> Result<bool> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows deleted, context.db.Query(DeleteSql(edge.kind), edge.src, edge.dst));
    return deleted.changed() > 0;
  });
}

}  // namespace seedcore::store::postgres
