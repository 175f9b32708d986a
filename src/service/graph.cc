#include "service/graph.h"

#include <utility>

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::service {
namespace {

constexpr std::size_t kMaxLike = 1'000;

GraphNodeRead ToRead(const store::GraphNode& node) {
  GraphNodeRead read;
  read.kind = node.ref.kind;
  read.id = node.ref.id;
  if (node.node_id != 0) read.node_id = node.node_id;
  read.label = node.label;
  read.text = node.text;
  read.created_at = node.created_at;
  return read;
}

Result<std::vector<store::EdgeKind>> ReadEdgeKinds(const std::string& text) {
  std::vector<store::EdgeKind> kinds;
  for (const std::string& name : SplitList(text)) {
    const auto kind = EnumFromString<store::EdgeKind>(name);
    if (!kind) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("there is no kind of edge '{}'", name), "edge_kinds");
    }
    kinds.push_back(*kind);
  }
  return kinds;
}

/// The mean of the vectors of the nodes; `exclude` gets their numbers.
Result<std::vector<float>> MeanOf(const graph::Engine& engine, const std::vector<GraphNodeName>& like,
                                  std::set<std::int64_t>& exclude, const CallContext& call) {
  std::vector<store::NodeRef> seeds;
  for (const GraphNodeName& name : like) seeds.push_back({name.kind, name.id});
  SEEDCORE_ASSIGN_OR_RETURN(const graph::Embedded embedded, engine.Embed(seeds, 0, call));
  std::vector<float> mean(graph::kDims);
  for (std::size_t i = 0; i < embedded.seeds; ++i) {
    exclude.insert(embedded.nodes[i].node_id);
    const auto vector = embedded.VectorOf(i);
    for (std::size_t d = 0; d < graph::kDims; ++d) mean[d] += vector[d] / static_cast<float>(embedded.seeds);
  }
  return mean;
}

}  // namespace

Result<void> GraphAroundQuery::Validate() const {
  if (max_nodes >= 1) return {};
  return Fail(ErrorCode::kInvalidArgument, "expected 1 or more", "max_nodes");
}

Result<void> GraphSearchRequest::Validate() const {
  if (like.empty() == vector.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "give nodes to compare with, or a vector, and not both", "like");
  }
  if (like.size() > kMaxLike) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("at most {} nodes", kMaxLike), "like");
  }
  if (!vector.empty() && vector.size() != graph::kDims) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected {} numbers, got {}", graph::kDims, vector.size()),
                "vector");
  }
  return {};
}

Result<GraphNodeRead> GraphService::Node(const GraphNodeName& request, const CallContext&) {
  const store::NodeRef ref{request.kind, request.id};
  SEEDCORE_RETURN_IF_ERROR(store::CheckNode(ref));
  SEEDCORE_ASSIGN_OR_RETURN(const auto nodes, engine_.store().Describe(std::vector{ref}));
  if (nodes.empty()) return Fail(ErrorCode::kNotFound, fmt::format("there is no {}", store::ToString(ref)));
  return ToRead(nodes.front());
}

Result<GraphNodeRead> GraphService::PutNode(const GraphEntityWrite& request, const CallContext& call) {
  store::GraphEntity entity;
  entity.ref = {request.kind, request.id};
  entity.name = request.name;
  entity.scope = request.scope;
  entity.version = request.version;
  entity.props = request.props;
  SEEDCORE_ASSIGN_OR_RETURN(const store::NodeRef ref, engine_.store().PutEntity(entity));
  return Node({ref.kind, ref.id}, call);
}

Result<GraphChanged> GraphService::DeleteNode(const GraphNodeName& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const bool deleted, engine_.store().DeleteEntity({request.kind, request.id}));
  return GraphChanged{deleted};
}

Result<GraphAround> GraphService::Around(const GraphAroundQuery& request, const CallContext& call) {
  graph::NeighbourhoodOptions options;
  options.hops = request.k;
  options.direction = request.direction;
  options.fanout = request.fanout;
  options.max_nodes = request.max_nodes;
  SEEDCORE_ASSIGN_OR_RETURN(options.kinds, ReadEdgeKinds(request.edge_kinds));
  const store::NodeRef start{request.kind, request.id};
  SEEDCORE_RETURN_IF_ERROR(Node({request.kind, request.id}, call));
  SEEDCORE_ASSIGN_OR_RETURN(const graph::Neighbourhood around, engine_.Around(std::vector{start}, options, call));
  GraphAround out;
  out.truncated = around.truncated;
  for (std::size_t i = 0; i < around.nodes.size(); ++i) {
    GraphNodeRead read = ToRead(around.nodes[i]);
    read.hop = around.hops[i];
    out.nodes.push_back(std::move(read));
  }
  for (const graph::NeighbourhoodEdge& edge : graph::EdgesOf(around)) {
    out.edges.push_back({edge.kind, around.nodes[edge.src].ref.id, around.nodes[edge.dst].ref.id});
  }
  return out;
}

Result<GraphHits> GraphService::Search(const GraphSearchRequest& request, const CallContext& call) {
  graph::SearchOptions options;
  options.metric = request.metric;
  options.topk = request.topk;
  options.kinds = request.node_kinds;
  std::vector<float> query;
  for (const double x : request.vector) query.push_back(static_cast<float>(x));
  if (query.empty()) {
    SEEDCORE_ASSIGN_OR_RETURN(query, MeanOf(engine_, request.like, options.exclude, call));
  }
  SEEDCORE_ASSIGN_OR_RETURN(const auto hits, engine_.Search(query, std::move(options), call));
  GraphHits out;
  out.model = engine_.model();
  out.model_version = engine_.model_version();
  for (const graph::Hit& hit : hits) {
    out.items.push_back({hit.node.kind, hit.node.id, hit.node_id, hit.label, static_cast<double>(hit.distance)});
  }
  return out;
}

Result<GraphChanged> GraphService::PutEdge(const GraphEdgeRead& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const bool added, engine_.store().PutEdge({request.kind, request.src, request.dst}));
  return GraphChanged{added};
}

Result<GraphChanged> GraphService::DeleteEdge(const GraphEdgeRead& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const bool deleted, engine_.store().DeleteEdge({request.kind, request.src, request.dst}));
  return GraphChanged{deleted};
}

OperationTable<GraphService> GraphOperations() {
  return {"/api/v1/graph",
          "The graph of tasks, facts, agents, organs and what people name beside them",
          {
              Get<&GraphService::Node>("/nodes/{kind}/{id}", "What is known of a node"),
              Put<&GraphService::PutNode>("/nodes/{kind}/{id}",
                                          "Adds or replaces an artifact, capability, memory cell, model, policy, "
                                          "service or skill"),
              Delete<&GraphService::DeleteNode>("/nodes/{kind}/{id}", "Deletes one of these, with its edges"),
              Get<&GraphService::Around>("/neighbourhood", "Nodes within k hops of one, and the edges between them"),
              Post<&GraphService::Search>("/search", "The stored embeddings nearest to some nodes or to a vector"),
              Put<&GraphService::PutEdge>("/edges/{kind}/{src}/{dst}",
                                          "Makes an edge of a kind that does not follow from tasks, facts and the "
                                          "registry"),
              Delete<&GraphService::DeleteEdge>("/edges/{kind}/{src}/{dst}", "Deletes one"),
          },
          ""};
}

}  // namespace seedcore::service
