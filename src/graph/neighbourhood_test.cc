#include "graph/neighbourhood.h"

#include <gmock/gmock.h>

#include "graph/test_world.h"

namespace seedcore::graph {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::SizeIs;

class NeighbourhoodTest : public testing::Test {
 protected:
  Neighbourhood Around(const std::string& task, NeighbourhoodOptions options) {
    return Must(Explore(world.graph(), std::vector{World::Task(task)}, options, world.call, world.env));
  }
  static std::vector<std::string> Ids(const Neighbourhood& around) {
    std::vector<std::string> ids;
    for (const store::GraphNode& node : around.nodes) ids.push_back(node.ref.id);
    return ids;
  }

  World world;
};

TEST_F(NeighbourhoodTest, GrowsHopByHop) {
  const std::string a = world.Submit("a"), b = world.Submit("b", {}, {a}), c = world.Submit("c", {}, {b}),
                    d = world.Submit("d", {}, {c});
  EXPECT_THAT(Ids(Around(a, {.hops = 0, .kinds = {}})), ElementsAre(a));
  EXPECT_THAT(Ids(Around(a, {.hops = 2, .kinds = {}})), ElementsAre(a, b, c));
  const Neighbourhood around = Around(b, {.hops = 2, .kinds = {}});
  EXPECT_THAT(Ids(around), ElementsAre(b, a, c, d));
  EXPECT_THAT(around.hops, ElementsAre(0, 1, 1, 2));
  EXPECT_THAT(EdgesOf(around), SizeIs(3));
}

TEST_F(NeighbourhoodTest, KeepsToADirectionAndToKinds) {
  const std::string a = world.Submit("a"), b = world.Submit("b", {}, {a});
  const std::string fact = world.Work("one");
  EXPECT_THAT(Ids(Around(a, {.hops = 1, .direction = store::Direction::kOut, .kinds = {}})),
              ElementsAre(a, "a1", fact));
  EXPECT_THAT(Ids(Around(a, {.hops = 1, .direction = store::Direction::kIn, .kinds = {}})), ElementsAre(a, b));
  EXPECT_THAT(Ids(Around(a, {.hops = 1, .kinds = {store::EdgeKind::kTaskProducesFact}})), ElementsAre(a, fact));
}

TEST_F(NeighbourhoodTest, StopsAtItsBoundsAndSaysSo) {
  const std::string hub = world.Submit("hub");
  for (int i = 0; i < 5; ++i) world.Submit("b", {}, {hub});
  const Neighbourhood few = Around(hub, {.hops = 1, .kinds = {}, .max_nodes = 3});
  EXPECT_THAT(few.nodes, SizeIs(3));
  EXPECT_TRUE(few.truncated);
  const Neighbourhood thin = Around(hub, {.hops = 1, .kinds = {}, .max_edges = 2});
  EXPECT_THAT(EdgesOf(thin), SizeIs(2));
  EXPECT_TRUE(thin.truncated);
  EXPECT_FALSE(Around(hub, {.hops = 1, .kinds = {}}).truncated);
}

TEST_F(NeighbourhoodTest, NamesAStartThatDoesNotExist) {
  const auto refused = Explore(world.graph(), std::vector{World::Task("00000000-0000-7000-8000-000000000000")},
                               {.kinds = {}}, world.call, world.env);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(refused.error().message, HasSubstr("there is no task 00000000-0000-7000-8000-000000000000"));
}

TEST_F(NeighbourhoodTest, BecomesCompressedRows) {
  const std::string a = world.Submit("a"), b = world.Submit("b", {}, {a}), c = world.Submit("c", {}, {a});
  const Csr csr = ToCsr(Around(a, {.hops = 1, .kinds = {}, .expand_last = true}));
  EXPECT_THAT(csr.offsets, ElementsAre(0, 2, 3, 4));
  EXPECT_THAT(csr.targets, ElementsAre(1, 2, 0, 0));
}

}  // namespace
}  // namespace seedcore::graph
