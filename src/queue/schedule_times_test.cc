#include "queue/schedule_times.h"

#include <gmock/gmock.h>

namespace seedcore::queue {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

WallTime TimeAt(std::string_view text) { return ParseRfc3339(text).value(); }
const WallTime kStart = TimeAt("2026-01-01T00:00:00Z");

store::Schedule Every(milliseconds period, WallTime next) {
  store::Schedule schedule{.name = "s", .every = period};
  schedule.next_run_at = next;
  return schedule;
}
store::Schedule Cron(std::string expression, WallTime next) {
  store::Schedule schedule{.name = "s", .cron = std::move(expression), .time_zone = "UTC"};
  schedule.next_run_at = next;
  return schedule;
}
ScheduleTimes Of(const store::Schedule& schedule) {
  auto times = ScheduleTimes::Of(schedule);
  if (!times) throw std::runtime_error(ToString(times.error()));
  return *times;
}
Due DueOf(const store::Schedule& schedule, WallTime now) { return DueTimes(schedule, Of(schedule), now); }

TEST(ScheduleTimesTest, APeriodKeepsItsPhase) {
  const auto times = Of(Every(seconds(90), kStart));
  EXPECT_EQ(times.After(kStart - seconds(1)), kStart);
  EXPECT_EQ(times.After(kStart), kStart + seconds(90));
  EXPECT_EQ(times.After(kStart + seconds(200)), kStart + seconds(270));
}

TEST(ScheduleTimesTest, AFirstPeriodBeginsNow) {
  store::Schedule schedule = Every(seconds(90), kStart);
  schedule.next_run_at.reset();
  EXPECT_EQ(Of(schedule).After(kStart + seconds(7)), kStart + seconds(97));
}

TEST(ScheduleTimesTest, ATimeOnTimeIsFiredUnderEveryPolicy) {
  for (const auto policy : {store::CatchUp::kSkip, store::CatchUp::kOne, store::CatchUp::kAll}) {
    store::Schedule schedule = Cron("0 * * * *", kStart);
    schedule.catch_up = policy;
    const Due due = DueOf(schedule, kStart + milliseconds(40));
    EXPECT_THAT(due.fire, ElementsAre(kStart));
    EXPECT_EQ(due.next, kStart + hours(1));
  }
}

TEST(ScheduleTimesTest, AfterADowntimeThePolicyDecides) {
  const WallTime now = kStart + hours(5) + minutes(30);
  store::Schedule schedule = Cron("0 * * * *", kStart);
  schedule.catch_up = store::CatchUp::kSkip;
  EXPECT_THAT(DueOf(schedule, now).fire, IsEmpty());
  schedule.catch_up = store::CatchUp::kOne;
  EXPECT_THAT(DueOf(schedule, now).fire, ElementsAre(kStart + hours(5)));
  schedule.catch_up = store::CatchUp::kAll;
  schedule.max_catch_up = 3;
  EXPECT_THAT(DueOf(schedule, now).fire, ElementsAre(kStart + hours(3), kStart + hours(4), kStart + hours(5)));
  schedule.max_catch_up = 100;
  EXPECT_EQ(DueOf(schedule, now).fire.size(), 6U);
  for (const auto policy : {store::CatchUp::kSkip, store::CatchUp::kOne, store::CatchUp::kAll}) {
    schedule.catch_up = policy;
    EXPECT_EQ(DueOf(schedule, now).next, kStart + hours(6));
  }
}

TEST(ScheduleTimesTest, SkippingStillFiresATimeThatHasJustCome) {
  store::Schedule schedule = Cron("0 * * * *", kStart);
  schedule.catch_up = store::CatchUp::kSkip;
  EXPECT_THAT(DueOf(schedule, kStart + hours(5) + seconds(10)).fire, ElementsAre(kStart + hours(5)));
}

TEST(ScheduleTimesTest, YearsOfMissedSecondsCostNothing) {
  store::Schedule schedule = Every(seconds(1), kStart);
  schedule.catch_up = store::CatchUp::kAll;
  schedule.max_catch_up = 4;
  const WallTime now = kStart + hours(24 * 365 * 20) + milliseconds(500);
  const Due due = DueOf(schedule, now);
  EXPECT_THAT(due.fire, ElementsAre(now - milliseconds(3500), now - milliseconds(2500), now - milliseconds(1500),
                                    now - milliseconds(500)));
  EXPECT_EQ(due.next, now + milliseconds(500));
}

TEST(ScheduleTimesTest, ARareTimeIsFoundHoweverLongAgoItWas) {
  store::Schedule schedule = Cron("0 0 29 2 *", TimeAt("2024-02-29T00:00:00Z"));
  const Due due = DueOf(schedule, TimeAt("2027-12-31T00:00:00Z"));
  EXPECT_THAT(due.fire, ElementsAre(TimeAt("2024-02-29T00:00:00Z")));
  EXPECT_EQ(due.next, TimeAt("2028-02-29T00:00:00Z"));
}

TEST(ScheduleTimesTest, WhatCannotBeComputedSaysWhy) {
  store::Schedule schedule = Cron("0 * * *", kStart);
  EXPECT_EQ(ScheduleTimes::Of(schedule).error().path, "cron");
  schedule.cron = "0 * * * *";
  schedule.time_zone = "Mars/Olympus";
  EXPECT_EQ(ScheduleTimes::Of(schedule).error().path, "time_zone");
}

}  // namespace
}  // namespace seedcore::queue
