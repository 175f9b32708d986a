#pragma once

#include "store/graph_store.h"
#include "store/postgres/database.h"

namespace seedcore::store::postgres {

/// Nodes, edges and embeddings; each in its own .cc file.
class PostgresGraphStore final : public GraphStore {
 public:
  explicit PostgresGraphStore(Database& database) : database_(database) {}

  Result<std::vector<GraphNode>> Describe(std::span<const NodeRef> nodes) override;
  Result<std::vector<std::optional<NodeRef>>> FindNodes(std::span<const std::int64_t> node_ids) override;
  Result<std::vector<std::int64_t>> EnsureNodes(std::span<const NodeRef> nodes) override;
  Result<SyncedNodes> SyncNodes(NodeKind kind, const std::string& after, int limit) override;
  Result<NodeRef> PutEntity(const GraphEntity& entity) override;
  Result<bool> DeleteEntity(const NodeRef& node) override;
  Result<std::vector<Neighbour>> Neighbours(std::span<const NodeRef> nodes, const EdgeQuery& query) override;
  Result<bool> PutEdge(const GraphEdge& edge) override;
  Result<bool> DeleteEdge(const GraphEdge& edge) override;
  Result<EmbeddingsWritten> PutEmbeddings(std::span<const NodeEmbedding> embeddings) override;
  Result<std::vector<NodeEmbedding>> Embeddings(const std::string& model, const std::string& model_version,
                                                std::span<const std::int64_t> node_ids) override;
  Result<std::vector<NodeEmbedding>> ScanEmbeddings(const EmbeddingScan& scan) override;
  Result<std::int64_t> CountEmbeddings(const std::string& model, const std::string& model_version) override;

 private:
  Database& database_;
};

/// Makes the rows of the models, policies, services and skills among the nodes, which are nothing but their names.
[[nodiscard]] Result<void> MakeNamedNodes(WriteContext& context, const NodesOfKind& nodes);
[[nodiscard]] Array TextArray(std::span<const std::string> texts);
[[nodiscard]] Array IdArray(std::span<const std::int64_t> ids);
/// "::uuid" where ids of the kind are UUIDs: parameters are text.
[[nodiscard]] std::string_view CastOf(NodeKind kind);

}  // namespace seedcore::store::postgres
