#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "graph/aggregation.h"
#include "graph/neighbourhood.h"
#include "graph/search.h"
#include "store/graph_store.h"

namespace seedcore::graph {

struct EngineSettings {
  int layers = 2;  ///< 1 to 8
  int fanout = 16;
  int max_nodes = 5'000;
  int max_edges = 20'000;
  int max_vectors = 1'000'000;
  int chunk = 200;                  ///< embeddings written in one transaction
  std::filesystem::path weights{};  ///< empty: none
};
/// Hops around the seeds whose nodes are embedded.
inline constexpr int kMaxK = 6;

/// Embeddings of the nodes around some seeds, and what they came from. The embedding of a node depends on the graph
/// within `layers` hops of it, on the day, and on nothing else: not on which node was asked for, unless the bounds of a
/// neighbourhood cut something off.
struct Embedded {
  std::vector<store::GraphNode> nodes;  ///< within k hops; seeds first, in their order, each once
  std::vector<int> hops;
  Matrix vectors;  ///< kDims numbers a node, of length 1
  std::size_t seeds = 0;
  bool truncated = false;
  [[nodiscard]] std::span<const float> VectorOf(std::size_t node) const {
    return std::span<const float>(vectors).subspan(node * kDims, kDims);
  }
};

/// Reads neighbourhoods, makes embeddings, keeps them and searches among them. Thread-safe; the store and env outlive
/// it.
class Engine {
 public:
  /// Errors: those of LoadWeights.
  [[nodiscard]] static Result<std::unique_ptr<Engine>> Make(store::GraphStore& store, Env& env,
                                                            const EngineSettings& settings);

  /// "seedcore.diffusion" without weights, "seedcore.sage" with them; the version names features, layers, fan-out and
  /// weights.
  [[nodiscard]] const std::string& model() const { return model_; }
  [[nodiscard]] const std::string& model_version() const { return model_version_; }
  [[nodiscard]] const EngineSettings& settings() const { return settings_; }
  [[nodiscard]] store::GraphStore& store() const { return store_; }

  /// Within the bounds of the settings, whatever `options` say.
  [[nodiscard]] Result<Neighbourhood> Around(std::span<const store::NodeRef> seeds, NeighbourhoodOptions options,
                                             const CallContext& call) const;

  /// kInvalidArgument: k out of 0 to kMaxK, no seed, or one that does not exist.
  [[nodiscard]] Result<Embedded> Embed(std::span<const store::NodeRef> seeds, int k, const CallContext& call) const;

  /// Gives the nodes their ids and stores the embeddings, some in each transaction; again with the same does nothing.
  struct Kept {
    std::vector<std::int64_t> node_ids;  ///< of each node
    store::EmbeddingsWritten written;
  };
  [[nodiscard]] Result<Kept> Keep(const Embedded& embedded, const CallContext& call) const;

  /// Among embeddings of this version. Model, version and bound of `options` are set here.
  [[nodiscard]] Result<std::vector<Hit>> Search(std::span<const float> query, SearchOptions options,
                                                const CallContext& call) const;

 private:
  Engine(store::GraphStore& store, Env& env, const EngineSettings& settings, Weights weights);

  store::GraphStore& store_;
  Env& env_;
  const EngineSettings settings_;
  const Weights weights_;
  std::string model_;
  std::string model_version_;
};

}  // namespace seedcore::graph
