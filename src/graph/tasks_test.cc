#include "graph/tasks.h"

#include <gmock/gmock.h>

#include "graph/test_world.h"

namespace seedcore::graph {
namespace {

using testing::HasSubstr;

constexpr char kNoTask[] = "00000000-0000-7000-8000-000000000000";

class GraphTasksTest : public testing::Test {
 protected:
  GraphTasksTest() {
    load = world.Submit("load_sales", "load the sales of the north region");
    sum = world.Submit("sum_sales", "sum the sales of the north region", {load});
    fact = world.Work("sales of the north region were 12 million");
    other = world.Submit("check_disk", "is there room on the disk");
  }
  json::object Embed(StartParams params) {
    return Must(RunEmbed(*engine, params, *FindTaskType("graph_embed"), world.call)).result;
  }
  json::object Query(StartParams params) {
    return Must(RunQuery(*engine, params, *FindTaskType("graph_rag_query"), world.call)).result;
  }

  World world;
  std::string load, sum, fact, other;
  std::unique_ptr<Engine> engine = world.MakeEngine();
};

TEST_F(GraphTasksTest, EmbedKeepsAVectorForWhatIsWithinK) {
  StartParams params;
  params.start_task_ids = {load};
  params.k = 1;
  const json::object result = Embed(params);
  // The task, who depends on it, the agent that executed it, and the fact it produced.
  EXPECT_EQ(result.at("embedded"), 4);
  EXPECT_EQ(result.at("embedding_count"), 4);
  EXPECT_EQ(result.at("start_node_count"), 1);
  EXPECT_EQ(result.at("start_debug").at("sources").at("start_task_ids"), 1);
  EXPECT_EQ(result.at("node_meta").as_array().size(), 4U);
  EXPECT_EQ(result.at("truncated"), false);
  EXPECT_EQ(Must(world.graph().CountEmbeddings(engine->model(), engine->model_version())), 4);
}

TEST_F(GraphTasksTest, EmbeddingsDoNotDependOnWhoAsked) {
  StartParams params;
  params.start_task_ids = {load};
  params.k = 2;
  Embed(params);
  params.start_task_ids = {sum};
  params.start_fact_ids = {fact};
  params.chunk = 1;
  const json::object again = Embed(params);
  EXPECT_EQ(again.at("written").at("updated"), 0) << "the same nodes have the same vectors";
  EXPECT_GT(again.at("written").at("unchanged").as_int64(), 0);
}

TEST_F(GraphTasksTest, EmbeddingsFollowTheGraph) {
  StartParams params;
  params.start_task_ids = {load};
  Embed(params);
  world.Submit("more", {}, {load});
  EXPECT_GT(Embed(params).at("written").at("updated").as_int64(), 0);
}

TEST_F(GraphTasksTest, QueryFindsWhatIsAlikeAndNotTheStart) {
  StartParams all;
  all.start_task_ids = {load, sum, other};
  Embed(all);
  StartParams params;
  params.start_task_ids = {load};
  params.node_kinds = {store::NodeKind::kTask};
  const json::object result = Query(params);
  const json::array& neighbors = result.at("neighbors").as_array();
  ASSERT_EQ(neighbors.size(), 2U);
  EXPECT_EQ(neighbors[0].at("id").as_string(), sum);
  EXPECT_EQ(neighbors[1].at("id").as_string(), other);
  EXPECT_LT(neighbors[0].at("score").as_double(), neighbors[1].at("score").as_double());
  EXPECT_EQ(result.at("neighbor_count"), 2);
  EXPECT_EQ(result.at("seed_count"), 1);
  EXPECT_EQ(result.at("topk"), 10);
  EXPECT_EQ(result.at("centroid_computed"), true);
}

TEST_F(GraphTasksTest, FactTypesSayWhatTheyDid) {
  StartParams params;
  params.start_fact_ids = {fact};
  EXPECT_EQ(Must(RunEmbed(*engine, params, *FindTaskType("graph_fact_embed"), world.call)).result.at("operation_type"),
            "fact_embed");
  EXPECT_EQ(Must(RunQuery(*engine, params, *FindTaskType("graph_fact_query"), world.call)).result.at("operation_type"),
            "fact_query");
}

TEST_F(GraphTasksTest, AStartThatDoesNotExistIsNamedAndNotTriedAgain) {
  const auto run = [&](const StartParams& params) {
    return RunEmbed(*engine, params, *FindTaskType("graph_embed"), world.call).error();
  };
  StartParams params;
  params.start_task_ids = {load, kNoTask};
  Error error = run(params);
  EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
  EXPECT_FALSE(IsRetryable(error.code));
  EXPECT_EQ(error.path, "params.start_task_ids");
  EXPECT_THAT(error.message, HasSubstr(kNoTask));
  params = {};
  params.start_node_ids = {4711};
  error = run(params);
  EXPECT_EQ(error.path, "params.start_node_ids");
  EXPECT_THAT(error.message, HasSubstr("4711"));
  EXPECT_THAT(run({}).message, HasSubstr("no node to start from"));
  params = {};
  params.start_task_ids = {load};
  params.k = 99;
  EXPECT_EQ(run(params).path, "params.k");
}

TEST_F(GraphTasksTest, SyncGivesANumberToEverything) {
  const TaskReport report = Must(RunSync(*engine, {}, world.call, world.env));
  EXPECT_EQ(report.result.at("backfill_task_nodes"), 3);
  EXPECT_EQ(report.result.at("added").at("agent"), 1);
  EXPECT_EQ(report.result.at("added").at("fact"), 1);
  EXPECT_EQ(Must(RunSync(*engine, {}, world.call, world.env)).found, 0);
  StartParams by_number;
  by_number.start_node_ids = {Must(world.graph().EnsureNodes(std::vector{World::Task(load)})).front()};
  EXPECT_GT(Embed(by_number).at("embedded").to_number<int>(), 0);
}

TEST_F(GraphTasksTest, ACancelledTaskStops) {
  std::stop_source stop;
  stop.request_stop();
  world.call.stop = stop.get_token();
  StartParams params;
  params.start_task_ids = {load};
  const auto stopped = RunEmbed(*engine, params, *FindTaskType("graph_embed"), world.call);
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().code, ErrorCode::kCancelled);
}

}  // namespace
}  // namespace seedcore::graph
