#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/example.h"

/// What the example run came to. Pure: from stored tasks to figures to text.
namespace seedcore::cli {

/// One known event, and what the platform made of it.
struct EventFinding {
  std::string name;
  WallTime start;
  WallTime end;
  bool found = false;
  WallTime found_at;  ///< of the first anomalous measurement inside the window
  double value = 0.0;
  double expected = 0.0;
  double score = 0.0;
  std::string severity;
  std::string why;        ///< the detector's evidence
  std::string decision;   ///< action that was decided
  std::string reasoning;  ///< and why
  std::string path;       ///< how the task was routed
  std::string task_id;
};

/// Tasks that took one route.
struct RouteFigures {
  std::size_t tasks = 0;
  std::vector<double> run_ms;  ///< start to end of the execution, ascending
};

struct DemoReport {
  std::size_t tasks = 0;
  std::size_t failed = 0;
  std::size_t unfinished = 0;
  std::vector<std::string> failures;  ///< error texts, at most a few
  std::vector<EventFinding> events;
  std::vector<std::string> other_days;           ///< days flagged outside every known event
  std::map<std::string, RouteFigures> routes;    ///< by path: fast, hgnn, ...
  std::map<std::string, std::size_t> decisions;  ///< tasks by decided action
  double elapsed_s = 0.0;
};

/// `tasks`: the tasks of the example as the API shows them, any order.
[[nodiscard]] DemoReport MakeDemoReport(const Example& example, const std::vector<json::value>& tasks);
[[nodiscard]] std::string DemoReportText(const Example& example, const DemoReport& report);
[[nodiscard]] json::value DemoReportJson(const DemoReport& report);

/// The q-quantile of ascending values, nearest rank; 0 when there are none.
[[nodiscard]] double Quantile(const std::vector<double>& ascending, double q);

}  // namespace seedcore::cli
