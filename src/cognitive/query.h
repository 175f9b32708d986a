#pragma once

#include <string>
#include <vector>

#include "cognitive/request.h"

namespace seedcore::cognitive {

/// What to look for in memory for a request (P§5.4 no. 1): the words of the incident, task, options, problem, fragments
/// or missing capabilities, at most 500 bytes.
[[nodiscard]] std::string QueryText(TaskType type, const ReasoningRequest& request);

/// The searches for a question, most specific first, at most 8: all its content words, up to two variants with a
/// synonym in place of a word (error, performance, memory, task), and its longest words each alone, because a store
/// wants every word of a search to match.
[[nodiscard]] std::vector<std::string> ExpandQuery(const std::string& question);

}  // namespace seedcore::cognitive
