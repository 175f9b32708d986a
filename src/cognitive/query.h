#pragma once

#include <string>
#include <vector>

#include "cognitive/request.h"

namespace seedcore::cognitive {

/// What to look for in memory for a request (P§5.4 no. 1): the words of the incident, task, options, problem, fragments
/// or missing capabilities, at most 500 bytes.
[[nodiscard]] std::string QueryText(TaskType type, const ReasoningRequest& request);

/// The searches for a question, most specific first, at most 5: the question, up to two variants with a synonym in
/// place of a word (error, performance, memory, task), and its two longest words on their own, so that a store which
/// wants every word to match still finds what shares one.
[[nodiscard]] std::vector<std::string> ExpandQuery(const std::string& question);

}  // namespace seedcore::cognitive
