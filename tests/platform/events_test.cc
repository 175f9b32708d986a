// The history of a task, and the stream of everybody's.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "support/running_platform.h"

namespace seedcore::test {
namespace {

struct SeenEvent {
  std::string id;
  std::string kind;
  std::string task_id;
};

/// Events from `target` up to and including the first of `kind`.
std::vector<SeenEvent> ReadThrough(Caller& caller, const std::string& target, const std::string& kind,
                                   const std::string& last_event_id = "") {
  std::vector<SeenEvent> seen;
  const auto streamed = caller.Stream(
      target,
      [&](const net::ServerEvent& event) {
        EXPECT_EQ(event.event, "task");
        const auto document = ParseJson(event.data);
        EXPECT_TRUE(document) << event.data;
        if (!document) return false;
        EXPECT_EQ(std::string(event.id), TextAt(*document, "seq"));
        seen.push_back({std::string(event.id), TextAt(*document, "kind"), TextAt(*document, "task_id")});
        return seen.back().kind != kind;
      },
      last_event_id);
  EXPECT_TRUE(streamed) << ToString(streamed.error());
  return seen;
}

std::vector<std::string> Kinds(const std::vector<SeenEvent>& events) {
  std::vector<std::string> kinds;
  for (const SeenEvent& event : events) kinds.push_back(event.kind);
  return kinds;
}

TEST(Events, TheHistoryOfATaskIsCompleteAndInOrder) {
  RunningPlatform platform;
  const Reply task = platform.Complete(R"({"type":"health_check"})");
  const Reply history = platform.tasks().Get("/api/v1/tasks/" + task.Text("id") + "/events");
  std::vector<std::string> kinds;
  std::int64_t last = 0;
  for (const json::value& event : history.Array("events")) {
    kinds.push_back(TextAt(event, "kind"));
    EXPECT_GT(At(event, "seq").as_int64(), last);
    last = At(event, "seq").as_int64();
  }
  EXPECT_EQ(kinds, (std::vector<std::string>{"submitted", "claimed", "completed"})) << history.text;
}

TEST(Events, TheStreamShowsEveryChangeAsItHappens) {
  RunningPlatform platform;
  const std::string id = platform.Submit(R"({"type":"health_check"})");
  const auto events = ReadThrough(platform.tasks(), "/api/v1/events?after=0", "completed");
  EXPECT_EQ(Kinds(events), (std::vector<std::string>{"submitted", "claimed", "completed"}));
  for (const SeenEvent& event : events) EXPECT_EQ(event.task_id, id);
}

TEST(Events, TheCoordinatorStreamsThemTooForWhoeverReachesTheServicesOnly) {
  RunningPlatform platform;
  const std::string id = platform.Submit(R"({"type":"health_check"})");
  for (const std::string prefix : {"/pipeline", "/pipeline/pipeline"}) {
    const auto events = ReadThrough(platform.services(), prefix + "/events?after=0", "completed");
    EXPECT_EQ(Kinds(events), (std::vector<std::string>{"submitted", "claimed", "completed"}));
    for (const SeenEvent& event : events) EXPECT_EQ(event.task_id, id);
  }
}

TEST(Events, AClientThatComesBackWithTheLastIdMissesNothingAndGetsNothingTwice) {
  RunningPlatform platform;
  platform.Complete(R"({"type":"health_check"})");
  const auto first = ReadThrough(platform.tasks(), "/api/v1/events?after=0", "completed");
  ASSERT_EQ(first.size(), 3U);
  // What happens while nobody listens:
  const Reply second = platform.Complete(R"({"type":"general_query","description":"1 + 1"})");
  const auto missed = ReadThrough(platform.tasks(), "/api/v1/events", "completed", first.back().id);
  EXPECT_EQ(Kinds(missed), (std::vector<std::string>{"submitted", "claimed", "completed"}));
  for (const SeenEvent& event : missed) EXPECT_EQ(event.task_id, second.Text("id"));
  // Resumed in the middle of a task.
  const auto rest = ReadThrough(platform.tasks(), "/api/v1/events", "completed", missed.front().id);
  EXPECT_EQ(Kinds(rest), (std::vector<std::string>{"claimed", "completed"}));
}

TEST(Events, OneTaskCanBeFollowedAlone) {
  RunningPlatform platform;
  const std::string first = platform.Submit(R"({"type":"health_check"})");
  const std::string second = platform.Submit(R"({"type":"health_check"})");
  platform.Await(first, "completed");
  for (const SeenEvent& event :
       ReadThrough(platform.tasks(), "/api/v1/events?after=0&task_id=" + second, "completed")) {
    EXPECT_EQ(event.task_id, second);
  }
}

TEST(Events, TheProgressOfATaskArrivesWhileItRuns) {
  RunningPlatform platform([](settings::Settings& settings) { settings.queue.external_types = {"count"}; });
  const std::string id = platform.Submit(R"({"type":"count"})");
  Caller worker(platform.tasks().base_url());
  const Reply claims = worker.Post("/api/v1/workers/claim", R"({"worker_id":"w","types":["count"],"wait_s":10})");
  const std::string lease =
      fmt::format(R"("worker_id":"w","id":"{}","fencing_token":{})", id, claims.Text("items.0.fencing_token"));
  const auto report = [&](double fraction) {
    const Reply answer = worker.Post(
        "/api/v1/workers/progress", fmt::format(R"({{{},"fraction":{},"note":"so far","data":[1]}})", lease, fraction));
    EXPECT_EQ(answer.Text("accepted"), "true") << answer.text;
  };
  // The next report is made when the one before has come: the stream is open all the time.
  std::vector<double> seen;
  const auto streamed =
      platform.tasks().Stream("/api/v1/events?after=0&task_id=" + id, [&](const net::ServerEvent& event) {
        const auto document = ParseJson(event.data);
        EXPECT_TRUE(document) << event.data;
        if (!document) return false;
        const std::string kind = TextAt(*document, "kind");
        if (kind == "claimed") report(0.25);
        if (kind != "progress") return kind != "completed";
        EXPECT_EQ(TextAt(*document, "progress.note"), "so far");
        EXPECT_EQ(TextAt(*document, "progress.data"), "[1]");
        seen.push_back(At(*document, "progress.fraction").to_number<double>());
        if (seen.size() == 1) report(0.75);
        if (seen.size() == 2) worker.Post("/api/v1/workers/complete", fmt::format("{{{}}}", lease));
        return true;
      });
  EXPECT_TRUE(streamed) << ToString(streamed.error());
  EXPECT_EQ(seen, (std::vector<double>{0.25, 0.75}));
}

TEST(Events, APlaceThatIsNoEventIsRefused) {
  RunningPlatform platform;
  const Reply refused = platform.tasks().Get("/api/v1/events?after=yesterday");
  EXPECT_EQ(refused.status, 422) << refused.text;
  EXPECT_EQ(refused.Text("error.path"), "after");
}

}  // namespace
}  // namespace seedcore::test
