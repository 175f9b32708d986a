#pragma once

#include <optional>
#include <vector>

#include "queue/cron.h"
#include "queue/time_zone.h"
#include "store/schedule_store.h"

namespace seedcore::queue {

/// The times of one schedule. Pure: the caller brings the clock.
class ScheduleTimes {
 public:
  /// kInvalidArgument: the expression or the time zone. kUnavailable: no time zone database.
  [[nodiscard]] static Result<ScheduleTimes> Of(const store::Schedule& schedule);

  /// The first time after `after`. Of a period: counted from next_run_at, or from `after` when there is none yet.
  [[nodiscard]] WallTime After(WallTime after) const;

 private:
  std::optional<CronExpression> cron_;
  std::optional<TimeZone> zone_;
  std::chrono::milliseconds every_{0};
  std::optional<WallTime> anchor_;
};

/// What to do about a schedule whose next_run_at has come.
struct Due {
  std::vector<WallTime> fire;  ///< in order; those that the catch-up policy skips are not among them
  WallTime next;
};
/// A time is on time for a minute: what comes later than that counts as missed.
inline constexpr std::chrono::seconds kOnTime{60};
/// `schedule.next_run_at` is there and has come.
[[nodiscard]] Due DueTimes(const store::Schedule& schedule, const ScheduleTimes& times, WallTime now);

}  // namespace seedcore::queue
