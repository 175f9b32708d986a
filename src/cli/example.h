#pragma once

#include <string>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "base/json_binding.h"
#include "base/result.h"

/// The bundled example: a series of real measurements with known events, cut into one triage task per day. Pure.
namespace seedcore::cli {

struct KnownEvent {
  std::string name;
  WallTime start;
  WallTime end;
  static constexpr auto kFields =
      Fields(Required("name", &KnownEvent::name, "What happened"),
             Required("start", &KnownEvent::start, "First moment"), Required("end", &KnownEvent::end, "Last moment"));
};

struct Example {
  std::string series;  ///< file name of the CSV beside the description
  std::string unit;
  std::string domain;
  std::vector<KnownEvent> events;
  static constexpr auto kFields = Fields(Required("series", &Example::series, "CSV with timestamp,value"),
                                         Required("unit", &Example::unit, "Of the values"),
                                         Required("domain", &Example::domain, "Domain of the tasks"),
                                         Required("events", &Example::events, "In order of time"));
};

struct Measurement {
  WallTime at;
  double value = 0.0;
};

/// Reads "timestamp,value" lines below a header line. kMalformed names the line.
[[nodiscard]] Result<std::vector<Measurement>> ParseSeriesCsv(std::string_view text);

/// One task of the example: a day of measurements, preceded by what the detector needs to know of the past.
struct DayTask {
  std::string day;    ///< "2014-11-02"
  json::object body;  ///< what goes to POST /api/v1/tasks
};

/// A task per calendar day (UTC) that has at least `warm_up` measurements before it. Each carries at most `history`
/// earlier measurements, so that a task can be repeated, or run on any worker, and give the same answer.
[[nodiscard]] std::vector<DayTask> MakeDayTasks(const Example& example, const std::vector<Measurement>& series,
                                                std::size_t history, std::size_t warm_up);

}  // namespace seedcore::cli
