#pragma once

#include <chrono>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "base/result.h"

/// What the request and response structs of several services need.
namespace seedcore::service {

/// kInvalidArgument at `path`.
[[nodiscard]] inline std::unexpected<Error> Invalid(std::string message, std::string path) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message), std::move(path));
}

/// Nothing instead of an empty text, so that the member is left out or null.
[[nodiscard]] inline std::optional<std::string> NonEmpty(std::string text) {
  return text.empty() ? std::nullopt : std::optional<std::string>(std::move(text));
}

/// To the nearest millisecond.
[[nodiscard]] inline std::chrono::milliseconds FromSeconds(double seconds) {
  return std::chrono::milliseconds(std::llround(seconds * 1000.0));
}

}  // namespace seedcore::service
