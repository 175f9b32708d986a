#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "queue/in_flight.h"
#include "queue/store_trouble.h"
#include "queue/telemetry.h"

namespace seedcore::queue {

/// Writes results to the store, as many per commit as have gathered during the one before. What cannot be written is
/// tried again until the store has taken or refused it: whether the lease still counts is for the store to say. A
/// result whose task another transaction has in its hands is put aside, and tried again by itself while the others go
/// on. One thread of its own, from Start to Stop; without it, whoever owns the finisher calls Step() at NextStep().
class Finisher {
 public:
  Finisher(Env& env, store::TaskStore& store, InFlight& in_flight, Telemetry& telemetry);
  /// Stops as Stop(now) does.
  ~Finisher();

  void Start();
  /// When there is something to write; Instant::max(): nothing, as things stand.
  [[nodiscard]] Instant NextStep() const;
  /// Takes what has gathered, if nothing is left from before, and tries once to write it.
  void Step();

  /// Call once nothing runs any more. Writes what is left; past `deadline` a store that still fails is given up on.
  void Stop(Instant deadline);
  [[nodiscard]] std::string Trouble() const { return trouble_.Current(); }

 private:
  /// A result that waits for its own next try.
  struct Aside {
    store::Finish finish;
    std::shared_ptr<Execution> execution;
    Instant again;
    bool alone = false;  ///< the store has failed with it: it is kept from the others
  };
  void Loop(const std::stop_token& stop);
  void Take(InFlight::Batch batch);
  /// Takes what was put aside and is due by now, or everything.
  void TakeBack(bool all);
  [[nodiscard]] Instant NextAside() const;
  /// Tries once to write the first pending batch. A pause when the store fails.
  std::optional<std::chrono::milliseconds> WriteFirst();
  void SplitFirst();
  /// The store has failed with the first batch: the next try is with half of it, so that what the store cannot bear
  /// does not keep back the rest.
  void EaseFirst();
  void GiveUpFirst();
  Result<std::vector<Result<void>>> TryWrite(const InFlight::Batch& batch);
  /// Counts what was written; what is to be written again, perhaps in another form, is pending or aside.
  void Account(InFlight::Batch batch, const std::vector<Result<void>>& results);

  Env& env_;
  store::TaskStore& store_;
  InFlight& in_flight_;
  Telemetry& telemetry_;
  StoreTrouble trouble_;
  std::deque<InFlight::Batch> pending_;  // what was taken, not yet written
  std::vector<Aside> aside_;
  std::uint64_t writes_ = 0;  // that the store has taken
  Instant not_before_;        // of Step
  std::mutex mutex_;          // guards finished_
  std::condition_variable_any finished_cv_;
  bool finished_ = false;
  std::jthread thread_;
};

}  // namespace seedcore::queue
