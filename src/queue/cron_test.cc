#include "queue/cron.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/sim_env.h"

namespace seedcore::queue {
namespace {

using std::chrono::minutes;
using testing::ElementsAre;
using testing::HasSubstr;

CronExpression Cron(std::string_view text) {
  auto parsed = CronExpression::Parse(text);
  if (!parsed) throw std::runtime_error(ToString(parsed.error()));
  return *parsed;
}
TimeZone Zone(const std::string& name) {
  auto zone = TimeZone::Load(name);
  if (!zone) throw std::runtime_error(ToString(zone.error()));
  return *zone;
}
WallTime At(std::string_view text) { return ParseRfc3339(text).value(); }

/// The next `count` times in UTC, to the minute.
std::vector<std::string> Times(std::string_view cron, std::string_view after, int count,
                               const std::string& zone = "UTC") {
  std::vector<std::string> out;
  WallTime at = At(after);
  for (int i = 0; i < count; ++i) {
    at = Cron(cron).Next(at, Zone(zone));
    out.push_back(ToRfc3339(at).substr(0, 16));
  }
  return out;
}

std::string Refusal(std::string_view text) {
  const auto parsed = CronExpression::Parse(text);
  if (parsed) return "accepted";
  EXPECT_EQ(parsed.error().code, ErrorCode::kInvalidArgument);
  return parsed.error().message;
}

TEST(CronTest, FieldsListsRangesStepsAndNamesAreUnderstood) {
  EXPECT_THAT(Times("*/20 * * * *", "2026-01-01T00:00:30Z", 3),
              ElementsAre("2026-01-01T00:20", "2026-01-01T00:40", "2026-01-01T01:00"));
  EXPECT_THAT(Times("5,7 22-23 * * *", "2026-01-01T22:05:00Z", 3),
              ElementsAre("2026-01-01T22:07", "2026-01-01T23:05", "2026-01-01T23:07"));
  EXPECT_THAT(Times("0 0-23/8 * * *", "2026-01-01T00:00:00Z", 3),
              ElementsAre("2026-01-01T08:00", "2026-01-01T16:00", "2026-01-02T00:00"));
  EXPECT_THAT(Times("0 12 * JAN,mar Mon-Fri", "2026-01-29T13:00:00Z", 3),
              ElementsAre("2026-01-30T12:00", "2026-03-02T12:00", "2026-03-03T12:00"));
  EXPECT_THAT(Times("0 0 * * 7", "2026-01-01T00:00:00Z", 1), ElementsAre("2026-01-04T00:00"));
  EXPECT_THAT(Times("0 0 * * 5-7", "2026-01-01T00:00:00Z", 3),
              ElementsAre("2026-01-02T00:00", "2026-01-03T00:00", "2026-01-04T00:00"));
}

TEST(CronTest, NamesOfWholeExpressions) {
  EXPECT_THAT(Times("@hourly", "2026-01-01T00:00:00Z", 1), ElementsAre("2026-01-01T01:00"));
  EXPECT_THAT(Times(" @Daily ", "2026-01-01T00:00:00Z", 1), ElementsAre("2026-01-02T00:00"));
  EXPECT_THAT(Times("@weekly", "2026-01-01T00:00:00Z", 1), ElementsAre("2026-01-04T00:00"));
  EXPECT_THAT(Times("@monthly", "2026-01-01T00:00:00Z", 1), ElementsAre("2026-02-01T00:00"));
  EXPECT_THAT(Times("@yearly", "2026-01-01T00:00:00Z", 1), ElementsAre("2027-01-01T00:00"));
}

TEST(CronTest, DayOfMonthAndDayOfWeekAreAlternativesWhenBothAreRestricted) {
  EXPECT_THAT(Times("0 0 13 * fri", "2026-01-01T00:00:00Z", 4),
              ElementsAre("2026-01-02T00:00", "2026-01-09T00:00", "2026-01-13T00:00", "2026-01-16T00:00"));
  // What begins with a star restricts nothing in this sense.
  EXPECT_THAT(Times("0 0 */10 * fri", "2026-01-01T00:00:00Z", 2), ElementsAre("2026-05-01T00:00", "2026-07-31T00:00"));
}

TEST(CronTest, LeapDaysComeInLeapYearsAlone) {
  EXPECT_THAT(Times("0 6 29 2 *", "2026-01-01T00:00:00Z", 2), ElementsAre("2028-02-29T06:00", "2032-02-29T06:00"));
  EXPECT_THAT(Times("0 6 29 2 *", "2096-03-01T00:00:00Z", 1), ElementsAre("2104-02-29T06:00"));
}

TEST(CronTest, ExpressionsThatNeverMatchAreRefused) {
  EXPECT_THAT(Refusal("0 0 30 2 *"), HasSubstr("no date"));
  EXPECT_THAT(Refusal("0 0 31 4,6,9,11 *"), HasSubstr("no date"));
  EXPECT_EQ(Refusal("0 0 30 2 mon"), "accepted") << "on Mondays in February";
}

TEST(CronTest, WhatIsNoExpressionIsRefusedAndSaysWhichField) {
  EXPECT_THAT(Refusal(""), HasSubstr("five fields"));
  EXPECT_THAT(Refusal("* * * *"), HasSubstr("got 4"));
  EXPECT_THAT(Refusal("* * * * * *"), HasSubstr("got 6"));
  EXPECT_THAT(Refusal("60 * * * *"), HasSubstr("minute: expected 0 to 59"));
  EXPECT_THAT(Refusal("* 24 * * *"), HasSubstr("hour"));
  EXPECT_THAT(Refusal("* * 0 * *"), HasSubstr("day of month"));
  EXPECT_THAT(Refusal("* * * 13 *"), HasSubstr("month"));
  EXPECT_THAT(Refusal("* * * * 8"), HasSubstr("day of week"));
  EXPECT_THAT(Refusal("* * * jan-foo *"), HasSubstr("foo"));
  EXPECT_THAT(Refusal("9-5 * * * *"), HasSubstr("before it begins"));
  EXPECT_THAT(Refusal("*/0 * * * *"), HasSubstr("step"));
  EXPECT_THAT(Refusal("5/10 * * * *"), HasSubstr("range"));
  EXPECT_THAT(Refusal("1,,2 * * * *"), HasSubstr("minute"));
  EXPECT_THAT(Refusal("? * * * *"), HasSubstr("minute"));
  EXPECT_THAT(Refusal("@reboot"), HasSubstr("@hourly"));
}

// Berlin puts its clocks forward on 2026-03-29 at 02:00 (01:00 UTC) and back on 2026-10-25 at 03:00 (01:00 UTC).
TEST(CronTest, AFixedTimeInTheHourLeftOutComesRightAfterIt) {
  EXPECT_THAT(Times("30 2 * * *", "2026-03-27T12:00:00Z", 3, "Europe/Berlin"),
              ElementsAre("2026-03-28T01:30", "2026-03-29T01:00", "2026-03-30T00:30"));
  EXPECT_THAT(Times("10,50 2 * * *", "2026-03-28T12:00:00Z", 2, "Europe/Berlin"),
              ElementsAre("2026-03-29T01:00", "2026-03-30T00:10"))
      << "once, however many fall into it";
}

TEST(CronTest, AFixedTimeInTheRepeatedHourComesOnce) {
  EXPECT_THAT(Times("30 2 * * *", "2026-10-24T12:00:00Z", 2, "Europe/Berlin"),
              ElementsAre("2026-10-25T00:30", "2026-10-26T01:30"));
}

TEST(CronTest, EveryHourMeansEveryHourThatPasses) {
  EXPECT_THAT(Times("15 * * * *", "2026-03-29T00:00:00Z", 3, "Europe/Berlin"),
              ElementsAre("2026-03-29T00:15", "2026-03-29T01:15", "2026-03-29T02:15"));
  EXPECT_THAT(Times("15 * * * *", "2026-10-24T23:30:00Z", 4, "Europe/Berlin"),
              ElementsAre("2026-10-25T00:15", "2026-10-25T01:15", "2026-10-25T02:15", "2026-10-25T03:15"));
  EXPECT_THAT(
      Times("*/30 2 * * *", "2026-10-24T23:30:00Z", 5, "Europe/Berlin"),
      ElementsAre("2026-10-25T00:00", "2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30", "2026-10-26T01:00"));
  EXPECT_THAT(Times("*/30 2 * * *", "2026-03-28T12:00:00Z", 1, "Europe/Berlin"), ElementsAre("2026-03-30T00:00"))
      << "there is no hour 2 on that day";
}

TEST(CronTest, ZonesWithHalfHoursAndChangesAtMidnight) {
  // Lord Howe Island changes by half an hour; Lebanon at midnight.
  EXPECT_THAT(Times("15 2 * * *", "2026-10-03T00:00:00Z", 2, "Australia/Lord_Howe"),
              ElementsAre("2026-10-03T15:30", "2026-10-04T15:15"));
  EXPECT_THAT(Times("0 0 * * *", "2026-03-28T00:00:00Z", 2, "Asia/Beirut"),
              ElementsAre("2026-03-28T22:00", "2026-03-29T21:00"));
}

/// A random field: mostly a star, otherwise a number, a range or a list, with or without a step.
std::string Field(SimEnv& env, int first, int last) {
  const auto below = [&](int n) { return static_cast<int>(env.Random() % static_cast<std::uint64_t>(n)); };
  const int span = last - first + 1;
  switch (below(6)) {
    case 0: return std::to_string(first + below(span));
    case 1: {
      const int from = first + below(span);
      return fmt::format("{}-{}", from, from + below(last - from + 1));
    }
    case 2: return fmt::format("*/{}", 1 + below(last));
    case 3: return fmt::format("{},{}", first + below(span), first + below(span));
    default: return "*";
  }
}

TEST(CronTest, NextIsLaterMatchesAndSkipsNothingInAnyZone) {
  SimEnv env(11);
  const std::vector<std::string> zones{"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                                       "Asia/Kolkata"};
  int checked = 0;
  while (checked < 400) {
    const std::string text = fmt::format("{} {} {} {} {}", Field(env, 0, 59), Field(env, 0, 23), Field(env, 1, 31),
                                         Field(env, 1, 12), Field(env, 0, 7));
    const auto cron = CronExpression::Parse(text);
    if (!cron) continue;
    ++checked;
    const TimeZone zone = Zone(zones[env.Random() % zones.size()]);
    const WallTime after = At("2026-01-01T00:00:00Z") + minutes(env.Random() % (4ULL * 366 * 24 * 60)) +
                           std::chrono::seconds(env.Random() % 60);
    const WallTime next = cron->Next(after, zone);
    SCOPED_TRACE(fmt::format("{} after {} gives {}", text, ToRfc3339(after), ToRfc3339(next)));
    ASSERT_GT(next, after);
    ASSERT_EQ(next, std::chrono::floor<minutes>(next));
    const bool in_gap = !cron->Matches(zone.Local(next));
    if (in_gap) {
      // Only where clocks have just been put forward over a time of the expression.
      ASSERT_EQ(zone.NextChange(next - minutes(1)), next);
    }
    // Nothing between: by brute force, for a week at most.
    const bool by_elapsed_time = text.starts_with('*') || text[text.find(' ') + 1] == '*';
    WallTime at = std::chrono::floor<minutes>(after) + minutes(1);
    for (const WallTime end = std::min(next, after + std::chrono::days(7)); at < end; at += minutes(1)) {
      if (!cron->Matches(zone.Local(at))) continue;
      // A fixed time of the repeated hour counts the first time alone.
      ASSERT_TRUE(!by_elapsed_time && zone.FirstAt(zone.Local(at)) < at) << ToRfc3339(at);
    }
  }
}

TEST(TimeZoneTest, WhatIsNoZoneIsRefused) {
  for (const char* name : {"Europe/Nowhere", "/etc/passwd", "file:/etc/localtime", "../UTC", "localtime", "libc:UTC"}) {
    const auto zone = TimeZone::Load(name);
    ASSERT_FALSE(zone) << name;
    EXPECT_EQ(zone.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(zone.error().path, "time_zone");
  }
  EXPECT_TRUE(TimeZone::Load("UTC"));
  EXPECT_TRUE(TimeZone::Load(""));
}

}  // namespace
}  // namespace seedcore::queue
