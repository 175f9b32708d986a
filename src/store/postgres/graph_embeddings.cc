#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/postgres/graph_store.h"
#include "store/stored_task.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kUnknown[] =
    "SELECT g.id FROM unnest($1::int8[]) g (id) WHERE NOT EXISTS (SELECT 1 FROM graph_node_map n WHERE n.node_id = "
    "g.id) ORDER BY g.id LIMIT 1";
// $1 node ids, $2 models, $3 versions, $4 labels, $5 dims, $6 vectors as text, $7 hashes, $8 props, $9 now
constexpr char kPutEmbedding[] =
    "WITH put AS (INSERT INTO graph_embeddings AS e (node_id, model, model_version, label, dims, emb, content_hash, "
    "props, created_at, updated_at) SELECT g.node_id, g.model, g.version, g.label, g.dims, g.emb::real[], g.hash, "
    "g.props::json, $9, $9 FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::int4[], $6::text[], "
    "$7::text[], $8::text[]) g (node_id, model, version, label, dims, emb, hash, props) ORDER BY g.model, g.node_id "
    "ON CONFLICT (model, node_id) DO UPDATE SET model_version = excluded.model_version, label = excluded.label, dims = "
    "excluded.dims, emb = excluded.emb, content_hash = excluded.content_hash, props = excluded.props, updated_at = "
    "excluded.updated_at WHERE e.content_hash <> excluded.content_hash OR e.model_version <> excluded.model_version "
    "RETURNING xmax = 0 AS is_new) SELECT count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM put";

#define SEEDCORE_PG_EMBEDDING \
  "SELECT e.node_id, n.node_type, coalesce(n.ext_uuid::text, n.ext_text_id), e.label, e.emb, e.updated_at"
#define SEEDCORE_PG_MAPPED " FROM graph_embeddings e JOIN graph_node_map n ON n.node_id = e.node_id "
// $1 model, $2 version, $3 node ids
constexpr char kRead[] = SEEDCORE_PG_EMBEDDING
    ", e.content_hash, e.props" SEEDCORE_PG_MAPPED
    "WHERE e.model = $1 AND e.model_version = $2 AND e.node_id = ANY ($3::int8[]) ORDER BY e.node_id";
// $1 model, $2 version, $3 after, $4 limit, $5 kinds
constexpr char kScan[] = SEEDCORE_PG_EMBEDDING SEEDCORE_PG_MAPPED
    "WHERE e.model = $1 AND e.model_version = $2 AND e.node_id > $3 ORDER BY e.node_id LIMIT $4";
constexpr char kScanKinds[] = SEEDCORE_PG_EMBEDDING SEEDCORE_PG_MAPPED
    "WHERE e.model = $1 AND e.model_version = $2 AND e.node_id > $3 AND n.node_type = ANY ($5::text[]) ORDER BY "
    "e.node_id LIMIT $4";
constexpr char kCountEmbeddings[] = "SELECT count(*) FROM graph_embeddings WHERE model = $1 AND model_version = $2";

Result<std::vector<NodeEmbedding>> ReadEmbeddings(const Rows& rows, const std::string& model,
                                                  const std::string& model_version) {
  std::vector<NodeEmbedding> out;
  out.reserve(static_cast<std::size_t>(rows.size()));
  for (int i = 0; i < rows.size(); ++i) {
    const auto kind = EnumFromString<NodeKind>(rows.Text(i, 1));
    if (!kind) return Fail(ErrorCode::kCorrupt, "a node is of an unknown kind");
    out.push_back({.node_id = rows.Int(i, 0),
                   .node = {*kind, std::string(rows.Text(i, 2))},
                   .model = model,
                   .model_version = model_version,
                   .label = std::string(rows.Text(i, 3)),
                   .vector = ReadFloatArray(rows.Text(i, 4)),
                   .content_hash = {},
                   .props = {},
                   .updated_at = rows.Time(i, 5)});
  }
  return out;
}

