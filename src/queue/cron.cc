#include "queue/cron.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/strings.h"

namespace seedcore::queue {
namespace {

using cctz::civil_day;
using cctz::civil_minute;
using cctz::civil_month;

/// Dates of one weekday in a leap year come again after 40 years at most (over a century year that is none).
constexpr int kMostYears = 44;

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};
constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kNamed = {{{"@hourly", "0 * * * *"},
                                                                                  {"@daily", "0 0 * * *"},
                                                                                  {"@midnight", "0 0 * * *"},
                                                                                  {"@weekly", "0 0 * * 0"},
                                                                                  {"@monthly", "0 0 1 * *"},
                                                                                  {"@yearly", "0 0 1 1 *"},
                                                                                  {"@annually", "0 0 1 1 *"}}};

struct FieldKind {
  std::string_view name;
  int first = 0;
  int last = 0;
  std::span<const std::string_view> names{};  ///< of `first` and those that follow
};
constexpr FieldKind kMinute{"minute", 0, 59};
constexpr FieldKind kHour{"hour", 0, 23};
constexpr FieldKind kDay{"day of month", 1, 31};
constexpr FieldKind kMonth{"month", 1, 12, kMonths};
constexpr FieldKind kWeekday{"day of week", 0, 7, kWeekdays};

std::unexpected<Error> Invalid(std::string message) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message), "cron");
}

std::optional<int> Number(std::string_view text) {
  int value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || stop != end || value < 0) return std::nullopt;
  return value;
}

Result<int> Value(const FieldKind& kind, std::string_view text) {
  const auto named = std::ranges::find(kind.names, text);
  if (named != kind.names.end()) return kind.first + static_cast<int>(named - kind.names.begin());
  const auto value = Number(text);
  if (value && *value >= kind.first && *value <= kind.last) return *value;
  return Invalid(fmt::format("{}: expected {} to {}, got '{}'", kind.name, kind.first, kind.last, text));
}

/// One element of a list, `*`, `a`, `a-b`, with or without `/n`.
template <std::size_t N>
Result<void> AddElement(const FieldKind& kind, std::string_view element, std::bitset<N>& set) {
  int step = 1;
  const std::size_t slash = element.find('/');
  const std::string_view range = element.substr(0, slash);
  if (slash != std::string_view::npos) {
    const auto given = Number(element.substr(slash + 1));
    if (!given || *given < 1 || *given > kind.last) {
      return Invalid(fmt::format("{}: '{}' has no step of 1 to {}", kind.name, element, kind.last));
    }
    step = *given;
  }
  int first = kind.first, last = kind.last;
  if (range != "*") {
    const std::size_t dash = range.find('-');
    SEEDCORE_ASSIGN_OR_RETURN(first, Value(kind, range.substr(0, dash)));
    last = first;
    if (dash != std::string_view::npos) {
      SEEDCORE_ASSIGN_OR_RETURN(last, Value(kind, range.substr(dash + 1)));
    } else if (slash != std::string_view::npos) {
      return Invalid(fmt::format("{}: a step needs a range or *, as in {}-{}/{}", kind.name, first, kind.last, step));
    }
    if (last < first) return Invalid(fmt::format("{}: the range {} ends before it begins", kind.name, range));
  }
  // Sunday is 0 and 7.
  for (int value = first; value <= last; value += step) set.set(static_cast<std::size_t>(value) % N);
  return {};
}

template <std::size_t N>
Result<void> ParseField(const FieldKind& kind, std::string_view text, std::bitset<N>& set) {
  for (std::size_t begin = 0;;) {
    const std::size_t comma = text.find(',', begin);
    SEEDCORE_RETURN_IF_ERROR(AddElement(kind, text.substr(begin, comma - begin), set));
    if (comma == std::string_view::npos) return {};
    begin = comma + 1;
  }
}

std::vector<std::string_view> Words(std::string_view text) {
  constexpr std::string_view kBlank = " \t";
  std::vector<std::string_view> words;
  for (std::size_t at = text.find_first_not_of(kBlank); at != std::string_view::npos;
       at = text.find_first_not_of(kBlank, at)) {
    const std::size_t end = std::min(text.find_first_of(kBlank, at), text.size());
    words.push_back(text.substr(at, end - at));
    at = end;
  }
  return words;
}

}  // namespace

