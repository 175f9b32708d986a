// Vector search of the graph: the distance alone, and a whole search over stored embeddings on SQLite. Google
// Benchmark; items_per_second counts vectors.

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>

#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include "base/metrics.h"
#include "graph/features.h"
#include "graph/search.h"
#include "store/sqlite/sqlite_store.h"
#include "store/store.h"

namespace seedcore::graph {
namespace {

std::vector<float> RandomVector(std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::vector<float> out(kDims);
  for (float& x : out) x = normal(random);
  Normalize(out);
  return out;
}

template <class T>
T Must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "{}\n", ToString(result.error()));
    std::abort();
  }
  return std::move(*result);
}

void DistanceOfVectors(benchmark::State& state, Metric metric) {
  std::mt19937 random(1);
  std::vector<std::vector<float>> vectors;
  for (int i = 0; i < 1000; ++i) vectors.push_back(RandomVector(random));
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(Distance(metric, vectors[0], vectors[next]));
    next = (next + 1) % vectors.size();
  }
  state.SetItemsProcessed(state.iterations());
}

/// A store with so many embeddings, in a folder of its own.
struct Stored {
  explicit Stored(int count) {
    folder = std::filesystem::temp_directory_path() / ("seedcore-graph-bench-" + RealEnv().NewId());
    store = Must(store::sqlite::OpenSqliteStore({.path = (folder / "seedcore.db").string()}, RealEnv(), metrics));
    std::mt19937 random(1);
    for (int first = 0; first < count; first += 5000) {
      std::vector<store::NodeRef> nodes;
      for (int i = first; i < std::min(count, first + 5000); ++i) {
        nodes.push_back({store::NodeKind::kSkill, fmt::format("s{}", i)});
      }
      std::vector<store::NodeEmbedding> embeddings;
      for (const std::int64_t id : Must(store->graph().EnsureNodes(nodes))) {
        store::NodeEmbedding& embedding = embeddings.emplace_back();
        embedding.node_id = id;
        embedding.model = "m";
        embedding.model_version = "1";
        embedding.content_hash = "h";
        embedding.vector = RandomVector(random);
      }
      (void)Must(store->graph().PutEmbeddings(embeddings));
    }
  }
  ~Stored() {
    store.reset();
    std::filesystem::remove_all(folder);
  }
  Stored(const Stored&) = delete;
  Stored& operator=(const Stored&) = delete;

  std::filesystem::path folder;
  Metrics metrics;
  std::unique_ptr<store::Store> store;
};

void SearchOfStored(benchmark::State& state) {
  const auto count = static_cast<int>(state.range(0));
  const Stored stored(count);
  std::mt19937 random(2);
  const std::vector<float> query = RandomVector(random);
  const SearchOptions options{.model = "m", .model_version = "1", .kinds = {}, .exclude = {}};
  for (auto _ : state) {
    benchmark::DoNotOptimize(Must(Search(stored.store->graph(), query, options, {}, RealEnv())));
  }
  state.SetItemsProcessed(state.iterations() * count);
}

BENCHMARK_CAPTURE(DistanceOfVectors, l2, Metric::kL2);
BENCHMARK_CAPTURE(DistanceOfVectors, cosine, Metric::kCosine);
BENCHMARK(SearchOfStored)->Arg(10'000)->Arg(50'000)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace seedcore::graph

BENCHMARK_MAIN();
