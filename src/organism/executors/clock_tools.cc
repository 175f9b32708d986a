#include <array>

#include <fmt/format.h>

#include "organism/executors/executors.h"

namespace seedcore::organism {
namespace {

struct NoArguments {
  static constexpr auto kFields = Fields();
};

constexpr std::array<std::string_view, 7> kWeekdays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                                       "Thursday", "Friday", "Saturday"};
constexpr std::array<std::string_view, 12> kMonths = {"January",   "February", "March",    "April",
                                                      "May",       "June",     "July",     "August",
                                                      "September", "October",  "November", "December"};

struct Day {
  std::chrono::year_month_day date{};
  std::string_view weekday;
  int day_of_year = 0;

  explicit Day(WallTime now) {
    const auto days = std::chrono::floor<std::chrono::days>(now);
    date = days;
    weekday = kWeekdays[std::chrono::weekday(days).c_encoding()];
    const std::chrono::sys_days first = date.year() / std::chrono::January / 1;
    day_of_year = static_cast<int>((days - first).count()) + 1;
  }
  [[nodiscard]] std::string InWords() const {
    return fmt::format("{}, {} {} {}", weekday, static_cast<unsigned>(date.day()),
                       kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()));
  }
  [[nodiscard]] std::string Iso() const {
    return fmt::format("{:04}-{:02}-{:02}", static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                       static_cast<unsigned>(date.day()));
  }
};

}  // namespace

Tool MakeTimeTool(Env& env) {
  return {.name = "time",
          .doc = "The time now, in UTC, from the clock of this machine.",
          .arguments_schema = ParamsSchema<NoArguments>(),
          .run = [&env](const json::object& arguments, const CallContext&) -> Result<ToolOutput> {
            SEEDCORE_RETURN_IF_ERROR(FromJson<NoArguments>(arguments));
            const WallTime now = env.WallNow();
            const std::chrono::hh_mm_ss clock(
                std::chrono::floor<std::chrono::seconds>(now - std::chrono::floor<std::chrono::days>(now)));
            return ToolOutput{.text = fmt::format("It is {:02}:{:02}:{:02} UTC on {}.", clock.hours().count(),
                                                  clock.minutes().count(), clock.seconds().count(), Day(now).InWords()),
                              .data = json::object{{"utc", ToRfc3339(now)}, {"unix_s", ToUnixMicros(now) / 1'000'000}}};
          }};
}

Tool MakeDateTool(Env& env) {
  return {.name = "date",
          .doc = "Today's date and weekday, in UTC.",
          .arguments_schema = ParamsSchema<NoArguments>(),
          .run = [&env](const json::object& arguments, const CallContext&) -> Result<ToolOutput> {
            SEEDCORE_RETURN_IF_ERROR(FromJson<NoArguments>(arguments));
            const Day day(env.WallNow());
            return ToolOutput{
                .text = fmt::format("Today is {} (UTC).", day.InWords()),
                .data = json::object{{"date", day.Iso()}, {"weekday", day.weekday}, {"day_of_year", day.day_of_year}}};
          }};
}

}  // namespace seedcore::organism
