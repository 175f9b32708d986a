#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>

#include "base/env.h"

namespace seedcore::net {

/// What those who wait for a server know together of whether it lives. One that is frozen (stopped, hung, cut off
/// without a word) takes connections and never answers; so does one with much work. They differ in what comes back
/// when it is asked beside the work. Thread-safe.
class Liveness {
 public:
  enum class Verdict {
    kWait,
    kAsk,   ///< the caller asks it, for all; then Answered, or Silent, and in any case Asked
    kDead,  ///< it was asked since, and did not answer
  };

  /// About somebody who has had nothing from it since `since`. It is asked when nobody has had anything for `patience`.
  [[nodiscard]] Verdict Judge(Instant since, Instant now, std::chrono::nanoseconds patience) {
    const Instant sign = sign_.load(std::memory_order_relaxed);
    const Instant died = died_.load(std::memory_order_relaxed);
    if (died >= since && died > sign) return Verdict::kDead;
    if (now - std::max(since, sign) < patience || asking_.exchange(true)) return Verdict::kWait;
    return Verdict::kAsk;
  }
  /// Something has come from it.
  void Answered(Instant now) {
    if (sign_.load(std::memory_order_relaxed) < now) sign_.store(now, std::memory_order_relaxed);
  }
  /// Nothing has come in answer to the question of `asked`. False: something else has come since then.
  bool Silent(Instant asked, Instant now) {
    if (sign_.load(std::memory_order_relaxed) >= asked) return false;
    died_.store(now, std::memory_order_relaxed);
    return true;
  }
  /// The question is over: the next one may be asked.
  void Asked() { asking_ = false; }

 private:
  std::atomic<Instant> sign_{Instant::min()};  // the last one of its life, as coarsely as loops know the time
  std::atomic<Instant> died_{Instant::min()};  // when it last failed to answer
  std::atomic<bool> asking_{false};
};

}  // namespace seedcore::net
