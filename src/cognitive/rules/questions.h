#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace seedcore::cognitive::rules {

/// The most parts a question is split into; one with more stays whole.
inline constexpr std::size_t kMaxQuestions = 8;

struct QuestionParts {
  std::vector<std::string> questions;  ///< one element: the question is one
  bool in_sequence = false;  ///< "then", "after that", or a pronoun that points back: each needs the one before
};

/// Splits a conjunction of questions or requests: at ? ; and line breaks, and at "and", "then", "also" where a new
/// question or request begins ("what time is it and list the failed tasks"). "2 and 3" and "apples and pears" stay
/// together.
[[nodiscard]] QuestionParts SplitQuestion(std::string_view text);

}  // namespace seedcore::cognitive::rules
