#include "graph/search.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace seedcore::graph {
namespace {

constexpr int kPage = 2048;
constexpr std::size_t kLanes = 16;

/// Sums term(i) in kLanes partial sums: floating-point addition is not associative, so a compiler may use vector
/// instructions only where the code says that order does not matter.
template <class Term>
float Sum(std::size_t size, Term term) {
  std::array<float, kLanes> lanes{};
  std::size_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
  }
  for (; i < size; ++i) lanes[0] += term(i);
  float sum = 0.0F;
  for (const float lane : lanes) sum += lane;
  return sum;
}

float Dot(const float* a, const float* b, std::size_t size) {
  return Sum(size, [a, b](std::size_t i) { return a[i] * b[i]; });
}

bool Nearer(float a_distance, std::int64_t a_id, float b_distance, std::int64_t b_id) {
  if (a_distance != b_distance) return a_distance < b_distance;
  return a_id < b_id;
}

bool HitNearer(const Hit& a, const Hit& b) { return Nearer(a.distance, a.node_id, b.distance, b.node_id); }

}  // namespace

float Distance(Metric metric, std::span<const float> a, std::span<const float> b) {
  const float* const x = a.data();
  const float* const y = b.data();
  if (metric == Metric::kL2) {
    return std::sqrt(Sum(a.size(), [x, y](std::size_t i) {
      const float d = x[i] - y[i];
      return d * d;
    }));
  }
  const float lengths = Dot(x, x, a.size()) * Dot(y, y, a.size());
  if (lengths <= 0.0F) return 1.0F;
  return std::max(0.0F, 1.0F - Dot(x, y, a.size()) / std::sqrt(lengths));
}

bool Nearest::Takes(float distance, std::int64_t node_id) const {
  if (heap_.size() < size_) return true;
  return Nearer(distance, node_id, heap_.front().distance, heap_.front().node_id);
}

void Nearest::Add(Hit hit) {
  if (!Takes(hit.distance, hit.node_id)) return;
  if (heap_.size() == size_) {
    std::ranges::pop_heap(heap_, HitNearer);
    heap_.pop_back();
  }
  heap_.push_back(std::move(hit));
  std::ranges::push_heap(heap_, HitNearer);
}

std::vector<Hit> Nearest::Take() {
  std::ranges::sort(heap_, HitNearer);
  return std::move(heap_);
}

Result<std::vector<Hit>> Search(store::GraphStore& store, std::span<const float> query, const SearchOptions& options,
                                const CallContext& call, Env& env) {
  if (options.topk < 1 || options.topk > kMaxTopK) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {}, got {}", kMaxTopK, options.topk), "topk");
  }
  SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t count, store.CountEmbeddings(options.model, options.model_version));
  if (count > options.max_vectors) {
    return Fail(ErrorCode::kResourceExhausted,
                fmt::format("{} embeddings are stored, and a search compares with at most {} (graph.max_vectors)",
                            count, options.max_vectors));
  }
  Nearest nearest(static_cast<std::size_t>(options.topk));
  store::EmbeddingScan scan{.model = options.model,
                            .model_version = options.model_version,
                            .kinds = options.kinds,
                            .after_node_id = 0,
                            .limit = kPage};
  for (;;) {
    SEEDCORE_RETURN_IF_ERROR(call.Check(env));
    SEEDCORE_ASSIGN_OR_RETURN(auto page, store.ScanEmbeddings(scan));
    for (store::NodeEmbedding& embedding : page) {
      if (embedding.vector.size() != query.size() || options.exclude.contains(embedding.node_id)) continue;
      const float distance = Distance(options.metric, query, embedding.vector);
      if (!nearest.Takes(distance, embedding.node_id)) continue;
      nearest.Add({embedding.node_id, std::move(embedding.node), std::move(embedding.label), distance});
    }
    if (page.size() < static_cast<std::size_t>(kPage)) return nearest.Take();
    scan.after_node_id = page.back().node_id;
  }
}

}  // namespace seedcore::graph