/// As a literal of an array.
std::string LiteralOf(std::span<const float> vector) {
  std::string text = WriteVector(vector);
  text.front() = '{';
  text.back() = '}';
  return text;
}

}  // namespace

Result<EmbeddingsWritten> PostgresGraphStore::PutEmbeddings(std::span<const NodeEmbedding> embeddings) {
  SEEDCORE_RETURN_IF_ERROR(CheckEmbeddings(embeddings));
  if (embeddings.empty()) return EmbeddingsWritten{};
  Array ids(Oid::kInt8), dims(Oid::kInt4);
  Array models(Oid::kText), versions(Oid::kText), labels(Oid::kText);
  Array vectors(Oid::kText), hashes(Oid::kText), props(Oid::kText);
  for (const NodeEmbedding& embedding : embeddings) {
    ids.Add(embedding.node_id);
    models.Add(embedding.model);
    versions.Add(embedding.model_version);
    labels.Add(embedding.label);
    dims.Add(static_cast<int>(embedding.vector.size()));
    vectors.Add(LiteralOf(embedding.vector));
    hashes.Add(embedding.content_hash);
    props.Add(WriteObject(embedding.props));
  }
  return database_.Write([&](WriteContext& context) -> Result<EmbeddingsWritten> {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows unknown, context.db.Query(kUnknown, ids));
    if (!unknown.empty()) {
      return Fail(ErrorCode::kNotFound, fmt::format("there is no node {}", unknown.Int(0, 0)));
    }
    SEEDCORE_ASSIGN_OR_RETURN(const Rows put, context.db.Query(kPutEmbedding, ids, models, versions, labels, dims,
                                                               vectors, hashes, props, context.now));
    EmbeddingsWritten written;
    written.inserted = static_cast<int>(put.Int(0, 0));
    written.updated = static_cast<int>(put.Int(0, 1));
    written.unchanged = static_cast<int>(embeddings.size()) - written.inserted - written.updated;
    return written;
  });
}

Result<std::vector<NodeEmbedding>> PostgresGraphStore::Embeddings(const std::string& model,
                                                                  const std::string& model_version,
                                                                  std::span<const std::int64_t> node_ids) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.Read([&](Connection& connection) {
    return connection.Query(kRead, model, model_version, IdArray(node_ids));
  }));
  SEEDCORE_ASSIGN_OR_RETURN(auto out, ReadEmbeddings(rows, model, model_version));
  for (int i = 0; i < rows.size(); ++i) {
    NodeEmbedding& read = out[static_cast<std::size_t>(i)];
    read.content_hash = rows.Text(i, 6);
    SEEDCORE_ASSIGN_OR_RETURN(read.props, ParseStoredObject(rows.Text(i, 7), "props of an embedding"));
  }
  return out;
}

Result<std::vector<NodeEmbedding>> PostgresGraphStore::ScanEmbeddings(const EmbeddingScan& scan) {
  SEEDCORE_RETURN_IF_ERROR(CheckScan(scan));
  std::vector<std::string> kinds;
  for (const NodeKind kind : scan.kinds) kinds.emplace_back(EnumToString(kind));
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.Read([&](Connection& connection) {
    const std::int64_t limit = scan.limit;
    if (kinds.empty()) return connection.Query(kScan, scan.model, scan.model_version, scan.after_node_id, limit);
    return connection.Query(kScanKinds, scan.model, scan.model_version, scan.after_node_id, limit, TextArray(kinds));
  }));
  return ReadEmbeddings(rows, scan.model, scan.model_version);
}

Result<std::int64_t> PostgresGraphStore::CountEmbeddings(const std::string& model, const std::string& model_version) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.Read([&](Connection& connection) {
    return connection.Query(kCountEmbeddings, model, model_version);
  }));
  return rows.Int(0, 0);
}

}  // namespace seedcore::store::postgres
