#include <gmock/gmock.h>

#include "store/conformance.h"

namespace seedcore::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;

NewTask FullTask(WallTime now) {
  return {.type = "general_query",
          .description = "what's the time?",
          .domain = "demo",
          .params = {{"text", "ü\"\n"}, {"n", 3}, {"nested", {{"list", {1.5, nullptr, true}}}}},
          .drift_score = 0.25,
          .priority = 7,
          .run_after = now + seconds(10),
          .deadline = now + seconds(100),
          .retry = {.max_attempts = 9, .base = milliseconds(123), .max = milliseconds(456)},
          .idempotency_key = "key",
          .traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
}

TEST_P(StoreConformance, SubmittedTaskIsReadBackAsGiven) {
  const NewTask given = FullTask(env_.WallNow());
  const Task answered = Submit(given);
  Reopen();
  const Task read = Get(answered.id);
  for (const Task& task : {answered, read}) {
    EXPECT_EQ(task.id, answered.id);
    EXPECT_EQ(task.type, given.type);
    EXPECT_EQ(task.description, given.description);
    EXPECT_EQ(task.domain, given.domain);
    EXPECT_EQ(task.params, given.params);
    EXPECT_EQ(task.status, TaskStatus::kQueued);
    EXPECT_EQ(task.priority, 7);
    EXPECT_EQ(task.attempts, 0);
    EXPECT_EQ(task.drift_score, 0.25);
    EXPECT_EQ(task.run_after, given.run_after);
    EXPECT_EQ(task.deadline, given.deadline);
    EXPECT_EQ(task.retry.max_attempts, 9);
    EXPECT_EQ(task.retry.base, milliseconds(123));
    EXPECT_EQ(task.retry.max, milliseconds(456));
    EXPECT_EQ(task.idempotency_key, "key");
    EXPECT_EQ(task.traceparent, given.traceparent);
    EXPECT_TRUE(task.result.is_null());
    EXPECT_EQ(task.error, "");
    EXPECT_FALSE(task.dead_letter);
    EXPECT_EQ(task.created_at, env_.WallNow());
    EXPECT_EQ(task.updated_at, env_.WallNow());
    EXPECT_FALSE(task.started_at);
    EXPECT_FALSE(task.finished_at);
  }
}

TEST_P(StoreConformance, TaskSubmittedNotToRunStaysCreatedUntilRun) {
  const Task task = Submit({.type = "a", .run_immediately = false});
  EXPECT_EQ(task.status, TaskStatus::kCreated);
  EXPECT_TRUE(ClaimUpTo(10).empty());
  EXPECT_EQ(Must(tasks().Run(task.id)).status, TaskStatus::kQueued);
  EXPECT_EQ(ClaimOne().task.id, task.id);
}

TEST_P(StoreConformance, SameKeyAndContentGiveTheFirstTask) {
  NewTask task = FullTask(env_.WallNow());
  task.params = {{"a", 1}, {"b", 2}};
  const Task first = Submit(task);
  task.params = {{"b", 2}, {"a", 1}};  // the same object, written differently
  task.traceparent = "00-11111111111111111111111111111111-2222222222222222-01";
  const auto second = Must(tasks().Submit(std::vector<NewTask>{task}));
  EXPECT_TRUE(second.front().duplicate);
  EXPECT_EQ(second.front().task.id, first.id);
  EXPECT_EQ(second.front().task.traceparent, first.traceparent);
  EXPECT_EQ(Count(TaskStatus::kQueued), 1);
}

TEST_P(StoreConformance, SameKeyTwiceInOneBatchIsOneTask) {
  const NewTask task{.type = "a", .idempotency_key = "k"};
  const auto results = Must(tasks().Submit(std::vector<NewTask>{task, task}));
  EXPECT_FALSE(results[0].duplicate);
  EXPECT_TRUE(results[1].duplicate);
  EXPECT_EQ(results[0].task.id, results[1].task.id);
}

TEST_P(StoreConformance, KeyStaysKnownAfterTheTaskHasFinished) {
  const NewTask task{.type = "a", .idempotency_key = "k"};
  const Task first = Submit(task);
  Must(End(ClaimOne(), Completed{{{"answer", 42}}}));
  const auto again = Must(tasks().Submit(std::vector<NewTask>{task}));
  EXPECT_TRUE(again.front().duplicate);
  EXPECT_EQ(again.front().task.status, TaskStatus::kCompleted);
  EXPECT_EQ(again.front().task.result.at("answer"), 42);
}

TEST_P(StoreConformance, SameKeyWithOtherContentIsAConflict) {
  Submit({.type = "a", .idempotency_key = "k"});
  for (const NewTask& other : {NewTask{.type = "b", .idempotency_key = "k"},
                               NewTask{.type = "a", .params = {{"x", 1}}, .idempotency_key = "k"},
                               NewTask{.type = "a", .priority = 6, .idempotency_key = "k"}}) {
    EXPECT_EQ(CodeOf(tasks().Submit(std::vector<NewTask>{other})), ErrorCode::kConflict);
  }
  EXPECT_EQ(Count(TaskStatus::kQueued), 1);
}

TEST_P(StoreConformance, BatchIsStoredWholeOrNotAtAll) {
  Submit({.type = "a", .idempotency_key = "k"});
  const std::vector<NewTask> conflicting{{.type = "x"}, {.type = "b", .idempotency_key = "k"}};
  EXPECT_EQ(CodeOf(tasks().Submit(conflicting)), ErrorCode::kConflict);
  const std::vector<NewTask> dangling{{.type = "x"}, {.type = "b", .depends_on = {env_.NewId()}}};
  EXPECT_EQ(CodeOf(tasks().Submit(dangling)), ErrorCode::kNotFound);
  EXPECT_EQ(Count(TaskStatus::kQueued), 1);
  EXPECT_EQ(Must(tasks().List({}, 10, "")).items.size(), 1U);
  EXPECT_EQ(Must(tasks().EventsAfter(0, 10)).size(), 1U);
}

TEST_P(StoreConformance, SubmitRefusesWhatCannotBeATask) {
  const auto code = [&](const NewTask& task) { return CodeOf(tasks().Submit(std::vector<NewTask>{task})); };
  EXPECT_EQ(code({.type = ""}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.type = "a", .priority = 0}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.type = "a", .priority = 11}), ErrorCode::kInvalidArgument);
  EXPECT_EQ(code({.type = "a", .retry = {.max_attempts = 0}}), ErrorCode::kInvalidArgument);
}

