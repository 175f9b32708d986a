#include "service/schedules.h"

#include <gmock/gmock.h>

#include "base/metrics.h"
#include "base/sim_env.h"
#include "base/testing.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::service {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::ElementsAre;

class SchedulesTest : public testing::Test {
 protected:
  SchedulesTest() {
    store_ = store::sqlite::OpenSqliteStore({.path = folder_.File("seedcore.db")}, env_, metrics_).value();
    schedules_ = std::make_unique<ScheduleService>(
        ScheduleService::Dependencies{.env = &env_,
                                      .schedules = &store_->schedules(),
                                      .tasks = &store_->tasks(),
                                      .check_task = [](const std::string& type, const json::object&) -> Result<void> {
                                        if (type != "unknown") return {};
                                        return Fail(ErrorCode::kInvalidArgument, "no executor", "type");
                                      }});
  }

  static SchedulePut Hourly() {
    SchedulePut put{.name = "report", .cron = "0 * * * *"};
    put.task.type = " Resize";
    return put;
  }

  SimEnv env_;
  Metrics metrics_;
  test::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<ScheduleService> schedules_;
};

TEST_F(SchedulesTest, PutSaysWhenItRunsAndGetSaysTheSame) {
  const ScheduleRead put = schedules_->Put(Hourly(), {}).value();
  EXPECT_EQ(put.task.type, "resize");
  ASSERT_TRUE(put.next_run_at);
  EXPECT_GT(*put.next_run_at, env_.WallNow());
  EXPECT_LE(*put.next_run_at, env_.WallNow() + hours(1));
  EXPECT_EQ(ToJsonText(schedules_->Get({"report"}, {}).value()), ToJsonText(put));
  EXPECT_EQ(schedules_->List({}, {}).value().items.size(), 1U);
  EXPECT_EQ(schedules_->Get({"nobody"}, {}).error().code, ErrorCode::kNotFound);
}

TEST_F(SchedulesTest, PuttingTheSameTimesAgainKeepsTheNextOne) {
  SchedulePut put{.name = "report", .every_s = 3600.0};
  put.task.type = "resize";
  const auto first = schedules_->Put(put, {}).value().next_run_at;
  env_.Advance(minutes(20));
  put.task.params = {{"width", 3}};
  EXPECT_EQ(schedules_->Put(put, {}).value().next_run_at, first);
  put.every_s = 60.0;
  EXPECT_EQ(schedules_->Put(put, {}).value().next_run_at, env_.WallNow() + minutes(1));
}

TEST_F(SchedulesTest, WhatCannotRunIsRefusedWithThePath) {
  const auto refused = [&](auto change) {
    SchedulePut put = Hourly();
    change(put);
    const auto answer = schedules_->Put(put, {});
    return answer ? "accepted" : answer.error().path;
  };
  EXPECT_EQ(refused([](SchedulePut& put) { put.cron = "0 0 30 2 *"; }), "cron");
  EXPECT_EQ(refused([](SchedulePut& put) { put.cron.reset(); }), "cron");
  EXPECT_EQ(refused([](SchedulePut& put) { put.every_s = 60.0; }), "cron");
  EXPECT_EQ(refused([](SchedulePut& put) { put.cron.reset(), put.every_s = 0.5; }), "every_s");
  EXPECT_EQ(refused([](SchedulePut& put) { put.time_zone = "Mars/Olympus"; }), "time_zone");
  EXPECT_EQ(refused([](SchedulePut& put) { put.task.type = "unknown"; }), "task.type");
  EXPECT_EQ(refused([](SchedulePut& put) { put.name = "a b"; }), "name");
}

TEST_F(SchedulesTest, PausedAndResumedItGoesOnWithTheNextTimeAndMakesUpForNothing) {
  schedules_->Put(Hourly(), {}).value();
  const ScheduleRead paused = schedules_->Pause({"report"}, {}).value();
  EXPECT_TRUE(paused.paused);
  EXPECT_EQ(paused.next_run_at, std::nullopt);
  env_.Advance(hours(5));
  const ScheduleRead resumed = schedules_->Resume({"report"}, {}).value();
  EXPECT_FALSE(resumed.paused);
  EXPECT_GT(*resumed.next_run_at, env_.WallNow());
  EXPECT_EQ(schedules_->Resume({"report"}, {}).value().next_run_at, resumed.next_run_at);
  EXPECT_EQ(schedules_->Pause({"nobody"}, {}).error().code, ErrorCode::kNotFound);
}

TEST_F(SchedulesTest, RunNowSubmitsItsTaskAndLeavesItsTimesAlone) {
  const auto next = schedules_->Put(Hourly(), {}).value().next_run_at;
  const TaskRead task = schedules_->Run({"report"}, {}).value();
  EXPECT_EQ(task.type, "resize");
  EXPECT_EQ(store_->tasks().Get(task.id).value().status, store::TaskStatus::kQueued);
  EXPECT_EQ(schedules_->Get({"report"}, {}).value().next_run_at, next);
  CallContext keyed;
  keyed.idempotency_key = "once";
  EXPECT_EQ(schedules_->Run({"report"}, keyed).value().id, schedules_->Run({"report"}, keyed).value().id);
}

TEST_F(SchedulesTest, TheTimesToComeBeginWithTheNextOne) {
  SchedulePut put{.name = "report", .every_s = 90.0, .paused = true};
  put.task.type = "resize";
  schedules_->Put(put, {}).value();
  const WallTime now = env_.WallNow();
  const auto second = std::chrono::seconds(90);
  EXPECT_THAT(schedules_->Next({.name = "report", .count = 3}, {}).value().times,
              ElementsAre(now + second, now + 2 * second, now + 3 * second));
  const auto next = schedules_->Resume({"report"}, {}).value().next_run_at;
  EXPECT_THAT(schedules_->Next({.name = "report", .count = 1}, {}).value().times, ElementsAre(*next));
}

TEST_F(SchedulesTest, DeletedItIsGone) {
  schedules_->Put(Hourly(), {}).value();
  EXPECT_TRUE(schedules_->Delete({"report"}, {}).value().deleted);
  EXPECT_EQ(schedules_->Delete({"report"}, {}).error().code, ErrorCode::kNotFound);
}

}  // namespace
}  // namespace seedcore::service
