#include <atomic>
#include <thread>

#include <gmock/gmock.h>

#include "store/conformance.h"

namespace seedcore::store {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

Schedule Hourly(Env& env, std::string name = "report") {
  Schedule schedule{.name = std::move(name), .cron = "0 * * * *", .time_zone = "Europe/Berlin"};
  schedule.task = {.type = "work", .params = {{"n", 1}}, .priority = 7};
  schedule.next_run_at = env.WallNow() + hours(1);
  return schedule;
}

Firing At(const Schedule& schedule, WallTime now) {
  Firing firing{.name = schedule.name,
                .revision = schedule.revision,
                .due = *schedule.next_run_at,
                .next = now + hours(1),
                .last_run = schedule.next_run_at,
                .tasks = {TaskOf(schedule, now)},
                .error = {}};
  firing.tasks.front().idempotency_key = FiringKey(schedule.name, firing.due);
  return firing;
}

TEST_P(StoreConformance, ScheduleComesOutAsItWasPut) {
  Schedule given = Hourly(env_);
  given.task.description = "the report";
  given.task.domain = "sales";
  given.task.deadline_s = 90.5;
  given.task.concurrency_key = "reports";
  given.catch_up = CatchUp::kAll;
  given.max_catch_up = 3;
  given.overlap = Overlap::kSkip;
  const Schedule put = Must(schedules().PutSchedule(given));
  Reopen();
  const Schedule got = Must(schedules().GetSchedule("report"));
  for (const Schedule& schedule : {put, got}) {
    EXPECT_EQ(schedule.cron, "0 * * * *");
    EXPECT_EQ(schedule.time_zone, "Europe/Berlin");
    EXPECT_EQ(schedule.every.count(), 0);
    EXPECT_EQ(WriteScheduledTask(schedule.task), WriteScheduledTask(given.task));
    EXPECT_EQ(schedule.catch_up, CatchUp::kAll);
    EXPECT_EQ(schedule.max_catch_up, 3);
    EXPECT_EQ(schedule.overlap, Overlap::kSkip);
    EXPECT_FALSE(schedule.paused);
    EXPECT_EQ(schedule.next_run_at, given.next_run_at);
    EXPECT_EQ(schedule.last_run_at, std::nullopt);
    EXPECT_EQ(schedule.created_at, env_.WallNow());
  }
}

TEST_P(StoreConformance, PeriodIsKept) {
  Schedule given = Hourly(env_);
  given.cron.clear();
  given.every = milliseconds(90'500);
  Must(schedules().PutSchedule(given));
  EXPECT_EQ(Must(schedules().GetSchedule("report")).every, milliseconds(90'500));
}

TEST_P(StoreConformance, SchedulesAreListedByNameAndDeletedOnce) {
  for (const char* name : {"b", "B", "a"}) Must(schedules().PutSchedule(Hourly(env_, name)));
  std::vector<std::string> names;
  for (const Schedule& schedule : Must(schedules().Schedules())) names.push_back(schedule.name);
  EXPECT_THAT(names, ElementsAre("B", "a", "b"));
  EXPECT_TRUE(Must(schedules().DeleteSchedule("a")));
  EXPECT_FALSE(Must(schedules().DeleteSchedule("a")));
  EXPECT_EQ(CodeOf(schedules().GetSchedule("a")), ErrorCode::kNotFound);
}

TEST_P(StoreConformance, FiringSubmitsTheTaskAndMovesTheScheduleOn) {
  Must(schedules().PutSchedule(Hourly(env_)));
  Advance(hours(1));
  const WallTime now = env_.WallNow();
  const auto due = Must(schedules().DueSchedules(now, 10));
  ASSERT_THAT(due, SizeIs(1));
  const Fired fired = Must(schedules().Fire(At(due.front(), now)));
  ASSERT_TRUE(fired.ours);
  ASSERT_THAT(fired.task_ids, SizeIs(1));
  const Task task = Get(fired.task_ids.front());
  EXPECT_EQ(task.type, "work");
  EXPECT_EQ(task.priority, 7);
  EXPECT_EQ(task.params.at("n"), 1);
  EXPECT_EQ(task.status, TaskStatus::kQueued);
  const Schedule after = Must(schedules().GetSchedule("report"));
  EXPECT_EQ(after.last_task_id, task.id);
  EXPECT_EQ(after.last_run_at, now);
  EXPECT_EQ(after.next_run_at, now + hours(1));
  EXPECT_EQ(after.last_error, "");
  EXPECT_THAT(Must(schedules().DueSchedules(now, 10)), IsEmpty());
}

TEST_P(StoreConformance, ASecondFiringOfTheSameTimeDoesNothing) {
  Must(schedules().PutSchedule(Hourly(env_)));
  Advance(hours(1));
  const auto due = Must(schedules().DueSchedules(env_.WallNow(), 10));
  const Firing firing = At(due.front(), env_.WallNow());
  EXPECT_TRUE(Must(schedules().Fire(firing)).ours);
  const Fired again = Must(schedules().Fire(firing));
  EXPECT_FALSE(again.ours);
  EXPECT_THAT(again.task_ids, IsEmpty());
  EXPECT_EQ(Count(TaskStatus::kQueued), 1);
}

TEST_P(StoreConformance, OfManyWhoFireTheSameTimeAtOnceOneDoes) {
  Must(schedules().PutSchedule(Hourly(env_)));
  Advance(hours(1));
  const auto due = Must(schedules().DueSchedules(env_.WallNow(), 10));
  const Firing firing = At(due.front(), env_.WallNow());
  std::atomic<int> ours{0};
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 8; ++i) {
      threads.emplace_back([&] {
        if (Must(schedules().Fire(firing)).ours) ++ours;
      });
    }
  }
  EXPECT_EQ(ours, 1);
  EXPECT_EQ(Count(TaskStatus::kQueued), 1);
}

TEST_P(StoreConformance, AFiringThatWasReadBeforeAChangeDoesNothing) {
  Must(schedules().PutSchedule(Hourly(env_)));
  Advance(hours(1));
  const auto due = Must(schedules().DueSchedules(env_.WallNow(), 10));
  Schedule changed = due.front();
  changed.task.type = "other";
  Must(schedules().PutSchedule(changed));
  EXPECT_FALSE(Must(schedules().Fire(At(due.front(), env_.WallNow()))).ours);
  EXPECT_EQ(Count(TaskStatus::kQueued), 0);
  Must(schedules().DeleteSchedule("report"));
  EXPECT_FALSE(Must(schedules().Fire(At(due.front(), env_.WallNow()))).ours);
}

TEST_P(StoreConformance, ATaskThatCannotBeStoredLeavesTheScheduleWhereItWas) {
  Must(schedules().PutSchedule(Hourly(env_)));
  Advance(hours(1));
  const auto due = Must(schedules().DueSchedules(env_.WallNow(), 10));
  const Firing firing = At(due.front(), env_.WallNow());
  Submit({.type = "foreign", .idempotency_key = firing.tasks.front().idempotency_key});
  EXPECT_EQ(CodeOf(schedules().Fire(firing)), ErrorCode::kConflict);
  EXPECT_EQ(Must(schedules().GetSchedule("report")).next_run_at, firing.due);

  Firing moved_on = firing;
  moved_on.tasks.clear();
  moved_on.error = "the key is taken";
  EXPECT_TRUE(Must(schedules().Fire(moved_on)).ours);
  const Schedule after = Must(schedules().GetSchedule("report"));
  EXPECT_EQ(after.last_error, "the key is taken");
  EXPECT_EQ(after.next_run_at, firing.next);
}

TEST_P(StoreConformance, WithOverlapSkipATimeWaitsForNobodyAndSaysWhy) {
  Schedule given = Hourly(env_);
  given.overlap = Overlap::kSkip;
  Must(schedules().PutSchedule(given));
  std::vector<std::string> ids;
  for (int hour = 0; hour < 2; ++hour) {
    Advance(hours(1));
    const auto due = Must(schedules().DueSchedules(env_.WallNow(), 10));
    for (const std::string& id : Must(schedules().Fire(At(due.front(), env_.WallNow()))).task_ids) {
      ids.push_back(id);
    }
  }
  ASSERT_THAT(ids, SizeIs(1));
  EXPECT_THAT(Must(schedules().GetSchedule("report")).last_error, testing::HasSubstr(ids.front()));
  Must(End(ClaimOne(), Completed{}));
  Advance(hours(1));
  const auto due = Must(schedules().DueSchedules(env_.WallNow(), 10));
  EXPECT_THAT(Must(schedules().Fire(At(due.front(), env_.WallNow()))).task_ids, SizeIs(1));
  EXPECT_EQ(Must(schedules().GetSchedule("report")).last_error, "");
}

TEST_P(StoreConformance, PausedScheduleIsNeverDue) {
  Must(schedules().PutSchedule(Hourly(env_)));
  Must(schedules().PutSchedule(Hourly(env_, "second")));
  EXPECT_TRUE(Must(schedules().MoveSchedule("report", std::nullopt)).paused);
  Advance(hours(2));
  EXPECT_THAT(Must(schedules().DueSchedules(env_.WallNow(), 10)), SizeIs(1));
  const WallTime again = env_.WallNow() + minutes(5);
  EXPECT_FALSE(Must(schedules().MoveSchedule("report", again)).paused);
  Must(schedules().DeleteSchedule("second"));
  EXPECT_EQ(Must(schedules().NextFiring()), again);
  EXPECT_EQ(CodeOf(schedules().MoveSchedule("nobody", again)), ErrorCode::kNotFound);
}

TEST_P(StoreConformance, ReplacingKeepsWhatIsKnownOfEarlierFirings) {
  Must(schedules().PutSchedule(Hourly(env_)));
  const WallTime created = env_.WallNow();
  Advance(hours(1));
  const WallTime fired_at = env_.WallNow();
  const auto due = Must(schedules().DueSchedules(fired_at, 10));
  Must(schedules().Fire(At(due.front(), fired_at)));
  Advance(minutes(1));
  const Schedule replaced = Must(schedules().PutSchedule(Hourly(env_)));
  EXPECT_EQ(replaced.last_run_at, fired_at);
  EXPECT_NE(replaced.last_task_id, "");
  EXPECT_EQ(replaced.created_at, created);
  EXPECT_EQ(replaced.updated_at, env_.WallNow());
}

TEST_P(StoreConformance, ListenersHearOfAChange) {
  int heard = 0;
  const auto subscription = schedules().OnSchedules([&] { ++heard; });
  Must(schedules().PutSchedule(Hourly(env_)));
  Must(schedules().MoveSchedule("report", env_.WallNow()));
  EXPECT_EQ(heard, 2);
}

TEST_P(StoreConformance, WhatMakesNoSenseIsRefused) {
  const auto refused = [&](auto change) {
    Schedule schedule = Hourly(env_);
    change(schedule);
    const auto put = schedules().PutSchedule(schedule);
    EXPECT_EQ(CodeOf(put), ErrorCode::kInvalidArgument);
    return put ? "" : put.error().path;
  };
  EXPECT_EQ(refused([](Schedule& s) { s.name = "a/b"; }), "name");
  EXPECT_EQ(refused([](Schedule& s) { s.cron.clear(); }), "cron");
  EXPECT_EQ(refused([](Schedule& s) { s.every = minutes(1); }), "cron");
  EXPECT_EQ(refused([](Schedule& s) { s.cron.clear(), s.every = milliseconds(10); }), "every_s");
  EXPECT_EQ(refused([](Schedule& s) { s.max_catch_up = 0; }), "max_catch_up");
  EXPECT_EQ(refused([](Schedule& s) { s.task.type.clear(); }), "task.type");
  EXPECT_EQ(refused([](Schedule& s) { s.task.priority = 11; }), "task.priority");
  EXPECT_EQ(refused([](Schedule& s) { s.task.retry_max_s = 1.0; }), "task.retry_max_s");
}

}  // namespace
}  // namespace seedcore::store
