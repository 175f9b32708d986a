#pragma once

#include <bitset>
#include <optional>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/result.h"
#include "queue/time_zone.h"

namespace seedcore::queue {

/// A cron expression, with the meaning that Vixie's cron gives it: five fields (minute, hour, day of month, month, day
/// of week), each `*`, a number, a range `a-b`, either of these with a step `/n` (`*/n`, `a-b/n`), or a list of them
/// with commas; months and days of the week also by their English names, Sunday being 0 and 7. When both the day of the
/// month and the day of the week are restricted, either will do. Or @hourly, @daily (@midnight), @weekly, @monthly,
/// @yearly (@annually).
///
/// Where clocks are put forward or back: an expression whose minute or hour begins with `*` goes by the time that
/// really passes: it has no times in the hour that is left out, and has those of the repeated hour twice. Any other one
/// has each of its times once: what falls into the hour left out comes right after it, and a repeated time comes the
/// first time.
class CronExpression {
 public:
  /// kInvalidArgument says what is wrong; also when no date ever matches (February 30).
  [[nodiscard]] static Result<CronExpression> Parse(std::string_view text);

  /// The first time after `after`, a whole minute of the zone.
  [[nodiscard]] WallTime Next(WallTime after, const TimeZone& zone) const;
  /// Whether a local minute is one of its times, clocks being steady.
  [[nodiscard]] bool Matches(const cctz::civil_minute& minute) const;

 private:
  [[nodiscard]] bool MatchesDay(const cctz::civil_day& day) const;
  /// The first matching minute at or after `from`; none within the years that any date needs to come again.
  [[nodiscard]] std::optional<cctz::civil_minute> FirstFrom(const cctz::civil_minute& from) const;
  [[nodiscard]] WallTime NextByClock(WallTime after, const TimeZone& zone) const;
  [[nodiscard]] WallTime NextByElapsedTime(WallTime after, const TimeZone& zone) const;

  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;
  std::bitset<13> months_;
  std::bitset<7> weekdays_;
  bool any_day_ = false;      ///< the field begins with *
  bool any_weekday_ = false;  ///< the field begins with *
  bool by_elapsed_time_ = false;
};

}  // namespace seedcore::queue
