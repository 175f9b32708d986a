#include "queue/schedule_times.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace seedcore::queue {

Result<ScheduleTimes> ScheduleTimes::Of(const store::Schedule& schedule) {
  ScheduleTimes times;
  times.every_ = schedule.every;
  times.anchor_ = schedule.next_run_at;
  if (schedule.cron.empty()) return times;
  SEEDCORE_ASSIGN_OR_RETURN(times.cron_, CronExpression::Parse(schedule.cron));
  SEEDCORE_ASSIGN_OR_RETURN(times.zone_, TimeZone::Load(schedule.time_zone));
  return times;
}

WallTime ScheduleTimes::After(WallTime after) const {
  if (cron_) return cron_->Next(after, *zone_);
  if (!anchor_) return after + every_;
  if (after < *anchor_) return *anchor_;
  const auto passed = (after - *anchor_) / every_;
  return *anchor_ + (passed + 1) * every_;
}

Due DueTimes(const store::Schedule& schedule, const ScheduleTimes& times, WallTime now) {
  SEEDCORE_CHECK(schedule.next_run_at && *schedule.next_run_at <= now, "only what is due is asked about");
  const WallTime first = *schedule.next_run_at;
  const std::size_t wanted =
      schedule.catch_up == store::CatchUp::kAll ? static_cast<std::size_t>(schedule.max_catch_up) : 1;

  // The newest so many: looked for in a window before now that doubles until it holds them, because after a long time
  // nobody wants to count all the times that were missed.
  std::vector<WallTime> newest;
  for (auto window = std::chrono::microseconds(std::chrono::minutes(1));; window *= 2) {
    const WallTime begin = std::max(first, now - window);
    newest.clear();
    // `first` counts even where the schedule's times would by now be others.
    WallTime at = begin == first ? first : times.After(begin);
    for (; at <= now; at = times.After(at)) {
      newest.push_back(at);
      if (newest.size() > wanted) newest.erase(newest.begin());
    }
    if (begin != first && newest.size() < wanted) continue;
    if (schedule.catch_up == store::CatchUp::kSkip) {
      std::erase_if(newest, [&](WallTime time) { return now - time > kOnTime; });
    }
    return {std::move(newest), at};
  }
}

}  // namespace seedcore::queue