Result<CronExpression> CronExpression::Parse(std::string_view text) {
  std::string lower = ToLower(Trim(text));
  if (lower.starts_with('@')) {
    const auto named =
        std::ranges::find(kNamed, std::string_view(lower), &std::pair<std::string_view, std::string_view>::first);
    if (named == kNamed.end()) {
      return Invalid(
          fmt::format("'{}' is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly and @annually", lower));
    }
    lower = named->second;
  }
  const std::vector<std::string_view> fields = Words(lower);
  if (fields.size() != 5) {
    return Invalid(
        fmt::format("expected five fields (minute, hour, day of month, month, day of week), got {}", fields.size()));
  }
  CronExpression out;
  SEEDCORE_RETURN_IF_ERROR(ParseField(kMinute, fields[0], out.minutes_));
  SEEDCORE_RETURN_IF_ERROR(ParseField(kHour, fields[1], out.hours_));
  SEEDCORE_RETURN_IF_ERROR(ParseField(kDay, fields[2], out.days_));
  SEEDCORE_RETURN_IF_ERROR(ParseField(kMonth, fields[3], out.months_));
  SEEDCORE_RETURN_IF_ERROR(ParseField(kWeekday, fields[4], out.weekdays_));
  out.any_day_ = fields[2].starts_with('*');
  out.any_weekday_ = fields[4].starts_with('*');
  out.by_elapsed_time_ = fields[0].starts_with('*') || fields[1].starts_with('*');
  if (!out.FirstFrom(civil_minute(2000, 1, 1))) return Invalid("no date ever matches");
  return out;
}

bool CronExpression::MatchesDay(const civil_day& day) const {
  const bool by_date = days_.test(static_cast<std::size_t>(day.day()));
  // cctz counts from Monday.
  const auto weekday = (static_cast<std::size_t>(cctz::get_weekday(day)) + 1) % 7;
  const bool by_weekday = weekdays_.test(weekday);
  return any_day_ || any_weekday_ ? by_date && by_weekday : by_date || by_weekday;
}

bool CronExpression::Matches(const civil_minute& minute) const {
  return minutes_.test(static_cast<std::size_t>(minute.minute())) &&
         hours_.test(static_cast<std::size_t>(minute.hour())) &&
         months_.test(static_cast<std::size_t>(minute.month())) && MatchesDay(civil_day(minute));
}

std::optional<civil_minute> CronExpression::FirstFrom(const civil_minute& from) const {
  const auto too_late = from.year() + kMostYears;
  civil_minute at = from;
  while (at.year() < too_late) {
    if (!months_.test(static_cast<std::size_t>(at.month()))) {
      at = civil_minute(civil_month(at) + 1);
    } else if (!MatchesDay(civil_day(at))) {
      at = civil_minute(civil_day(at) + 1);
    } else if (!hours_.test(static_cast<std::size_t>(at.hour()))) {
      at = civil_minute(cctz::civil_hour(at) + 1);
    } else if (!minutes_.test(static_cast<std::size_t>(at.minute()))) {
      ++at;
    } else {
      return at;
    }
  }
  return std::nullopt;
}

WallTime CronExpression::Next(WallTime after, const TimeZone& zone) const {
  return by_elapsed_time_ ? NextByElapsedTime(after, zone) : NextByClock(after, zone);
}

WallTime CronExpression::NextByClock(WallTime after, const TimeZone& zone) const {
  civil_minute from = zone.Local(after);
  for (;;) {
    const std::optional<civil_minute> match = FirstFrom(from);
    SEEDCORE_CHECK(match.has_value(), "Parse refuses what never matches");
    const WallTime at = zone.FirstAt(*match);
    if (at > after) return at;
    from = *match + 1;
  }
}

WallTime CronExpression::NextByElapsedTime(WallTime after, const TimeZone& zone) const {
  // Between two changes of the clocks local time passes as time does.
  WallTime base = std::chrono::floor<std::chrono::minutes>(after);
  civil_minute local = zone.Local(base);
  civil_minute from = local + 1;
  for (;;) {
    const std::optional<civil_minute> match = FirstFrom(from);
    SEEDCORE_CHECK(match.has_value(), "Parse refuses what never matches");
    const WallTime at = base + std::chrono::minutes(*match - local);
    const std::optional<WallTime> change = zone.NextChange(base);
    if (!change || at < *change) return at;
    base = *change;
    local = zone.Local(base);
    from = local;
  }
}

}  // namespace seedcore::queue
