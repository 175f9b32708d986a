#pragma once

#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/env.h"
#include "store/graph_store.h"

namespace seedcore::graph {

enum class Metric { kL2, kCosine };
constexpr std::array<std::pair<Metric, std::string_view>, 2> EnumNames(Metric) {
  return {{{Metric::kL2, "l2"}, {Metric::kCosine, "cosine"}}};
}

/// Euclidean, or 1 - cosine (1 when one of them is all zeros). Of equal size.
[[nodiscard]] float Distance(Metric metric, std::span<const float> a, std::span<const float> b);

struct Hit {
  std::int64_t node_id = 0;
  store::NodeRef node;
  std::string label;
  float distance = 0.0F;
};

/// The `size` nearest seen so far, as a heap: a vector that is no candidate costs one comparison.
class Nearest {
 public:
  explicit Nearest(std::size_t size) : size_(size) {}
  /// Whether a vector at this distance would be taken. Equal distances go to the smaller node id.
  [[nodiscard]] bool Takes(float distance, std::int64_t node_id) const;
  void Add(Hit hit);
  /// Nearest first.
  [[nodiscard]] std::vector<Hit> Take();

 private:
  std::size_t size_;
  std::vector<Hit> heap_;
};

struct SearchOptions {
  std::string model;
  std::string model_version;
  Metric metric = Metric::kL2;
  int topk = 10;                       ///< 1 to kMaxTopK
  std::vector<store::NodeKind> kinds;  ///< empty: all
  std::set<std::int64_t> exclude;
  int max_vectors = 1'000'000;
};
inline constexpr int kMaxTopK = 1'000;

/// Exact: compares `query` with every stored embedding of the version, read in pages, so that it sees what was written
/// before and needs no memory of its own. Takes time in proportion to their number. kResourceExhausted when there are
/// more than `max_vectors`. Vectors of another size are passed over.
[[nodiscard]] Result<std::vector<Hit>> Search(store::GraphStore& store, std::span<const float> query,
                                              const SearchOptions& options, const CallContext& call, Env& env);

}  // namespace seedcore::graph
