#include <algorithm>
#include <limits>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/json_binding.h"
#include "store/conformance.h"
#include "store/graph_store.h"

namespace seedcore::store {
namespace {

using std::chrono::hours;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr char kNoTask[] = "00000000-0000-7000-8000-000000000000";

NodeRef TaskRef(const std::string& id) { return {NodeKind::kTask, id}; }

/// "out task__depends_on__task ID"
std::vector<std::string> Lines(const std::vector<Neighbour>& neighbours) {
  std::vector<std::string> lines;
  for (const Neighbour& neighbour : neighbours) {
    lines.push_back(fmt::format("{} {} {} {}", neighbour.from, neighbour.outgoing ? "out" : "in",
                                EnumToString(neighbour.kind), neighbour.id));
  }
  return lines;
}

NodeEmbedding EmbeddingOf(std::int64_t node_id, std::vector<float> vector, std::string hash = "h") {
  NodeEmbedding embedding;
  embedding.node_id = node_id;
  embedding.model = "m";
  embedding.model_version = "1";
  embedding.label = "label";
  embedding.vector = std::move(vector);
  embedding.content_hash = std::move(hash);
  embedding.props = {{"k", 2}};
  return embedding;
}

TEST_P(GraphConformance, DescribesWhatExistsInTheOrderAskedFor) {
  const Task task = Submit({.type = "sum", .description = "adds numbers", .priority = 7});
  const Fact fact = Must(store().facts().Add({"water is wet", {}, {}}));
  Must(store().registry().EnsureOrgan("o1", "utility", {}));
  const std::vector<NodeRef> asked{
      {NodeKind::kFact, fact.id}, TaskRef(kNoTask), {NodeKind::kOrgan, "o1"}, TaskRef(task.id)};
  const auto nodes = Must(store().graph().Describe(asked));
  ASSERT_THAT(nodes, SizeIs(3));
  EXPECT_EQ(nodes[0].ref, asked[0]);
  EXPECT_EQ(nodes[0].text, "water is wet");
  EXPECT_EQ(nodes[1].label, "utility");
  EXPECT_EQ(nodes[2].label, "sum");
  EXPECT_EQ(nodes[2].text, "adds numbers");
  EXPECT_EQ(nodes[2].priority, 7);
  EXPECT_EQ(nodes[2].created_at, env_.WallNow());
  EXPECT_EQ(nodes[2].node_id, 0) << "nobody has asked for one";
}

TEST_P(GraphConformance, NodeKeepsItsNumber) {
  const Task task = SubmitOfType("a");
  const std::vector<NodeRef> nodes{TaskRef(task.id), {NodeKind::kSkill, "sums"}};
  const auto ids = Must(store().graph().EnsureNodes(nodes));
  EXPECT_GT(ids[0], 0);
  EXPECT_NE(ids[0], ids[1]);
  Reopen();
  EXPECT_EQ(Must(store().graph().EnsureNodes(nodes)), ids);
  EXPECT_EQ(Must(store().graph().Describe(nodes))[0].node_id, ids[0]);
  const auto found = Must(store().graph().FindNodes(std::vector<std::int64_t>{ids[1], 999'999, ids[0]}));
  EXPECT_EQ(found, (std::vector<std::optional<NodeRef>>{nodes[1], std::nullopt, nodes[0]}));
}

TEST_P(GraphConformance, RefusesANumberForWhatDoesNotExist) {
  const Task task = SubmitOfType("a");
  const std::vector<NodeRef> nodes{TaskRef(task.id), TaskRef(kNoTask)};
  const auto refused = store().graph().EnsureNodes(nodes);
  EXPECT_EQ(CodeOf(refused), ErrorCode::kNotFound);
  EXPECT_THAT(refused.error().message, HasSubstr(std::string("task ") + kNoTask));
  EXPECT_EQ(Must(store().graph().Describe(nodes))[0].node_id, 0) << "all or none";
  EXPECT_EQ(CodeOf(store().graph().EnsureNodes(std::vector<NodeRef>{TaskRef("not an id")})),
            ErrorCode::kInvalidArgument);
}

TEST_P(GraphConformance, SyncGivesNumbersPageByPage) {
  for (int i = 0; i < 5; ++i) SubmitOfType("a");
  SyncedNodes page = Must(store().graph().SyncNodes(NodeKind::kTask, "", 3));
  EXPECT_EQ(page.seen, 3);
  EXPECT_EQ(page.added, 3);
  page = Must(store().graph().SyncNodes(NodeKind::kTask, page.last, 3));
  EXPECT_EQ(page.seen, 2);
  EXPECT_EQ(page.added, 2);
  EXPECT_EQ(Must(store().graph().SyncNodes(NodeKind::kTask, "", 10)).added, 0);
  EXPECT_EQ(Must(store().graph().SyncNodes(NodeKind::kPolicy, "", 10)).seen, 0);
}

TEST_P(GraphConformance, SeesWhatTasksLeaveBehind) {
  Must(store().registry().EnsureOrgan("o1", "utility", {}));
  Must(store().registry().EnsureAgent("a1", "o1", {}));
  const Task first = SubmitOfType("a");
  const Task second = Submit({.type = "b", .depends_on = {first.id}});
  const Claim claim = ClaimOne();
  Must(End(claim, Completed{},
           {.facts = {{"a fact", {}, {}}},
            .ledger = {{.scope = "agent", .scope_id = "a1", .task_id = first.id, .breakdown = {}}}}));
  const std::string fact = Must(store().facts().Search({})).front().id;
  const std::vector<NodeRef> nodes{TaskRef(first.id), {NodeKind::kAgent, "a1"}};
  EXPECT_THAT(Lines(Must(store().graph().Neighbours(nodes, {}))),
              ElementsAre("0 in task__depends_on__task " + second.id, "0 out task__executed_by__agent a1",
                          "0 out task__produces__fact " + fact, "1 in task__executed_by__agent " + first.id,
                          "1 out agent__member_of__organ o1"));
  EXPECT_THAT(Lines(Must(store().graph().Neighbours(
                  nodes, {.direction = Direction::kOut, .kinds = {EdgeKind::kTaskProducesFact}}))),
              ElementsAre("0 out task__produces__fact " + fact));
}

TEST_P(GraphConformance, TakesTheNewestOfMany) {
  const Task hub = SubmitOfType("hub");
  std::vector<std::string> ids;
  for (int i = 0; i < 5; ++i) {
    Advance(std::chrono::seconds(1));
    ids.push_back(Submit({.type = "b", .depends_on = {hub.id}}).id);
  }
  const auto neighbours = Must(store().graph().Neighbours(std::vector<NodeRef>{TaskRef(hub.id)}, {.fanout = 2}));
  ASSERT_THAT(neighbours, SizeIs(2));
  EXPECT_EQ(neighbours[0].id, ids[4]);
  EXPECT_EQ(neighbours[1].id, ids[3]);
}

TEST_P(GraphConformance, EdgesAreMadeAndDeleted) {
  GraphStore& graph = store().graph();
  const Task task = SubmitOfType("a");
  const NodeRef artifact =
      Must(graph.PutEntity({.ref = {NodeKind::kArtifact, ""}, .name = "file:///a", .scope = "log", .props = {}}));
  const GraphEdge edge{EdgeKind::kTaskProducesArtifact, task.id, artifact.id};
  EXPECT_TRUE(Must(graph.PutEdge(edge)));
  EXPECT_FALSE(Must(graph.PutEdge(edge))) << "it is there already";
  EXPECT_THAT(Lines(Must(graph.Neighbours(std::vector<NodeRef>{artifact}, {}))),
              ElementsAre("0 in task__produces__artifact " + task.id));
  EXPECT_TRUE(Must(graph.DeleteEdge(edge)));
  EXPECT_FALSE(Must(graph.DeleteEdge(edge)));
  EXPECT_THAT(Must(graph.Neighbours(std::vector<NodeRef>{artifact}, {})), IsEmpty());
}

TEST_P(GraphConformance, EdgeNeedsBothEnds) {
  GraphStore& graph = store().graph();
  const Task task = SubmitOfType("a");
  const auto refused = graph.PutEdge({EdgeKind::kTaskOwnedByAgent, task.id, "nobody"});
  EXPECT_EQ(CodeOf(refused), ErrorCode::kNotFound);
  EXPECT_THAT(refused.error().message, HasSubstr("agent nobody"));
  EXPECT_EQ(CodeOf(graph.PutEdge({EdgeKind::kTaskDependsOnTask, task.id, task.id})), ErrorCode::kInvalidArgument)
      << "it is derived";
  // Models, policies, services and skills are nothing but their names.
  Must(store().registry().EnsureOrgan("o1", "utility", {}));
  EXPECT_TRUE(Must(graph.PutEdge({EdgeKind::kOrganProvidesSkill, "o1", "sums"})));
  EXPECT_THAT(Must(graph.Describe(std::vector<NodeRef>{{NodeKind::kSkill, "sums"}})), SizeIs(1));
}

TEST_P(GraphConformance, NamesThatMustBeUniqueAre) {
  GraphStore& graph = store().graph();
  const NodeRef sums =
      Must(graph.PutEntity({.ref = {NodeKind::kCapability, ""}, .name = "sums", .scope = {}, .props = {}}));
  EXPECT_EQ(CodeOf(graph.PutEntity({.ref = {NodeKind::kCapability, ""}, .name = "sums", .scope = {}, .props = {}})),
            ErrorCode::kConflict);
  Must(graph.PutEntity({.ref = sums, .name = "adds", .scope = {}, .props = {}}));
  EXPECT_EQ(Must(graph.Describe(std::vector<NodeRef>{sums}))[0].label, "adds");
  GraphEntity cell{.ref = {NodeKind::kMemoryCell, ""}, .name = "k", .scope = "s", .version = 1, .props = {}};
  Must(graph.PutEntity(cell));
  EXPECT_EQ(CodeOf(graph.PutEntity(cell)), ErrorCode::kConflict);
  cell.version = 2;
  Must(graph.PutEntity(cell));
  EXPECT_EQ(CodeOf(graph.PutEntity({.ref = TaskRef(kNoTask), .name = {}, .scope = {}, .props = {}})),
            ErrorCode::kInvalidArgument);
}

TEST_P(GraphConformance, ForgetsWhatIsDeleted) {
  GraphStore& graph = store().graph();
  const Task task = SubmitOfType("a");
  Must(End(ClaimOne(), Completed{}));
  const NodeRef artifact =
      Must(graph.PutEntity({.ref = {NodeKind::kArtifact, ""}, .name = "file:///a", .scope = "", .props = {}}));
  Must(graph.PutEdge({EdgeKind::kTaskProducesArtifact, task.id, artifact.id}));
  const auto ids = Must(graph.EnsureNodes(std::vector<NodeRef>{TaskRef(task.id), artifact}));
  Must(graph.PutEmbeddings(std::vector{EmbeddingOf(ids[0], {1.0F}), EmbeddingOf(ids[1], {2.0F})}));
  Advance(hours(1));
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow(), 10)), 1);
  EXPECT_THAT(Must(graph.Neighbours(std::vector<NodeRef>{artifact}, {})), IsEmpty());
  EXPECT_EQ(Must(graph.FindNodes(ids))[0], std::nullopt);
  EXPECT_EQ(Must(graph.CountEmbeddings("m", "1")), 1);
  EXPECT_TRUE(Must(graph.DeleteEntity(artifact)));
  EXPECT_FALSE(Must(graph.DeleteEntity(artifact)));
  EXPECT_EQ(Must(graph.CountEmbeddings("m", "1")), 0);
}

TEST_P(GraphConformance, EmbeddingsComeBackToTheLastBit) {
  GraphStore& graph = store().graph();
  const auto ids = Must(graph.EnsureNodes(std::vector<NodeRef>{{NodeKind::kSkill, "s"}, {NodeKind::kSkill, "t"}}));
  const std::vector<float> vector{0.1F, -1.0F / 3.0F, 1e-38F, 3.4e38F, 0.0F, 16'777'217.0F};
  Must(graph.PutEmbeddings(std::vector{EmbeddingOf(ids[0], vector), EmbeddingOf(ids[1], {1.0F})}));
  Reopen();
  const auto read = Must(store().graph().Embeddings("m", "1", ids));
  ASSERT_THAT(read, SizeIs(2));
  EXPECT_EQ(read[0].vector, vector);
  EXPECT_EQ(read[0].node, (NodeRef{NodeKind::kSkill, "s"}));
  EXPECT_EQ(read[0].label, "label");
  EXPECT_EQ(read[0].content_hash, "h");
  EXPECT_EQ(read[0].props, (json::object{{"k", 2}}));
  EXPECT_THAT(Must(store().graph().Embeddings("m", "2", ids)), IsEmpty()) << "another version";
}

TEST_P(GraphConformance, EmbeddingOfTheSameContentChangesNothing) {
  GraphStore& graph = store().graph();
  const auto ids = Must(graph.EnsureNodes(std::vector<NodeRef>{{NodeKind::kSkill, "s"}, {NodeKind::kSkill, "t"}}));
  auto written = Must(graph.PutEmbeddings(std::vector{EmbeddingOf(ids[0], {1.0F})}));
  EXPECT_EQ(written.inserted, 1);
  const WallTime before = env_.WallNow();
  Advance(hours(1));
  written = Must(graph.PutEmbeddings(std::vector{EmbeddingOf(ids[0], {1.0F}), EmbeddingOf(ids[1], {2.0F})}));
  EXPECT_EQ(written.inserted, 1);
  EXPECT_EQ(written.unchanged, 1);
  EXPECT_EQ(Must(graph.Embeddings("m", "1", ids))[0].updated_at, before);
  written = Must(graph.PutEmbeddings(std::vector{EmbeddingOf(ids[0], {3.0F}, "other")}));
  EXPECT_EQ(written.updated, 1);
  EXPECT_THAT(Must(graph.Embeddings("m", "1", ids))[0].vector, ElementsAre(3.0F));
}

TEST_P(GraphConformance, EmbeddingsThatCannotBeAreRefused) {
  GraphStore& graph = store().graph();
  const auto ids = Must(graph.EnsureNodes(std::vector<NodeRef>{{NodeKind::kSkill, "s"}}));
  EXPECT_EQ(CodeOf(graph.PutEmbeddings(std::vector{EmbeddingOf(ids[0], {1.0F}), EmbeddingOf(999'999, {1.0F})})),
            ErrorCode::kNotFound);
  EXPECT_EQ(Must(graph.CountEmbeddings("m", "1")), 0) << "all or none";
  EXPECT_EQ(CodeOf(graph.PutEmbeddings(std::vector{EmbeddingOf(ids[0], {})})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(graph.PutEmbeddings(std::vector{EmbeddingOf(ids[0], {std::numeric_limits<float>::quiet_NaN()})})),
            ErrorCode::kInvalidArgument);
}

TEST_P(GraphConformance, EmbeddingsAreReadPageByPage) {
  GraphStore& graph = store().graph();
  std::vector<NodeRef> nodes;
  for (int i = 0; i < 5; ++i)
    nodes.push_back({i % 2 == 0 ? NodeKind::kSkill : NodeKind::kModel, fmt::format("n{}", i)});
  auto ids = Must(graph.EnsureNodes(nodes));
  std::vector<NodeEmbedding> embeddings;
  for (const std::int64_t id : ids) embeddings.push_back(EmbeddingOf(id, {static_cast<float>(id)}));
  Must(graph.PutEmbeddings(embeddings));
  EmbeddingScan scan{.model = "m", .model_version = "1", .kinds = {}, .limit = 3};
  std::vector<std::int64_t> seen;
  for (auto page = Must(graph.ScanEmbeddings(scan)); !page.empty(); page = Must(graph.ScanEmbeddings(scan))) {
    for (const NodeEmbedding& embedding : page) seen.push_back(embedding.node_id);
    scan.after_node_id = page.back().node_id;
  }
  std::ranges::sort(ids);
  EXPECT_EQ(seen, ids);
  EXPECT_THAT(Must(graph.ScanEmbeddings({.model = "m", .model_version = "1", .kinds = {NodeKind::kModel}})), SizeIs(2));
}

}  // namespace
}  // namespace seedcore::store
