// What the probes say, and that they tell the truth when a part cannot serve.
#include <array>
#include <filesystem>

#include <gtest/gtest.h>

#include "app/engine.h"
#include "support/faulty_env.h"
#include "support/running_platform.h"

namespace seedcore::test {
namespace {

constexpr std::array kServices{"ml", "cognitive", "pipeline", "state", "energy", "organism"};

TEST(Health, EveryServiceAndTheProcessCanServeRightAfterTheStart) {
  RunningPlatform platform;
  for (const std::string service : kServices) {
    const Reply health = platform.services().Get("/" + service + "/health");
    EXPECT_EQ(health.status, 200) << service << ": " << health.text;
    // The state has no source for the memory yet, and says so.
    EXPECT_EQ(health.Text("status"), service == "state" ? "degraded" : "healthy") << service << ": " << health.text;
  }
  EXPECT_EQ(platform.services().Get("/state/health").Text("parts.memory"), "false");
  EXPECT_EQ(platform.services().Get("/state/health").Text("parts.agents"), "true");
  EXPECT_EQ(platform.tasks().Get("/health").status, 200);
  const Reply ready = platform.tasks().Get("/readyz");
  EXPECT_EQ(ready.status, 200) << ready.text;
  EXPECT_EQ(ready.Text("deps.db"), "ok");
  EXPECT_EQ(ready.Text("deps.dispatcher"), "ok");
}

TEST(Health, WithoutTheOrganismNothingCanBeExecutedAndTheCoordinatorSaysSo) {
  RunningPlatform platform;
  ASSERT_EQ(platform.services().Post("/organism/shutdown").status, 200);
  EXPECT_EQ(platform.services().Get("/organism/health").status, 503);
  const Reply coordinator = platform.services().Get("/pipeline/health");
  EXPECT_EQ(coordinator.status, 503) << coordinator.text;
  EXPECT_NE(coordinator.Text("parts.organism"), "ok");
  EXPECT_EQ(coordinator.Text("parts.ml"), "ok");
  EXPECT_EQ(platform.services().Get("/ml/health").status, 200) << "ML needs no organism";

  ASSERT_EQ(platform.services().Post("/organism/initialize").status, 200);
  EXPECT_EQ(platform.services().Get("/organism/health").status, 200);
  EXPECT_EQ(platform.services().Get("/pipeline/health").status, 200);
}

TEST(Health, AStoreThatCannotBeWrittenIsNotReadyAndSaysWhy) {
  FaultyEnv env;
  RunningPlatform platform({}, env);
  env.Arm("store.commit", {ErrorCode::kResourceExhausted, "the disk is full", ""});
  const Reply ready = platform.tasks().Get("/readyz");
  EXPECT_EQ(ready.status, 503) << ready.text;
  EXPECT_NE(ready.Text("deps.db").find("the disk is full"), std::string::npos) << ready.text;
  EXPECT_EQ(platform.tasks().Get("/health").status, 200) << "the process is alive all the same";
  const Reply submit = platform.tasks().Post("/api/v1/tasks", R"({"type":"health_check"})");
  EXPECT_GE(submit.status, 400) << submit.text;
  EXPECT_NE(submit.Text("error.message"), "null");

  env.Disarm("store.commit");
  EXPECT_EQ(platform.tasks().Get("/readyz").status, 200);
  EXPECT_EQ(platform.StoredTasks(), 0) << "what was refused is not stored";
  platform.Complete(R"({"type":"health_check"})");
}

TEST(Health, AReplicaIsReplacedWhenItsStoreCannotBeWrittenAndForNothingElse) {
  FaultyEnv env;
  const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "seedcore-replica-health";
  std::filesystem::remove_all(folder);
  {
    // Nobody answers at the gateway: services that are down must not take their callers with them.
    const auto engine = app::ServiceEngine::Start({.service = "coordinator",
                                                   .gateway_url = "http://127.0.0.1:9",
                                                   .user_config = {{"store.data_dir", folder.string()}},
                                                   .settings_file = {}},
                                                  env);
    ASSERT_TRUE(engine) << ToString(engine.error());
    EXPECT_TRUE((*engine)->CheckHealth());
    env.Arm("store.commit", {ErrorCode::kResourceExhausted, "the disk is full", ""});
    const auto full = (*engine)->CheckHealth();
    ASSERT_FALSE(full);
    EXPECT_NE(ToString(full.error()).find("the disk is full"), std::string::npos) << ToString(full.error());
    env.Disarm("store.commit");
    EXPECT_TRUE((*engine)->CheckHealth());
  }
  std::filesystem::remove_all(folder);
}

TEST(Health, AStoreThatCannotBeReadStopsTheServicesThatNeedIt) {
  FaultyEnv env;
  RunningPlatform platform({}, env);
  env.Arm("store.read", {ErrorCode::kUnavailable, "the disk is gone", ""});
  const Reply coordinator = platform.services().Get("/pipeline/health");
  EXPECT_EQ(coordinator.status, 503) << coordinator.text;
  EXPECT_NE(coordinator.Text("parts.store").find("the disk is gone"), std::string::npos) << coordinator.text;
  EXPECT_EQ(platform.tasks().Get("/readyz").status, 503);
  env.Disarm("store.read");
  EXPECT_EQ(platform.services().Get("/pipeline/health").status, 200);
}

}  // namespace
}  // namespace seedcore::test
