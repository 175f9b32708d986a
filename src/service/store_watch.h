#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "base/env.h"
#include "store/store.h"

namespace seedcore::service {

/// What probes are told of the store, in time, also while it does not answer. One look at it is under way at a time, on
/// a thread of its own: whoever asks meanwhile is told what comes of that one. A store that cannot be used, and one
/// that can again, is logged once. Thread-safe.
class StoreWatch {
 public:
  /// Until a look that goes on is called a failure: less than the timeout of a probe, 3 s in deploy/kustomize.
  static constexpr std::chrono::milliseconds kPatience{2'000};

  /// Both outlive it.
  StoreWatch(store::Store& store, Env& env);
  /// Waits for the look that is under way.
  ~StoreWatch();
  StoreWatch(const StoreWatch&) = delete;
  StoreWatch& operator=(const StoreWatch&) = delete;

  struct Sight {
    store::Store::Health health;
    bool answered = true;  ///< false: not in time; `health` holds nothing but the error that says so
    std::string reason;    ///< of `health.error`, for anybody
  };
  /// Looks, or waits for the look that is under way, until kPatience has passed since it began. At once when it has.
  [[nodiscard]] Sight Look();

 private:
  void Loop(const std::stop_token& stop);
  /// Logs what has changed.
  void Note(const std::string& reason, const std::string& error);

  store::Store& store_;
  Env& env_;
  std::mutex mutex_;  // guards everything below
  std::condition_variable_any changed_;
  bool looking_ = false;  ///< a look was asked for, and is not over
  Instant began_{};
  std::uint64_t looks_ = 0;  ///< that are over
  Sight last_;
  std::string noted_;    ///< the reason that was logged last; empty: it could be used
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace seedcore::service
