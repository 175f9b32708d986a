// The history of a task, and the stream of everybody's.
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

TEST(Events, APlaceThatIsNoEventIsRefused) {
  RunningPlatform platform;
  const Reply refused = platform.tasks().Get("/api/v1/events?after=yesterday");
  EXPECT_EQ(refused.status, 422) << refused.text;
  EXPECT_EQ(refused.Text("error.path"), "after");
}

}  // namespace
}  // namespace seedcore::test
