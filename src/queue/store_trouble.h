#pragma once

#include <chrono>
#include <mutex>
#include <string>
#include <string_view>

#include "base/env.h"

namespace seedcore::queue {

/// How one loop bears with a store that fails: a log line when trouble begins or changes and one when it ends, and a
/// growing, jittered pause between tries. Thread-safe.
class StoreTrouble {
 public:
  /// `who` and `what` name the loop in the logs: "dispatcher", "claim".
  StoreTrouble(Env& env, std::string_view who, std::string_view what) : env_(env), who_(who), what_(what) {}

  /// Notes a failure and returns how long to wait before the next try: 50 ms doubling to 5 s, times U[0.5, 1].
  [[nodiscard]] std::chrono::milliseconds Failed(const Error& error);
  void Succeeded();
  /// The error of the last try; empty when it succeeded.
  [[nodiscard]] std::string Current() const;

 private:
  Env& env_;
  const std::string who_;
  const std::string what_;
  mutable std::mutex mutex_;  // guards everything below
  int failures_ = 0;
  ErrorCode code_ = ErrorCode::kInternal;
  std::string current_;
};

}  // namespace seedcore::queue
