#pragma once

#include <chrono>
#include <deque>
#include <optional>
#include <thread>

#include "queue/in_flight.h"
#include "queue/store_trouble.h"
#include "queue/telemetry.h"

namespace seedcore::queue {

/// Writes results to the store, as many per commit as have gathered during the one before. What cannot be written is
/// tried again for as long as its lease lasts. One thread of its own, from Start to Stop; without it, whoever owns the
/// finisher calls Step().
class Finisher {
 public:
  Finisher(Env& env, store::TaskStore& store, InFlight& in_flight, Telemetry& telemetry);
  /// Stops as Stop(now) does.
  ~Finisher();

  void Start();
  struct Progress {
    bool tried = false;                              ///< there was something to write
    bool more = false;                               ///< part of it is still to be written
    std::optional<std::chrono::milliseconds> pause;  ///< the store failed: not before this has passed
  };
  /// Takes what has gathered, if nothing is left from before, and tries once to write it.
  Progress Step();

  /// Call once nothing runs any more. Writes what is left; past `deadline` a store that still fails is given up on.
  void Stop(Instant deadline);
  [[nodiscard]] std::string Trouble() const { return trouble_.Current(); }

 private:
  void Loop(const std::stop_token& stop);
  void Take(InFlight::Batch batch);
  /// Tries once to write the first pending batch. A pause when the store fails.
  std::optional<std::chrono::milliseconds> WriteFirst();
  void SplitFirst();
  void GiveUpFirst();
  bool DropFirstIfEmpty();
  Result<std::vector<Result<void>>> TryWrite(const InFlight::Batch& batch);
  void DropExpired(InFlight::Batch& batch);
  /// Counts what was written and returns what is to be written again, perhaps in another form.
  InFlight::Batch Account(InFlight::Batch batch, const std::vector<Result<void>>& results);

  Env& env_;
  store::TaskStore& store_;
  InFlight& in_flight_;
  Telemetry& telemetry_;
  StoreTrouble trouble_;
  std::deque<InFlight::Batch> pending_;  // what was taken together, not yet written
  std::size_t taken_ = 0;                // results in it at first
  std::mutex mutex_;                     // guards finished_
  std::condition_variable_any finished_cv_;
  bool finished_ = false;
  std::jthread thread_;
};

}  // namespace seedcore::queue
