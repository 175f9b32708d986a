// Graph tasks over tasks that were really executed, and the graph API.
#include <gtest/gtest.h>

#include "support/running_platform.h"

namespace seedcore::test {
namespace {

/// Two tasks, the second waits for the first, which produces a fact. Their ids.
std::pair<std::string, std::string> TwoTasks(RunningPlatform& platform) {
  const std::string first = platform.Submit(
      R"({"type":"fact_store","description":"keep it","params":{"text":"the pump in hall 7 leaks","tags":["pump"]}})");
  const std::string second =
      platform.Submit(R"({"type":"general_query","description":"what is 6 * 7?","depends_on":[")" + first + R"("]})");
  platform.Await(second, "completed");
  return {first, second};
}

TEST(Graph, EmbedAndQueryGoOverWhatTasksLeftBehind) {
  RunningPlatform platform;
  const auto [first, second] = TwoTasks(platform);
  const Reply embed =
      platform.Complete(R"({"type":"graph_embed","params":{"k":1,"start_task_ids":[")" + first + R"("]}})");
  const std::string report = "result.payload.result.";
  // The task, the one that waited for it, the agent that executed it and the fact it produced.
  EXPECT_EQ(embed.Text(report + "embedded"), "4") << embed.text;
  const Reply query = platform.Complete(
      R"({"type":"graph_rag_query","params":{"k":0,"node_kinds":["task"],"start_task_ids":[")" + first + R"("]}})");
  EXPECT_EQ(query.Text(report + "neighbors.0.id"), second) << query.text;
  EXPECT_EQ(query.Text(report + "neighbor_count"), "1");
}

TEST(Graph, AStartThatDoesNotExistFailsTheTaskAtOnce) {
  RunningPlatform platform;
  const std::string id =
      platform.Submit(R"({"type":"graph_embed","params":{"start_task_ids":["00000000-0000-7000-8000-000000000000"]}})");
  const Reply task = platform.Await(id, "failed");
  EXPECT_EQ(task.Text("error_code"), "invalid_argument") << task.text;
  EXPECT_EQ(task.Text("attempts"), "1");
}

TEST(Graph, NodesNeighborhoodsEdgesAndSearchAreServed) {
  RunningPlatform platform;
  const auto [first, second] = TwoTasks(platform);
  Caller& api = platform.tasks();
  EXPECT_EQ(api.Get("/api/v1/graph/nodes/task/" + first).Text("label"), "fact_store");
  EXPECT_EQ(api.Get("/api/v1/graph/nodes/task/00000000-0000-7000-8000-000000000000").status, 404);
  EXPECT_EQ(api.Get("/api/v1/graph/nodes/planet/x").status, 422);

  const std::string artifact = "0190a000-0000-7000-8000-000000000001";
  const auto put = [&](const std::string& target, const std::string& body) {
    return api.Send(net::Method::kPut, "/api/v1/graph" + target, body);
  };
  EXPECT_EQ(put("/nodes/artifact/" + artifact, R"({"name":"file:///report","scope":"report"})").status, 200);
  const std::string edge = "/edges/task__produces__artifact/" + first + "/" + artifact;
  EXPECT_EQ(put(edge, "{}").Text("changed"), "true");
  EXPECT_EQ(put(edge, "{}").Text("changed"), "false");
  EXPECT_EQ(put("/edges/task__depends_on__task/" + first + "/" + second, "{}").status, 422) << "it is derived";

  const Reply around = api.Get("/api/v1/graph/neighbourhood?kind=task&id=" + first +
                               "&edge_kinds=" + "task__produces__artifact,task__depends_on__task");
  EXPECT_EQ(around.Array("nodes").size(), 3U) << around.text;
  EXPECT_EQ(around.Text("nodes.0.hop"), "0");
  EXPECT_EQ(around.Array("edges").size(), 2U) << around.text;

  platform.Complete(R"({"type":"graph_embed","params":{"start_task_ids":[")" + first + R"("]}})");
  const Reply hits = api.Post("/api/v1/graph/search", R"({"like":[{"kind":"task","id":")" + first +
                                                          R"("}],"node_kinds":["artifact"],"metric":"cosine"})");
  EXPECT_EQ(hits.Text("items.0.id"), artifact) << hits.text;
  EXPECT_EQ(api.Post("/api/v1/graph/search", "{}").status, 422);
  EXPECT_EQ(api.Send(net::Method::kDelete, "/api/v1/graph" + edge).Text("changed"), "true");
}

TEST(Graph, AreLeftToGraphDispatchersWhenToldSo) {
  RunningPlatform platform([](settings::Settings& settings) { settings.graph.dispatch_elsewhere = true; });
  const std::string id = platform.Submit(R"({"type":"graph_sync_nodes"})");
  platform.Complete(R"({"type":"health_check"})");
  EXPECT_EQ(platform.tasks().Get("/api/v1/tasks/" + id).Text("status"), "queued");
}

}  // namespace
}  // namespace seedcore::test
