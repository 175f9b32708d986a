#include "cli/example.h"

#include <charconv>

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::cli {
namespace {

std::string DayOf(WallTime time) { return ToRfc3339(time).substr(0, 10); }

std::int64_t UnixSeconds(WallTime time) { return ToUnixMicros(time) / 1'000'000; }

}  // namespace

Result<std::vector<Measurement>> ParseSeriesCsv(std::string_view text) {
  std::vector<Measurement> series;
  std::size_t line_number = 0;
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    const std::string_view line = Trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    ++line_number;
    if (line.empty() || line_number == 1) continue;
    const auto bad = [&] {
      return Fail(ErrorCode::kMalformed, "expected timestamp,value", fmt::format("line {}", line_number));
    };
    const std::size_t comma = line.find(',');
    if (comma == std::string_view::npos) return bad();
    const auto at = ParseRfc3339(line.substr(0, comma));
    const std::string_view number = line.substr(comma + 1);
    double value = 0;
    const auto [stop, error] = std::from_chars(number.data(), number.data() + number.size(), value);
    if (!at || error != std::errc{} || stop != number.data() + number.size()) return bad();
    series.push_back({*at, value});
  }
  return series;
}

std::vector<DayTask> MakeDayTasks(const Example& example, const std::vector<Measurement>& series, std::size_t history,
                                  std::size_t warm_up) {
  std::vector<DayTask> tasks;
  for (std::size_t begin = 0; begin < series.size();) {
    const std::string day = DayOf(series[begin].at);
    std::size_t end = begin;
    while (end < series.size() && DayOf(series[end].at) == day) ++end;
    if (begin >= warm_up) {
      const std::size_t first = begin - std::min(history, begin);
      json::array values, times;
      for (std::size_t i = first; i < end; ++i) {
        values.push_back(series[i].value);
        times.push_back(UnixSeconds(series[i].at));
      }
      json::object params{{"agent_id", example.domain},
                          {"series", std::move(values)},
                          {"timestamps", std::move(times)},
                          {"report_from", begin - first},
                          {"context", json::object{{"day", day}, {"unit", example.unit}}}};
      tasks.push_back({day, json::object{{"type", "anomaly_triage"},
                                         {"description", fmt::format("Measurements of {}", day)},
                                         {"domain", example.domain},
                                         {"params", std::move(params)},
                                         {"idempotency_key", fmt::format("{}/{}", example.domain, day)}}});
    }
    begin = end;
  }
  return tasks;
}

}  // namespace seedcore::cli
