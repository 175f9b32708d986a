#pragma once

#include <cctz/civil_time.h>
#include <cctz/time_zone.h>
#include <optional>
#include <string>

#include "base/env.h"
#include "base/result.h"

namespace seedcore::queue {

/// A time zone of the IANA database as the machine has it (package tzdata). Cheap to copy.
class TimeZone {
 public:
  /// "Europe/Berlin". UTC and the empty name need no database. kInvalidArgument: there is no such zone. kUnavailable:
  /// the machine has no database.
  [[nodiscard]] static Result<TimeZone> Load(const std::string& name);

  [[nodiscard]] cctz::civil_minute Local(WallTime time) const;
  /// When the local clocks show it for the first time; when they never do, the moment at which they are put forward.
  [[nodiscard]] WallTime FirstAt(const cctz::civil_minute& local) const;
  /// When the local clocks are put forward or back next.
  [[nodiscard]] std::optional<WallTime> NextChange(WallTime after) const;

 private:
  explicit TimeZone(const cctz::time_zone& zone) : zone_(zone) {}
  cctz::time_zone zone_;
};

}  // namespace seedcore::queue
