#pragma once

#include <atomic>
#include <cstdint>
#include <stop_token>

#include "base/env.h"
#include "store/store.h"

namespace seedcore::queue {

/// What became of our right to a claimed task.
enum class Fate {
  kOurs,       ///< we hold the lease, as far as we know
  kLost,       ///< the lease ran out or another worker has it: the result is dropped
  kCancelled,  ///< somebody cancelled the task: the result is dropped
  kStopping,   ///< the dispatcher is stopping: what does not finish is handed back
  kDone,       ///< the handler has come back with the lease in our hands
};

/// One claimed task on its way through this process. Shared by the loops of a dispatcher; `claim` does not change.
struct Execution {
  Execution(store::Claim c, Instant lease_end) : claim(std::move(c)), lease_until(lease_end) {}

  const store::Claim claim;
  std::stop_source stop;  ///< requested when the result is no longer wanted, or time is up
  std::atomic<Fate> fate{Fate::kOurs};
  std::atomic<Instant> lease_until;               ///< a lower bound of what the store granted, on our own clock
  std::atomic<Instant> deadline{Instant::max()};  ///< set when it starts
  std::atomic<bool> overdue{false};               ///< ran past its deadline: told to stop, its lease no longer renewed
  std::atomic<bool> unwritable{false};  ///< the store fails with its result alone: its lease is no longer renewed
  /// At the last renewal another transaction had the task in its hands, so that nobody else could have it.
  std::atomic<bool> busy{false};

  /// How the finisher fares with the result; its thread alone looks.
  struct Writing {
    int put_off = 0;           ///< how often
    int failed_alone = 0;      ///< how often, after others had been written
    std::uint64_t others = 0;  ///< written when it failed last
  } writing;

  /// Tells the handler to stop, unless something has ended the execution before: the first reason stands. Returns
  /// whether it is this one.
  bool Interrupt(Fate why) {
    Fate expected = Fate::kOurs;
    if (!fate.compare_exchange_strong(expected, why)) return false;
    stop.request_stop();
    return true;
  }
  /// Called when the handler has come back: the fate under which its outcome stands. kDone closes the door behind it: a
  /// renewal that crosses the completion must not take the task for lost.
  Fate Settle() {
    Fate expected = Fate::kOurs;
    return fate.compare_exchange_strong(expected, Fate::kDone) ? Fate::kDone : expected;
  }
};

}  // namespace seedcore::queue
