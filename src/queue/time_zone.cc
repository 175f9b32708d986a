#include "queue/time_zone.h"

#include <algorithm>
#include <string_view>

#include <fmt/format.h>

namespace seedcore::queue {
namespace {

using Seconds = cctz::time_point<cctz::seconds>;

Seconds ToSeconds(WallTime time) { return std::chrono::floor<std::chrono::seconds>(time); }

/// cctz takes paths and "file:" as well; users name zones.
bool IsZoneName(std::string_view name) {
  const bool plain = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' ||
           c == '-' || c == '+';
  });
  return plain && !name.starts_with('/') && name != "localtime";
}

}  // namespace

Result<TimeZone> TimeZone::Load(const std::string& name) {
  if (name.empty() || name == "UTC") return TimeZone(cctz::utc_time_zone());
  cctz::time_zone zone;
  if (IsZoneName(name) && cctz::load_time_zone(name, &zone)) return TimeZone(zone);
  // Every database has this one.
  if (!cctz::load_time_zone("Europe/London", &zone)) {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("this machine has no time zone database, so '{}' is not known; install tzdata, or use UTC", name),
        "time_zone");
  }
  return Fail(ErrorCode::kInvalidArgument, fmt::format("there is no time zone '{}'", name), "time_zone");
}

cctz::civil_minute TimeZone::Local(WallTime time) const {
  return cctz::civil_minute(cctz::convert(ToSeconds(time), zone_));
}

WallTime TimeZone::FirstAt(const cctz::civil_minute& local) const {
  const auto found = zone_.lookup(cctz::civil_second(local));
  return found.kind == cctz::time_zone::civil_lookup::SKIPPED ? found.trans : found.pre;
}

std::optional<WallTime> TimeZone::NextChange(WallTime after) const {
  cctz::time_zone::civil_transition change;
  if (!zone_.next_transition(ToSeconds(after), &change)) return std::nullopt;
  // Of a gap the clocks never show the beginning, of a repetition they show the end twice.
  return zone_.lookup(change.from < change.to ? change.from : change.to).trans;
}

}  // namespace seedcore::queue
