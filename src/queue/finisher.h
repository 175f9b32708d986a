#pragma once

#include <thread>

#include "queue/in_flight.h"
#include "queue/store_trouble.h"
#include "queue/telemetry.h"

namespace seedcore::queue {

/// Writes results to the store, as many per commit as have gathered during the one before. What cannot be written is
/// tried again for as long as its lease lasts. One thread of its own.
class Finisher {
 public:
  Finisher(Env& env, store::TaskStore& store, InFlight& in_flight, Telemetry& telemetry);
  /// Stops as Stop(now) does.
  ~Finisher();

  /// Call once nothing runs any more. Writes what is left; past `deadline` a store that still fails is given up on.
  void Stop(Instant deadline);
  [[nodiscard]] std::string Trouble() const { return trouble_.Current(); }

 private:
  void Loop(const std::stop_token& stop);
  void Write(InFlight::Batch batch, const std::stop_token& stop);
  void WriteOneByOne(InFlight::Batch batch, const std::stop_token& stop);
  Result<std::vector<Result<void>>> TryWrite(const InFlight::Batch& batch);
  void DropExpired(InFlight::Batch& batch);
  /// Counts what was written and returns what is to be written again, perhaps in another form.
  InFlight::Batch Account(InFlight::Batch batch, const std::vector<Result<void>>& results);

  Env& env_;
  store::TaskStore& store_;
  InFlight& in_flight_;
  Telemetry& telemetry_;
  StoreTrouble trouble_;
  std::mutex mutex_;  // guards finished_
  std::condition_variable_any finished_cv_;
  bool finished_ = false;
  std::jthread thread_;
};

}  // namespace seedcore::queue
