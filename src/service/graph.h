#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "graph/engine.h"
#include "service/operation.h"

/// The graph API, `/api/v1/graph`: nodes, what is around them, what is like them, and the edges that people make.
namespace seedcore::service {

struct GraphNodeName {
  store::NodeKind kind = store::NodeKind::kTask;
  std::string id;
  static constexpr auto kFields = Fields(Required("kind", &GraphNodeName::kind, "Kind of the node"),
                                         Required("id", &GraphNodeName::id, "Full id, or the name"));
};

struct GraphNodeRead {
  store::NodeKind kind = store::NodeKind::kTask;
  std::string id;
  std::optional<std::int64_t> node_id;
  std::string label;
  std::string text;
  WallTime created_at;
  std::optional<int> hop;
  static constexpr auto kFields =
      Fields(Required("kind", &GraphNodeRead::kind, "Kind of the node"),
             Required("id", &GraphNodeRead::id, "Id of what it stands for"),
             Optional("node_id", &GraphNodeRead::node_id, "Number, once it has been given one"),
             Required("label", &GraphNodeRead::label, "Type, kind, scope or name"),
             Required("text", &GraphNodeRead::text, "Description or text, its beginning"),
             Required("created_at", &GraphNodeRead::created_at, "Made"),
             Sparse("hop", &GraphNodeRead::hop, "Hops from the start, in a neighborhood"));
};

struct GraphEntityWrite {
  store::NodeKind kind = store::NodeKind::kArtifact;
  std::string id;
  std::string name;
  std::string scope;
  int version = 1;
  json::object props;
  static constexpr auto kFields = Fields(
      Required("kind", &GraphEntityWrite::kind, "artifact, capability, memory_cell, model, policy, service or skill"),
      Required("id", &GraphEntityWrite::id, "UUID of an artifact, a capability or a memory cell, else the name"),
      Optional("name", &GraphEntityWrite::name, "URI of an artifact, name of a capability, key of a memory cell"),
      Optional("scope", &GraphEntityWrite::scope, "Kind of an artifact, scope of a memory cell"),
      Optional("version", &GraphEntityWrite::version, "Of a memory cell"),
      Optional("props", &GraphEntityWrite::props, "Anything else, as JSON"));
};

struct GraphAroundQuery {
  store::NodeKind kind = store::NodeKind::kTask;
  std::string id;
  int k = 1;
  store::Direction direction = store::Direction::kBoth;
  std::string edge_kinds;
  int fanout = 64;
  int max_nodes = 500;
  static constexpr auto kFields =
      Fields(Required("kind", &GraphAroundQuery::kind, "Kind of the node to start from"),
             Required("id", &GraphAroundQuery::id, "Its full id, or its name"),
             Optional("k", &GraphAroundQuery::k, "Hops, 0 to 16"),
             Optional("direction", &GraphAroundQuery::direction, "out, in or both"),
             Sparse("edge_kinds", &GraphAroundQuery::edge_kinds, "Only these, separated by commas"),
             Optional("fanout", &GraphAroundQuery::fanout, "Newest neighbors of a node per kind and direction"),
             Optional("max_nodes", &GraphAroundQuery::max_nodes, "At most this many, within graph.max_nodes"));
  [[nodiscard]] Result<void> Validate() const;
};

struct GraphEdgeRead {
  store::EdgeKind kind = store::EdgeKind::kTaskOwnedByAgent;
  std::string src;
  std::string dst;
  static constexpr auto kFields = Fields(Required("kind", &GraphEdgeRead::kind, "Kind of the edge"),
                                         Required("src", &GraphEdgeRead::src, "Id of the node it leaves"),
                                         Required("dst", &GraphEdgeRead::dst, "Id of the node it enters"));
};

struct GraphAround {
  std::vector<GraphNodeRead> nodes;
  std::vector<GraphEdgeRead> edges;
  bool truncated = false;
  static constexpr auto kFields = Fields(Required("nodes", &GraphAround::nodes, "Breadth first, the start first"),
                                         Required("edges", &GraphAround::edges, "Between these nodes"),
                                         Required("truncated", &GraphAround::truncated, "A bound left something out"));
};

struct GraphSearchRequest {
  std::vector<GraphNodeName> like;
  std::vector<double> vector;
  int topk = 10;
  graph::Metric metric = graph::Metric::kL2;
  std::vector<store::NodeKind> node_kinds;
  static constexpr auto kFields =
      Fields(Optional("like", &GraphSearchRequest::like,
                      "Nodes to compare with: they are embedded now, and are not among the hits; 1 to 1000"),
             Optional("vector", &GraphSearchRequest::vector, "Or 128 numbers to compare with"),
             Optional("topk", &GraphSearchRequest::topk, "Hits, 1 to 1000"),
             Optional("metric", &GraphSearchRequest::metric, "l2 or cosine"),
             Optional("node_kinds", &GraphSearchRequest::node_kinds, "Only hits of these kinds"));
  [[nodiscard]] Result<void> Validate() const;
};

struct GraphHit {
  store::NodeKind kind = store::NodeKind::kTask;
  std::string id;
  std::int64_t node_id = 0;
  std::string label;
  double distance = 0.0;
  static constexpr auto kFields =
      Fields(Required("kind", &GraphHit::kind, "Kind of the node"), Required("id", &GraphHit::id, "Its id"),
             Required("node_id", &GraphHit::node_id, "Its number"),
             Required("label", &GraphHit::label, "Its label when it was embedded"),
             Required("distance", &GraphHit::distance, "Smaller is nearer"));
};

struct GraphHits {
  std::string model;
  std::string model_version;
  std::vector<GraphHit> items;
  static constexpr auto kFields = Fields(Required("model", &GraphHits::model, "What made the embeddings"),
                                         Required("model_version", &GraphHits::model_version, "Which version of it"),
                                         Required("items", &GraphHits::items, "Nearest first"));
};

struct GraphChanged {
  bool changed = false;
  static constexpr auto kFields =
      Fields(Required("changed", &GraphChanged::changed, "Whether anything is other than before"));
};

/// Thread-safe; everything it knows is in the store.
class GraphService {
 public:
  explicit GraphService(const graph::Engine& engine) : engine_(engine) {}

  Result<GraphNodeRead> Node(const GraphNodeName& request, const CallContext& call);
  Result<GraphNodeRead> PutNode(const GraphEntityWrite& request, const CallContext& call);
  Result<GraphChanged> DeleteNode(const GraphNodeName& request, const CallContext& call);
  Result<GraphAround> Around(const GraphAroundQuery& request, const CallContext& call);
  Result<GraphHits> Search(const GraphSearchRequest& request, const CallContext& call);
  Result<GraphChanged> PutEdge(const GraphEdgeRead& request, const CallContext& call);
  Result<GraphChanged> DeleteEdge(const GraphEdgeRead& request, const CallContext& call);

 private:
  const graph::Engine& engine_;
};

[[nodiscard]] OperationTable<GraphService> GraphOperations();

}  // namespace seedcore::service
