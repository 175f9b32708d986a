#include "graph/neighbourhood.h"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace seedcore::graph {
namespace {

/// A neighbourhood while it grows, before it is known which nodes exist.
struct Growing {
  std::vector<store::NodeRef> refs;
  std::vector<int> hops;
  std::vector<std::vector<Link>> links;
  std::vector<std::array<std::uint16_t, kSides>> degrees;
  std::map<store::NodeRef, std::size_t> index;
  std::size_t edges = 0;
  bool truncated = false;

  std::size_t Add(const store::NodeRef& ref, int hop) {
    const auto [at, is_new] = index.try_emplace(ref, refs.size());
    if (is_new) {
      refs.push_back(ref);
      hops.push_back(hop);
      links.emplace_back();
      degrees.emplace_back();
    }
    return at->second;
  }
};

store::NodeRef OtherEnd(const store::Neighbour& neighbour) {
  const store::EdgeTable& table = store::TableOf(neighbour.kind);
  return {neighbour.outgoing ? table.dst : table.src, neighbour.id};
}

/// Reads the edges of the nodes [first, last), all of one hop. `grow`: what they lead to joins the set.
Result<void> Expand(store::GraphStore& store, const NeighbourhoodOptions& options, std::size_t first, std::size_t last,
                    bool grow, Growing& set) {
  const int next_hop = first < last ? set.hops[first] + 1 : 0;
  const store::EdgeQuery query{.direction = options.direction, .kinds = options.kinds, .fanout = options.fanout};
  while (first < last) {
    const std::size_t count = std::min(last - first, store::kMaxGraphBatch);
    const std::vector<store::NodeRef> batch(set.refs.begin() + static_cast<std::ptrdiff_t>(first),
                                            set.refs.begin() + static_cast<std::ptrdiff_t>(first + count));
    SEEDCORE_ASSIGN_OR_RETURN(const auto neighbours, store.Neighbours(batch, query));
    for (const store::Neighbour& neighbour : neighbours) {
      const std::size_t from = first + neighbour.from;
      ++set.degrees[from][SideOf(neighbour.kind, neighbour.outgoing)];
      const store::NodeRef ref = OtherEnd(neighbour);
      auto known = set.index.find(ref);
      if (known == set.index.end()) {
        if (!grow) continue;
        if (set.refs.size() >= static_cast<std::size_t>(options.max_nodes)) {
          set.truncated = true;
          continue;
        }
        set.Add(ref, next_hop);
        known = set.index.find(ref);
      }
      if (set.edges >= static_cast<std::size_t>(options.max_edges)) {
        set.truncated = true;
        continue;
      }
      ++set.edges;
      set.links[from].push_back({known->second, neighbour.kind, neighbour.outgoing});
    }
    first += count;
  }
  return {};
}

/// Looks every node up; those that are gone are left out, with the links to them.
Result<Neighbourhood> Finish(store::GraphStore& store, Growing& set) {
  constexpr std::size_t kGone = static_cast<std::size_t>(-1);
  Neighbourhood out;
  out.truncated = set.truncated;
  std::vector<std::size_t> place(set.refs.size(), kGone);
  for (std::size_t first = 0; first < set.refs.size(); first += store::kMaxGraphBatch) {
    const std::size_t count = std::min(set.refs.size() - first, store::kMaxGraphBatch);
    SEEDCORE_ASSIGN_OR_RETURN(auto known, store.Describe(std::span(set.refs).subspan(first, count)));
    for (store::GraphNode& node : known) {
      const std::size_t at = set.index.at(node.ref);
      place[at] = out.nodes.size();
      out.nodes.push_back(std::move(node));
      out.hops.push_back(set.hops[at]);
      out.degrees.push_back(set.degrees[at]);
    }
  }
  for (std::size_t i = 0; i < set.refs.size(); ++i) {
    if (place[i] == kGone) continue;
    std::vector<Link>& links = out.links.emplace_back();
    for (Link link : set.links[i]) {
      link.to = place[link.to];
      if (link.to != kGone) links.push_back(link);
    }
  }
  return out;
}

Result<void> CheckSeeds(store::GraphStore& store, const std::vector<store::NodeRef>& seeds) {
  if (seeds.empty()) return Fail(ErrorCode::kInvalidArgument, "no node to start from was given");
  SEEDCORE_ASSIGN_OR_RETURN(const auto known, store.Describe(seeds));
  for (std::size_t i = 0; i < seeds.size(); ++i) {
    if (i < known.size() && known[i].ref == seeds[i]) continue;
    return Fail(ErrorCode::kInvalidArgument, fmt::format("there is no {} to start from", store::ToString(seeds[i])));
  }
  return {};
}

}  // namespace

Result<Neighbourhood> Explore(store::GraphStore& store, std::span<const store::NodeRef> seeds,
                              const NeighbourhoodOptions& options, const CallContext& call, Env& env) {
  if (options.hops < 0 || options.hops > kMaxHops) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 0 to {}, got {}", kMaxHops, options.hops), "k");
  }
  Growing set;
  for (const store::NodeRef& seed : seeds) set.Add(seed, 0);
  if (set.refs.size() > static_cast<std::size_t>(options.max_nodes)) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{} nodes to start from, but a neighborhood has at most {}",
                                                         set.refs.size(), options.max_nodes));
  }
  SEEDCORE_RETURN_IF_ERROR(CheckSeeds(store, set.refs));
  std::size_t first = 0;
  for (int hop = 0; hop < options.hops; ++hop) {
    SEEDCORE_RETURN_IF_ERROR(call.Check(env));
    const std::size_t last = set.refs.size();
    SEEDCORE_RETURN_IF_ERROR(Expand(store, options, first, last, true, set));
    first = last;
  }
  if (options.expand_last) SEEDCORE_RETURN_IF_ERROR(Expand(store, options, first, set.refs.size(), false, set));
  return Finish(store, set);
}

std::vector<NeighbourhoodEdge> EdgesOf(const Neighbourhood& neighbourhood) {
  std::vector<NeighbourhoodEdge> edges;
  for (std::size_t i = 0; i < neighbourhood.links.size(); ++i) {
    for (const Link& link : neighbourhood.links[i]) {
      edges.push_back({link.outgoing ? i : link.to, link.outgoing ? link.to : i, link.kind});
    }
  }
  std::ranges::sort(edges);
  const auto rest = std::ranges::unique(edges);
  edges.erase(rest.begin(), rest.end());
  return edges;
}

Csr ToCsr(const Neighbourhood& neighbourhood) {
  Csr csr;
  csr.offsets.reserve(neighbourhood.links.size() + 1);
  csr.offsets.push_back(0);
  for (const std::vector<Link>& links : neighbourhood.links) {
    for (const Link& link : links) csr.targets.push_back(static_cast<std::uint32_t>(link.to));
    csr.offsets.push_back(static_cast<std::uint32_t>(csr.targets.size()));
  }
  return csr;
}

}  // namespace seedcore::graph
