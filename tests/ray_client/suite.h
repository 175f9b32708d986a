#pragma once

#include <string>

#include <gtest/gtest.h>

#include "base/env.h"
#include "ray/client/ray_client.h"
#include "ray_head.h"

namespace seedcore::testing {

inline constexpr const char* kNamespace = "seed";

/// The `ray` program the suite uses.
[[nodiscard]] std::string RayProgram();

[[nodiscard]] inline CallContext WithinSeconds(int seconds) {
  return CallContext{}.Within(std::chrono::seconds(seconds), RealEnv());
}

/// Asks until `holds`, for as long as a slow machine may need.
template <class Condition>
[[nodiscard]] bool Eventually(const Condition& holds, std::chrono::seconds patience = std::chrono::seconds(30)) {
  Env& env = RealEnv();
  const Instant give_up = env.Now() + patience;
  while (env.Now() < give_up) {
    if (holds()) return true;
    env.SleepFor(std::chrono::milliseconds(50), {});
  }
  return holds();
}

}  // namespace seedcore::testing
