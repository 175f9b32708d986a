#pragma once

#include <string_view>

#include "organism/number.h"

namespace seedcore::organism {

inline constexpr std::size_t kMaxExpressionBytes = 1024;
inline constexpr int kMaxExpressionDepth = 64;

/// Evaluates an arithmetic expression. Operators from loosest to tightest: + and -; * / and % (also written as the
/// signs for times and divided by); unary + and -; ^ or ** (to the right, tighter than a minus on its left: -2^2 is
/// -4). Parentheses; decimals with an optional exponent; pi; functions sqrt, abs, min, max, round, floor, ceil. Errors:
/// kInvalidArgument with the position for text that is no expression or is too long or too deep, kNonRetryable for
/// division by zero, overflow and results that are not real numbers. Pure; any thread.
[[nodiscard]] Result<Number> Evaluate(std::string_view expression);

/// Whether `text` is a well-formed expression that computes something: more than a number by itself.
[[nodiscard]] bool IsComputation(std::string_view text);

}  // namespace seedcore::organism
