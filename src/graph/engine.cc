#include "graph/engine.h"

#include <algorithm>

#include <fmt/format.h>

namespace seedcore::graph {
namespace {

std::string HashOf(std::span<const float> vector, std::string_view label) {
  // The text of a float brings it back exactly, on every machine alike.
  return fmt::format("{:016x}", Hash(label, Hash(store::WriteVector(vector))));
}

}  // namespace

Engine::Engine(store::GraphStore& store, Env& env, const EngineSettings& settings, Weights weights)
    : store_(store),
      env_(env),
      settings_(settings),
      weights_(std::move(weights)),
      model_(weights_.layers.empty() ? "seedcore.diffusion" : "seedcore.sage"),
      model_version_(fmt::format("f{}-l{}-n{}", kFeatureVersion, settings.layers, settings.fanout)) {
  if (!weights_.hash.empty()) model_version_ += "-" + weights_.hash;
}

Result<std::unique_ptr<Engine>> Engine::Make(store::GraphStore& store, Env& env, const EngineSettings& settings) {
  Weights weights;
  if (!settings.weights.empty()) {
    SEEDCORE_ASSIGN_OR_RETURN(weights, LoadWeights(settings.weights, settings.layers));
  }
  return std::unique_ptr<Engine>(new Engine(store, env, settings, std::move(weights)));
}

Result<Neighbourhood> Engine::Around(std::span<const store::NodeRef> seeds, NeighbourhoodOptions options,
                                     const CallContext& call) const {
  options.max_nodes = std::min(options.max_nodes, settings_.max_nodes);
  options.max_edges = std::min(options.max_edges, settings_.max_edges);
  return Explore(store_, seeds, options, call, env_);
}

Result<Embedded> Engine::Embed(std::span<const store::NodeRef> seeds, int k, const CallContext& call) const {
  if (k < 0 || k > kMaxK) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 0 to {}, got {}", kMaxK, k), "k");
  }
  // A node k hops away is made of nodes `layers` hops farther out, and the features of those of their own edges.
  const NeighbourhoodOptions options{.hops = k + settings_.layers,
                                     .direction = store::Direction::kBoth,
                                     .kinds = {},
                                     .fanout = settings_.fanout,
                                     .max_nodes = settings_.max_nodes,
                                     .max_edges = settings_.max_edges,
                                     .expand_last = true};
  SEEDCORE_ASSIGN_OR_RETURN(Neighbourhood around, Explore(store_, seeds, options, call, env_));
  SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
  Matrix vectors =
      Aggregate(Features(around, settings_.fanout, env_.WallNow()), ToCsr(around), settings_.layers, weights_);
  // Hops never fall from one node to the next.
  const auto inner = static_cast<std::size_t>(std::ranges::upper_bound(around.hops, k) - around.hops.begin());
  Embedded out;
  out.seeds = static_cast<std::size_t>(std::ranges::upper_bound(around.hops, 0) - around.hops.begin());
  out.truncated = around.truncated;
  around.nodes.resize(inner);
  around.hops.resize(inner);
  vectors.resize(inner * kDims);
  out.nodes = std::move(around.nodes);
  out.hops = std::move(around.hops);
  out.vectors = std::move(vectors);
  return out;
}

Result<Engine::Kept> Engine::Keep(const Embedded& embedded, const CallContext& call) const {
  Kept kept;
  const auto chunk = static_cast<std::size_t>(settings_.chunk);
  for (std::size_t first = 0; first < embedded.nodes.size(); first += chunk) {
    SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
    const std::size_t last = std::min(first + chunk, embedded.nodes.size());
    std::vector<store::NodeRef> refs;
    for (std::size_t i = first; i < last; ++i) refs.push_back(embedded.nodes[i].ref);
    SEEDCORE_ASSIGN_OR_RETURN(const auto ids, store_.EnsureNodes(refs));
    std::vector<store::NodeEmbedding> rows;
    for (std::size_t i = first; i < last; ++i) {
      const auto vector = embedded.VectorOf(i);
      store::NodeEmbedding row;
      row.node_id = ids[i - first];
      row.model = model_;
      row.model_version = model_version_;
      row.label = embedded.nodes[i].label;
      row.vector.assign(vector.begin(), vector.end());
      row.content_hash = HashOf(vector, row.label);
      if (embedded.truncated) row.props["truncated"] = true;
      rows.push_back(std::move(row));
    }
    SEEDCORE_ASSIGN_OR_RETURN(const store::EmbeddingsWritten written, store_.PutEmbeddings(rows));
    kept.node_ids.insert(kept.node_ids.end(), ids.begin(), ids.end());
    kept.written.inserted += written.inserted;
    kept.written.updated += written.updated;
    kept.written.unchanged += written.unchanged;
  }
  return kept;
}

Result<std::vector<Hit>> Engine::Search(std::span<const float> query, SearchOptions options,
                                        const CallContext& call) const {
  options.model = model_;
  options.model_version = model_version_;
  options.max_vectors = settings_.max_vectors;
  return graph::Search(store_, query, options, call, env_);
}

}  // namespace seedcore::graph
