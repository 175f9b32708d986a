#include "queue/scheduler.h"

#include <gmock/gmock.h>

#include "queue/test_world.h"

namespace seedcore::queue {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using store::TaskStatus;
using testing::HasSubstr;

class SchedulerTest : public World {
 protected:
  store::Schedule Put(store::Schedule schedule) {
    if (schedule.name.empty()) schedule.name = "report";
    if (schedule.cron.empty() && schedule.every.count() == 0) schedule.every = seconds(60);
    if (schedule.task.type.empty()) schedule.task.type = "work";
    if (!schedule.next_run_at) schedule.next_run_at = env.WallNow() + seconds(60);
    auto put = store->schedules().PutSchedule(schedule);
    if (!put) throw std::runtime_error(ToString(put.error()));
    return *put;
  }
  store::Schedule Read(const std::string& name = "report") { return store->schedules().GetSchedule(name).value(); }
  std::chrono::nanoseconds Round() { return rounds.Round({}); }

  SchedulerRounds rounds{env, store->schedules(), metrics, {}};
};

TEST_F(SchedulerTest, SleepsUntilTheNextTimeButNeverLong) {
  EXPECT_EQ(Round(), seconds(5)) << "without any schedule";
  Put({.next_run_at = env.WallNow() + seconds(3)});
  EXPECT_EQ(Round(), seconds(3));
  Put({.next_run_at = env.WallNow() + hours(3)});
  EXPECT_EQ(Round(), seconds(5));
}

TEST_F(SchedulerTest, EachTimeIsFiredOnceAndTheTaskHasADeadlineFromThen) {
  store::Schedule schedule;
  schedule.task.deadline_s = 30.0;
  Put(schedule);
  env.Advance(seconds(60));
  for (int i = 0; i < 3; ++i) static_cast<void>(Round());
  EXPECT_EQ(Count(TaskStatus::kQueued), 1);
  const store::Task task = Get(Read().last_task_id);
  EXPECT_EQ(task.deadline, env.WallNow() + seconds(30));
  EXPECT_EQ(task.idempotency_key, store::FiringKey("report", env.WallNow()));
  env.Advance(seconds(60));
  static_cast<void>(Round());
  EXPECT_EQ(rounds.Status().submitted, 2);
}

TEST_F(SchedulerTest, SeveralSchedulersFireEachTimeOnce) {
  Put({});
  {
    std::vector<std::unique_ptr<Scheduler>> schedulers;
    for (int i = 0; i < 4; ++i) {
      schedulers.push_back(std::make_unique<Scheduler>(env, store->schedules(), metrics));
    }
    for (int minute = 1; minute <= 5; ++minute) {
      env.Advance(seconds(60));
      const WallTime now = env.WallNow();
      ASSERT_TRUE(Eventually([&] { return Read().last_run_at == now; }));
    }
  }
  EXPECT_EQ(Count(TaskStatus::kQueued), 5);
}

TEST_F(SchedulerTest, AScheduleStoredMeanwhileWakesTheScheduler) {
  Put({.name = "far", .next_run_at = env.WallNow() + hours(1)});
  const Scheduler scheduler(env, store->schedules(), metrics, {.poll = hours(10)});
  Put({.name = "near", .next_run_at = env.WallNow()});
  EXPECT_TRUE(Eventually([&] { return !Read("near").last_task_id.empty(); }));
}

TEST_F(SchedulerTest, MissedTimesAreMadeUpForAsThePolicySays) {
  Put({.name = "skip", .catch_up = store::CatchUp::kSkip});
  Put({.name = "one", .catch_up = store::CatchUp::kOne});
  Put({.name = "all", .catch_up = store::CatchUp::kAll, .max_catch_up = 3});
  env.Advance(minutes(60) + seconds(59));
  // Of the last time, 59 seconds ago, even "skip" makes a task; the others were longer ago.
  static_cast<void>(Round());
  EXPECT_EQ(Count(TaskStatus::kQueued), 1 + 1 + 3);
  for (const char* name : {"skip", "one", "all"}) EXPECT_EQ(Read(name).next_run_at, env.WallNow() + seconds(1));
}

TEST_F(SchedulerTest, WhatIsSkippedSaysSo) {
  store::Schedule schedule{.name = "report", .every = hours(1), .catch_up = store::CatchUp::kSkip};
  Put(schedule);
  env.Advance(minutes(30));
  static_cast<void>(Round());
  EXPECT_EQ(Count(TaskStatus::kQueued), 0);
  EXPECT_THAT(Read().last_error, HasSubstr("skipped"));
  EXPECT_EQ(Read().last_run_at, std::nullopt);
}

TEST_F(SchedulerTest, WithOverlapSkipALongTaskIsNotJoinedByASecond) {
  Put({.overlap = store::Overlap::kSkip});
  for (int i = 0; i < 3; ++i) {
    env.Advance(seconds(60));
    static_cast<void>(Round());
  }
  EXPECT_EQ(Count(TaskStatus::kQueued), 1);
  EXPECT_EQ(rounds.Status().held_back, 2);
}

TEST_F(SchedulerTest, ATaskThatCannotBeStoredDoesNotStopTheSchedule) {
  Put({});
  Submit({.type = "foreign", .idempotency_key = store::FiringKey("report", env.WallNow() + seconds(60))});
  env.Advance(seconds(60));
  static_cast<void>(Round());
  EXPECT_THAT(Read().last_error, HasSubstr("idempotency key"));
  env.Advance(seconds(60));
  static_cast<void>(Round());
  EXPECT_EQ(Read().last_error, "");
  EXPECT_NE(Read().last_task_id, "");
}

TEST_F(SchedulerTest, ATimeZoneThatThisMachineDoesNotKnowHoldsUpItsScheduleAlone) {
  Put({.name = "broken", .cron = "* * * * *", .time_zone = "Mars/Olympus", .next_run_at = env.WallNow()});
  Put({.name = "sound", .next_run_at = env.WallNow() + seconds(1)});
  env.Advance(seconds(1));
  EXPECT_EQ(Round(), seconds(5)) << "it is not tried over and over";
  EXPECT_NE(Read("sound").last_task_id, "");
  EXPECT_THAT(rounds.Status().error, HasSubstr("Mars/Olympus"));
  static_cast<void>(store->schedules().DeleteSchedule("broken"));
  static_cast<void>(Round());
  EXPECT_EQ(rounds.Status().error, "");
}

TEST_F(SchedulerTest, AStoreThatFailsIsTriedAgainAfterAPause) {
  Put({.next_run_at = env.WallNow()});
  env.ArmFault("scheduler.fire", {ErrorCode::kUnavailable, "gone", {}});
  EXPECT_GT(Round(), std::chrono::milliseconds(10));
  EXPECT_THAT(rounds.Status().error, HasSubstr("gone"));
  static_cast<void>(Round());
  EXPECT_EQ(Count(TaskStatus::kQueued), 1);
}

}  // namespace
}  // namespace seedcore::queue
