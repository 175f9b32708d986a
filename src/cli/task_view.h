#pragma once

#include <string>
#include <vector>

#include "base/json.h"

/// How tasks look on a terminal. Pure but for color.
namespace seedcore::cli {

/// The status in its color, padded.
[[nodiscard]] std::string PaintStatus(const std::string& status);
/// One line per task: short id, status, type, age, attempts, summary.
[[nodiscard]] std::string TaskTable(const json::array& tasks);
/// Everything about a task: fields, steps, result, history, calls. `history` is what /events answers, `steps` what
/// /steps answers; both may be null.
[[nodiscard]] std::string TaskDetails(const json::object& task, const json::value& history, const json::value& steps);
/// The answer of a finished task in one line: its formatted text where the executor gave one, else JSON, cut to
/// `width`.
[[nodiscard]] std::string ResultSummary(const json::value& task, std::size_t width);

}  // namespace seedcore::cli
