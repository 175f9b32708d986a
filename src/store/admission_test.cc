#include "store/admission.h"

#include <gtest/gtest.h>

namespace seedcore::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const WallTime kNow = FromUnixMicros(1'700'000'000'000'000);

LimitState TenPerSecond(int burst) {
  return {.limit = {.name = "a", .max_running = std::nullopt, .rate = RateLimit{10, seconds(1), burst}},
          .tokens = static_cast<double>(burst),
          .tokens_at = kNow};
}

TEST(Admission, ABucketHoldsItsBurstAndFillsAtItsRate) {
  LimitState state = TenPerSecond(5);
  EXPECT_EQ(RoomOf(state, 0, kNow), 5);
  TakeTokens(state, 5, kNow);
  EXPECT_EQ(RoomOf(state, 0, kNow), 0);
  EXPECT_EQ(NextToken(state, kNow), kNow + milliseconds(100));
  EXPECT_EQ(NextToken(state, kNow + milliseconds(101)), kNow + milliseconds(100));
  EXPECT_EQ(NextToken(state, kNow + seconds(1)), std::nullopt);
  EXPECT_EQ(RoomOf(state, 0, kNow + milliseconds(99)), 0);
  EXPECT_EQ(RoomOf(state, 0, kNow + milliseconds(100)), 1);
  EXPECT_EQ(RoomOf(state, 0, kNow + seconds(3600)), 5);
}

TEST(Admission, TokensTakenOneByOneAddUpToTheRate) {
  LimitState state = TenPerSecond(1);
  int began = 0;
  for (milliseconds at{0}; at < seconds(100); at += milliseconds(7)) {
    if (RoomOf(state, 0, kNow + at) == 0) continue;
    TakeTokens(state, 1, kNow + at);
    ++began;
  }
  EXPECT_LE(began, 1001);
  EXPECT_GE(began, 900);
}

TEST(Admission, AClockThatIsSetBackAddsNothing) {
  LimitState state = TenPerSecond(1);
  TakeTokens(state, 1, kNow);
  EXPECT_EQ(RoomOf(state, 0, kNow - seconds(60)), 0);
  TakeTokens(state, 0, kNow - seconds(60));
  EXPECT_EQ(RoomOf(state, 0, kNow), 0);
}

TEST(Admission, RoomIsWhatTheTighterOfTwoLeaves) {
  LimitState state = TenPerSecond(5);
  state.limit.max_running = 3;
  EXPECT_EQ(RoomOf(state, 1, kNow), 2);
  EXPECT_EQ(RoomOf(state, 7, kNow), 0);
}

TEST(Admission, AKeyWithALimitOfItsOwnIsNotUnderTheOneForEveryKey) {
  const LimitState every{.limit = {.scope = LimitScope::kKey, .name = "*", .max_running = 1, .rate = {}}};
  const LimitState own{.limit = {.scope = LimitScope::kKey, .name = "big", .max_running = 9, .rate = {}}};
  Admission admission({every, own}, {"paused"}, kNow);
  for (const char* key : {"big", "small", "other"}) admission.SetRunning(LimitScope::kKey, key, 0);
  EXPECT_EQ(admission.RoomFor(LimitScope::kKey, "big", 20), 9);
  admission.Begin("a", "small");
  EXPECT_EQ(admission.RoomFor(LimitScope::kKey, "small", 20), 0);
  EXPECT_EQ(admission.RoomFor(LimitScope::kKey, "other", 20), 1);
  EXPECT_EQ(admission.RoomFor(LimitScope::kType, "a", 20), 20);
  EXPECT_TRUE(admission.IsPaused("paused"));
  EXPECT_TRUE(admission.Changed().empty());
}

TEST(Admission, LimitsOutOfRangeAreRefusedByField) {
  const auto path = [](const QueueLimit& limit) {
    const auto checked = CheckLimit(limit);
    return checked ? std::string("fine") : checked.error().path;
  };
  EXPECT_EQ(path({.name = "a", .max_running = 1, .rate = {}}), "fine");
  EXPECT_EQ(path({.name = "", .max_running = 1, .rate = {}}), "name");
  EXPECT_EQ(path({.name = "a", .max_running = {}, .rate = {}}), "max_running");
  EXPECT_EQ(path({.name = "a", .max_running = 0, .rate = {}}), "max_running");
  EXPECT_EQ(path({.name = "a", .max_running = {}, .rate = RateLimit{0, seconds(1), 1}}), "rate.tasks");
  EXPECT_EQ(path({.name = "a", .max_running = {}, .rate = RateLimit{1, seconds(0), 1}}), "rate.interval");
  EXPECT_EQ(path({.scope = LimitScope::kKey, .name = "*", .max_running = {}, .rate = RateLimit{}}), "rate");
}

}  // namespace
}  // namespace seedcore::store
