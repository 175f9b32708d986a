#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "base/call_context.h"
#include "base/env.h"
#include "store/graph_store.h"

/// What lies around some nodes of the graph, and numbers computed from it. SQL is the source: the edges are rows of the
/// store, read by sets, never copied.
namespace seedcore::graph {

/// Seen from one node: an edge of a kind, in one direction.
inline constexpr std::size_t kSides = store::kEdgeKinds * 2;
[[nodiscard]] constexpr std::size_t SideOf(store::EdgeKind kind, bool outgoing) {
  return static_cast<std::size_t>(kind) * 2 + (outgoing ? 0 : 1);
}

struct Link {
  std::size_t to = 0;  ///< index of a node
  store::EdgeKind kind = store::EdgeKind::kTaskDependsOnTask;
  bool outgoing = true;
};

/// Breadth first: the seeds, then what is one hop away, and so on. The same graph gives the same order.
struct Neighbourhood {
  std::vector<store::GraphNode> nodes;
  std::vector<int> hops;                                   ///< of each node
  std::vector<std::vector<Link>> links;                    ///< of each node that was expanded, to nodes of this set
  std::vector<std::array<std::uint16_t, kSides>> degrees;  ///< likewise; of each side at most the fan-out
  bool truncated = false;                                  ///< a bound of nodes or edges left something out
};

struct NeighbourhoodOptions {
  int hops = 2;  ///< 0 to kMaxHops
  store::Direction direction = store::Direction::kBoth;
  std::vector<store::EdgeKind> kinds;  ///< empty: all
  int fanout = 64;                     ///< newest neighbours of a node per edge kind and direction
  int max_nodes = 5'000;
  int max_edges = 20'000;
  bool expand_last = false;  ///< the outermost nodes too: their links to nodes of the set, and their degrees
};
inline constexpr int kMaxHops = 16;

/// A few statements per hop, whatever the number of nodes. kInvalidArgument names a seed that does not exist.
[[nodiscard]] Result<Neighbourhood> Explore(store::GraphStore& store, std::span<const store::NodeRef> seeds,
                                            const NeighbourhoodOptions& options, const CallContext& call, Env& env);

/// Each edge between two nodes of the neighbourhood once, sorted.
struct NeighbourhoodEdge {
  std::size_t src = 0;
  std::size_t dst = 0;
  store::EdgeKind kind = store::EdgeKind::kTaskDependsOnTask;
  auto operator<=>(const NeighbourhoodEdge&) const = default;
};
[[nodiscard]] std::vector<NeighbourhoodEdge> EdgesOf(const Neighbourhood& neighbourhood);

/// Compressed sparse rows: the neighbours of node i are targets[offsets[i]] to targets[offsets[i + 1]].
struct Csr {
  std::vector<std::uint32_t> offsets;
  std::vector<std::uint32_t> targets;
  [[nodiscard]] std::span<const std::uint32_t> Row(std::size_t node) const {
    return std::span(targets).subspan(offsets[node], offsets[node + 1] - offsets[node]);
  }
};
[[nodiscard]] Csr ToCsr(const Neighbourhood& neighbourhood);

}  // namespace seedcore::graph
