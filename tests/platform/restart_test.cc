// What is kept when the process ends, and who may use the data meanwhile.
#include <gtest/gtest.h>

#include "support/running_platform.h"

namespace seedcore::test {
namespace {

TEST(Restart, TasksFactsAndHistorySurvive) {
  RunningPlatform platform;
  const Reply done = platform.Complete(R"({"type":"general_query","description":"6 * 7"})");
  const std::string waiting = platform.Submit(R"({"type":"health_check","run_immediately":false})");
  platform.Complete(R"({"type":"fact_store","params":{"text":"the gate opens at nine"}})");
  platform.Restart();
  const Reply again = platform.tasks().Get("/api/v1/tasks/" + done.Text("id"));
  EXPECT_EQ(again.text, done.text) << "not a letter changes";
  EXPECT_EQ(platform.tasks().Get("/api/v1/tasks/" + done.Text("id") + "/events").Array("events").size(), 3U);
  EXPECT_EQ(platform.tasks().Get("/api/v1/facts?q=gate").Array("items").size(), 1U);
  ASSERT_EQ(platform.tasks().Post("/api/v1/tasks/" + waiting + "/run").status, 200);
  platform.Await(waiting, "completed");
  EXPECT_EQ(platform.StoredTasks(), 3);
}

TEST(Restart, TasksThatWereQueuedRunAfterIt) {
  RunningPlatform platform;
  // In the future, so that it is queued for sure when the process ends.
  const std::string id = platform.Submit(R"({"type":"health_check","run_after":"2999-01-01T00:00:00Z"})");
  platform.Restart();
  EXPECT_EQ(platform.tasks().Get("/api/v1/tasks/" + id).Text("status"), "queued");
  ASSERT_EQ(platform.tasks().Post("/api/v1/tasks/" + id + "/cancel").status, 200);
}

TEST(Restart, AnotherPlatformOnTheSameDataGetsOneClearError) {
  RunningPlatform platform;
  const auto second = app::Platform::Start(TestSettings(platform.folder() / "data"), RealEnv());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(ToString(second.error()).find((platform.folder() / "data").string()), std::string::npos)
      << ToString(second.error());
  platform.Complete(R"({"type":"health_check"})");
}

TEST(Restart, APortThatIsTakenGetsOneClearErrorAndLeavesTheDataFree) {
  RunningPlatform platform;
  const TemporaryFolder folder;
  settings::Settings settings = TestSettings(folder.path() / "data");
  settings.server.api_listen.port = platform.tasks().port();
  const auto second = app::Platform::Start(settings, RealEnv());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_NE(ToString(second.error()).find(std::to_string(platform.tasks().port())), std::string::npos)
      << ToString(second.error());
  settings.server.api_listen.port = 0;
  EXPECT_TRUE(app::Platform::Start(settings, RealEnv())) << "nothing was left running";
}

}  // namespace
}  // namespace seedcore::test
