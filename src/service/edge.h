#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/json.h"

/// Small conversions that several services need at their edge.
namespace seedcore::service {

/// The member as text; empty when it is missing or not a string.
[[nodiscard]] inline std::string TextOf(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

[[nodiscard]] inline double UnixSeconds(Env& env) { return static_cast<double>(ToUnixMicros(env.WallNow())) / 1e6; }

[[nodiscard]] inline double MillisecondsSince(Instant start, Env& env) {
  return std::chrono::duration<double, std::milli>(env.Now() - start).count();
}

}  // namespace seedcore::service
