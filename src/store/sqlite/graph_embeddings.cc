#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/sqlite/graph_store.h"
#include "store/stored_task.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kKnown[] =
    "SELECT e.model_version, e.content_hash FROM graph_embeddings e WHERE e.model = ?1 AND e.node_id = ?2";
// ?1 node id, ?2 model, ?3 version, ?4 label, ?5 dims, ?6 vector, ?7 hash, ?8 props, ?9 now
constexpr char kPutEmbedding[] =
    "INSERT INTO graph_embeddings (node_id, model, model_version, label, dims, emb, content_hash, props, created_at, "
    "updated_at) SELECT n.node_id, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9 FROM graph_node_map n WHERE n.node_id = ?1 "
    "ON CONFLICT (model, node_id) DO UPDATE SET model_version = excluded.model_version, label = excluded.label, dims = "
    "excluded.dims, emb = excluded.emb, content_hash = excluded.content_hash, props = excluded.props, updated_at = "
    "excluded.updated_at";

#define SEEDCORE_EMBEDDING \
  "SELECT e.node_id, n.node_type, coalesce(n.ext_uuid, n.ext_text_id), e.label, e.emb, e.updated_at"
#define SEEDCORE_MAPPED "JOIN graph_node_map n ON n.node_id = e.node_id "
// ?1 model, ?2 version, ?3 node ids
constexpr char kRead[] = SEEDCORE_EMBEDDING
    ", e.content_hash, e.props FROM graph_embeddings e " SEEDCORE_MAPPED
    "WHERE e.model = ?1 AND e.model_version = ?2 AND e.node_id IN (SELECT value FROM json_each(?3)) ORDER BY e.node_id";
// ?1 model, ?2 version, ?3 after, ?4 limit, ?5 kinds
constexpr char kScan[] =
    SEEDCORE_EMBEDDING " FROM graph_embeddings e " SEEDCORE_MAPPED
                       "WHERE e.model = ?1 AND e.model_version = ?2 AND e.node_id > ?3 ORDER BY e.node_id LIMIT ?4";
constexpr char kScanKinds[] = SEEDCORE_EMBEDDING
    " FROM graph_embeddings e " SEEDCORE_MAPPED
    "WHERE e.model = ?1 AND e.model_version = ?2 AND e.node_id > ?3 AND n.node_type IN (SELECT value FROM "
    "json_each(?5)) ORDER BY e.node_id LIMIT ?4";
constexpr char kCountEmbeddings[] = "SELECT count(*) FROM graph_embeddings WHERE model = ?1 AND model_version = ?2";

Result<NodeEmbedding> ReadEmbedding(const Statement& row) {
  const auto kind = EnumFromString<NodeKind>(row.Text(1));
  if (!kind) return Fail(ErrorCode::kCorrupt, "a node is of an unknown kind");
  NodeEmbedding out{.node_id = row.Int(0),
                    .node = {*kind, std::string(row.Text(2))},
                    .model = {},
                    .model_version = {},
                    .label = std::string(row.Text(3)),
                    .vector = {},
                    .content_hash = {},
                    .props = {},
                    .updated_at = row.Time(5)};
  SEEDCORE_ASSIGN_OR_RETURN(out.vector, ReadVector(row.Text(4)));
  return out;
}

/// Whether the row is new, or nothing when it stays as it is.
Result<std::optional<bool>> PutOne(WriteContext& context, const NodeEmbedding& embedding, const std::string& vector) {
  bool is_new = true;
  {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kKnown, embedding.model, embedding.node_id));
    SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
    is_new = !found;
    if (found && row.Text(0) == embedding.model_version && row.Text(1) == embedding.content_hash) return std::nullopt;
  }
  SEEDCORE_ASSIGN_OR_RETURN(
      const int changed, context.db.Execute(kPutEmbedding, embedding.node_id, embedding.model, embedding.model_version,
                                            embedding.label, embedding.vector.size(), vector, embedding.content_hash,
                                            WriteObject(embedding.props), context.now));
  if (changed == 0) return Fail(ErrorCode::kNotFound, fmt::format("there is no node {}", embedding.node_id));
  return is_new;
}

}  // namespace

Result<EmbeddingsWritten> SqliteGraphStore::PutEmbeddings(std::span<const NodeEmbedding> embeddings) {
  SEEDCORE_RETURN_IF_ERROR(CheckEmbeddings(embeddings));
  std::vector<std::string> vectors;
  vectors.reserve(embeddings.size());
  for (const NodeEmbedding& embedding : embeddings) vectors.push_back(WriteVector(embedding.vector));
  return writer_.Run([&](WriteContext& context) -> Result<EmbeddingsWritten> {
    EmbeddingsWritten written;
    for (std::size_t i = 0; i < embeddings.size(); ++i) {
      SEEDCORE_ASSIGN_OR_RETURN(const std::optional<bool> is_new, PutOne(context, embeddings[i], vectors[i]));
      ++(!is_new ? written.unchanged : *is_new ? written.inserted : written.updated);
    }
    return written;
  });
}

Result<std::vector<NodeEmbedding>> SqliteGraphStore::Embeddings(const std::string& model,
                                                                const std::string& model_version,
                                                                std::span<const std::int64_t> node_ids) {
  return readers_.Run([&](Database& database) -> Result<std::vector<NodeEmbedding>> {
    std::vector<NodeEmbedding> out;
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kRead, model, model_version,
                                                             WriteJson(json::array(node_ids.begin(), node_ids.end()))));
    for (;;) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
      if (!more) return out;
      SEEDCORE_ASSIGN_OR_RETURN(NodeEmbedding read, ReadEmbedding(rows));
      read.model = model;
      read.model_version = model_version;
      read.content_hash = rows.Text(6);
      SEEDCORE_ASSIGN_OR_RETURN(read.props, ParseStoredObject(rows.Text(7), "props of an embedding"));
      out.push_back(std::move(read));
    }
  });
}

Result<std::vector<NodeEmbedding>> SqliteGraphStore::ScanEmbeddings(const EmbeddingScan& scan) {
  SEEDCORE_RETURN_IF_ERROR(CheckScan(scan));
  json::array kinds;
  for (const NodeKind kind : scan.kinds) kinds.emplace_back(EnumToString(kind));
  return readers_.Run([&](Database& database) -> Result<std::vector<NodeEmbedding>> {
    std::vector<NodeEmbedding> out;
    SEEDCORE_ASSIGN_OR_RETURN(
        Statement rows, scan.kinds.empty()
                            ? database.Query(kScan, scan.model, scan.model_version, scan.after_node_id, scan.limit)
                            : database.Query(kScanKinds, scan.model, scan.model_version, scan.after_node_id, scan.limit,
                                             WriteJson(kinds)));
    for (;;) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
      if (!more) return out;
      SEEDCORE_ASSIGN_OR_RETURN(NodeEmbedding read, ReadEmbedding(rows));
      read.model = scan.model;
      read.model_version = scan.model_version;
      out.push_back(std::move(read));
    }
  });
}

Result<std::int64_t> SqliteGraphStore::CountEmbeddings(const std::string& model, const std::string& model_version) {
  return readers_.Run([&](Database& database) -> Result<std::int64_t> {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(kCountEmbeddings, model, model_version));
    SEEDCORE_RETURN_IF_ERROR(row.Next());
    return row.Int(0);
  });
}

}  // namespace seedcore::store::sqlite