TEST_P(StoreConformance, EmptyBatchIsFine) { EXPECT_TRUE(Must(tasks().Submit({})).empty()); }

TEST_P(StoreConformance, ManyThreadsSubmitSideBySide) {
  constexpr int kThreads = 8, kEach = 25;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kEach; ++i) Submit({.type = "a"});
      });
    }
  }
  EXPECT_EQ(Count(TaskStatus::kQueued), kThreads * kEach);
  EXPECT_EQ(Must(tasks().List({}, 1000, "")).items.size(), static_cast<std::size_t>(kThreads * kEach));
}

TEST_P(StoreConformance, UniquePrefixFindsTheTask) {
  const Task first = SubmitOfType("a");
  Advance(std::chrono::hours(24 * 365));  // far enough for another first part of the id
  const Task second = SubmitOfType("b");
  EXPECT_EQ(Get(first.id.substr(0, 8)).id, first.id);
  EXPECT_EQ(Get(second.id.substr(0, 8)).id, second.id);
  std::string upper = second.id.substr(0, 8);
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_EQ(Get(upper).id, second.id);
}

TEST_P(StoreConformance, LookUpTellsUnknownAmbiguousAndTooShortApart) {
  const Task first = SubmitOfType("a");
  SubmitOfType("b");
  EXPECT_EQ(CodeOf(tasks().Get(first.id.substr(0, 8))), ErrorCode::kAmbiguous);
  EXPECT_EQ(CodeOf(tasks().Get(env_.NewId())), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(tasks().Get("zzzz%_")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(tasks().Get(first.id.substr(0, 3))), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(tasks().Get("")), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(tasks().Events(env_.NewId())), ErrorCode::kNotFound);
}

TEST_P(StoreConformance, ListenersHearOfRunnableTasksAndEventsUntilTheyLeave) {
  int runnable = 0, events = 0;
  {
    const Subscription on_runnable = tasks().OnRunnable([&] { ++runnable; });
    const Subscription on_events = tasks().OnEvents([&] { ++events; });
    SubmitOfType("a");
    EXPECT_EQ(runnable, 1);
    EXPECT_EQ(events, 1);
    Submit({.type = "a", .run_immediately = false});
    EXPECT_EQ(runnable, 1);
    EXPECT_EQ(events, 2);
    Must(End(ClaimOne(), RetryLater{WorkFailed(), milliseconds(0)}));
    EXPECT_EQ(runnable, 2);
  }
  const int before = events;
  SubmitOfType("a");
  EXPECT_EQ(events, before);
}

TEST_P(StoreConformance, OfWhatNobodyCanClaimNobodyIsTold) {
  int runnable = 0;
  const Subscription on_runnable = tasks().OnRunnable([&] { ++runnable; });
  const Task first = SubmitOfType("a");
  EXPECT_EQ(runnable, 1);
  const Task second = Submit({.type = "a", .depends_on = {first.id}});
  EXPECT_EQ(runnable, 1) << "it waits for another";
  Must(tasks().Cancel(second.id));
  EXPECT_EQ(runnable, 1) << "no limit has more room for it";
  Submit({.type = "a", .run_after = env_.WallNow() + seconds(60), .depends_on = {first.id}});
  EXPECT_EQ(runnable, 1);
  Must(End(ClaimOne(), Completed{}));
  EXPECT_EQ(runnable, 2) << "its time may be the next";
}

TEST_P(StoreConformance, HealthIsTriedAndNotAssumed) {
  const Store::Health health = store().CheckHealth();
  EXPECT_TRUE(health.writable) << health.error;
  EXPECT_GT(health.schema_version, 0);
  EXPECT_GT(health.size_bytes, 0);
  EXPECT_NE(health.backend, "");
  EXPECT_NE(health.location, "");
}

}  // namespace
}  // namespace seedcore::store
