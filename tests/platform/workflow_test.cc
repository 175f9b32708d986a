// Workflows from outside: steps side by side, a person's answer, replay and fork, across restarts.
#include <gmock/gmock.h>

#include "support/running_platform.h"

namespace seedcore::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr char kWithApproval[] = R"({"type":"workflow","params":{"steps":[
  {"step_id":"note","task":{"type":"fact_store","params":{"text":"the owl was fed"}}},
  {"step_id":"sum","task":{"type":"general_query","description":"6 * 7"}},
  {"step_id":"approve","hold":{"reason":"go on?"},"depends_on":["note","sum"]},
  {"step_id":"find","task":{"type":"fact_search","params":{"query":"owl"}},"depends_on":["approve"]}]}})";

std::string Steps(RunningPlatform& platform, const std::string& id) {
  std::string out;
  for (const json::value& step : platform.tasks().Get("/api/v1/tasks/" + id + "/steps").Array("items")) {
    out += std::string(step.at("name").as_string()) + ":" + std::string(step.at("status").as_string()) + ":" +
           std::to_string(step.at("attempt").as_int64()) + " ";
  }
  return out;
}

TEST(Workflow, WaitsForAPersonAcrossARestartAndRunsNoStepTwice) {
  RunningPlatform platform;
  const std::string id = platform.Submit(kWithApproval);
  platform.Await(id, "created");
  EXPECT_EQ(platform.tasks().Get("/api/v1/tasks/" + id).Text("hold_reason"), "step 'approve': go on?");
  const std::string before = "note:completed:1 sum:completed:1 approve:waiting:0 find:pending:0 ";
  EXPECT_EQ(Steps(platform, id), before);
  platform.Restart();
  EXPECT_EQ(Steps(platform, id), before);
  const std::string resume = "/api/v1/tasks/" + id + "/steps/approve/resume";
  ASSERT_EQ(platform.tasks().Post(resume, R"({"answer":{"who":"Ada"}})").status, 200);
  EXPECT_EQ(platform.tasks().Post(resume, R"({"answer":1})").status, 409);
  const Reply done = platform.Await(id, "completed");
  EXPECT_EQ(Steps(platform, id), "note:completed:1 sum:completed:1 approve:completed:0 find:completed:1 ");
  EXPECT_EQ(platform.tasks().Get("/api/v1/facts?q=owl").Array("items").size(), 1U) << "the effect of the step, once";
  const auto items = platform.tasks().Get("/api/v1/tasks/" + id + "/steps").Array("items");
  EXPECT_EQ(items[2].at("result"), json::value({{"who", "Ada"}}));
}

TEST(Workflow, ARefusalFailsTheTaskAndSkipsWhatDependsOnIt) {
  RunningPlatform platform;
  const std::string id = platform.Submit(kWithApproval);
  platform.Await(id, "created");
  ASSERT_EQ(platform.tasks()
                .Post("/api/v1/tasks/" + id + "/steps/approve/resume", R"({"refuse":true,"reason":"not today"})")
                .status,
            200);
  const Reply failed = platform.Await(id, "failed");
  EXPECT_EQ(failed.Text("error"), "step 'approve': refused: not today");
  EXPECT_EQ(Steps(platform, id), "note:completed:1 sum:completed:1 approve:failed:0 find:skipped:0 ");
  // Asked again by a replay from there.
  ASSERT_EQ(platform.tasks().Post("/api/v1/tasks/" + id + "/replay", R"({"from_step":"approve"})").status, 200);
  platform.Await(id, "created", "replayed");
  ASSERT_EQ(platform.tasks().Post("/api/v1/tasks/" + id + "/steps/approve/resume", R"({"answer":true})").status, 200);
  platform.Await(id, "completed", "replayed");
  EXPECT_EQ(platform.tasks().Get("/api/v1/facts?q=owl").Array("items").size(), 1U);
}

TEST(Workflow, AForkGoesOnFromAStep) {
  RunningPlatform platform;
  const std::string id = platform.Submit(kWithApproval);
  platform.Await(id, "created");
  const Reply fork = platform.tasks().Post("/api/v1/tasks/" + id + "/fork", R"({"from_step":"sum"})");
  ASSERT_EQ(fork.status, 200) << fork.text;
  platform.Await(fork.Text("id"), "created");
  EXPECT_EQ(Steps(platform, fork.Text("id")), "note:completed:1 sum:completed:1 approve:waiting:0 find:pending:0 ");
  EXPECT_EQ(platform.tasks().Get("/api/v1/facts?q=owl").Array("items").size(), 1U) << "note was not done again";
}

TEST(Workflow, APlanThatMakesNoSenseIsRefusedAtSubmissionWithItsPlace) {
  RunningPlatform platform;
  const auto refused = [&](const std::string& path, const std::string& body) {
    const Reply reply = platform.tasks().Post(path, body);
    EXPECT_EQ(reply.status, 422) << reply.text;
    return reply.text;
  };
  const std::string unknown_member =
      R"({"type":"workflow","params":{"steps":[{"task":{"type":"fact_search"},"depend_on":["b"]}]}})";
  EXPECT_THAT(refused("/api/v1/tasks", unknown_member), HasSubstr(R"("path":"params.steps[0].depend_on")"));
  EXPECT_THAT(refused("/api/v1/tasks/batch", R"({"tasks":[{"type":"health_check"},)" + unknown_member + "]}"),
              HasSubstr(R"("path":"tasks[1].params.steps[0].depend_on")"));
  EXPECT_THAT(refused("/api/v1/tasks", R"({"type":"workflow","params":{"steps":[{"task":{"type":"fact_serch"}}]}})"),
              AllOf(HasSubstr(R"("path":"params.steps[0].task.type")"), HasSubstr("did you mean fact_search?")));
  EXPECT_THAT(refused("/api/v1/tasks", R"({"type":"workflow"})"), HasSubstr(R"("path":"params.steps")"));
  EXPECT_EQ(platform.tasks().Get("/api/v1/tasks").Array("items").size(), 0U) << "also of the batch none was stored";
  const Reply scheduled = platform.tasks().Send(net::Method::kPut, "/api/v1/schedules/broken",
                                                R"({"every_s":60,"task":{"type":"workflow","params":{"steps":[]}}})");
  EXPECT_EQ(scheduled.status, 422);
  EXPECT_THAT(scheduled.text, HasSubstr(R"("path":"task.params.steps")"));
}

TEST(Workflow, APlainTaskHasNoSteps) {
  RunningPlatform platform;
  const Reply done = platform.Complete(R"({"type":"health_check"})");
  EXPECT_EQ(platform.tasks().Get("/api/v1/tasks/" + done.Text("id") + "/steps").Array("items").size(), 0U);
}

}  // namespace
}  // namespace seedcore::test
