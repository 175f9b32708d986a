#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace seedcore::organism {

/// A tool that a question asks for.
struct Intent {
  std::string tool;
  json::object arguments;
};

/// What the question asks for, recognized by whole words: an expression to calculate, tasks or facts to look up, time,
/// date, or the state of the system. Every word that carries meaning must be understood; a question with a word too
/// many gives no intent rather than a wrong answer. Several intents when it asks for time, date and status at once.
/// Pure.
[[nodiscard]] std::vector<Intent> RecognizeIntents(std::string_view question);

}  // namespace seedcore::organism
