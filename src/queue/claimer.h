#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "queue/dispatcher.h"
#include "queue/in_flight.h"
#include "queue/store_trouble.h"
#include "queue/telemetry.h"

namespace seedcore::queue {

/// Asks the store for work and decides when to ask again. Has no thread and never waits, except for the store. One
/// thread at a time uses it.
class Claimer {
 public:
  /// `settings` must outlive it.
  Claimer(Env& env, store::TaskStore& store, InFlight& in_flight, Telemetry& telemetry,
          const DispatcherSettings& settings)
      : env_(env),
        store_(store),
        in_flight_(in_flight),
        telemetry_(telemetry),
        settings_(settings),
        trouble_(env, settings.name, "claim") {}

  /// Claims up to `free` (at least 1) tasks and admits them. When the store fails: how long to wait before anything
  /// else.
  [[nodiscard]] std::optional<std::chrono::milliseconds> Look(int free);
  /// When to look again, unless the store signals a runnable task before. It may ask the store, once after a Look,
  /// which the tasks just admitted should not have to wait for.
  [[nodiscard]] Instant NextLook();
  [[nodiscard]] std::string Trouble() const { return trouble_.Current(); }

 private:
  Result<std::vector<store::Claim>> Claim(int limit);
  void Admit(std::vector<store::Claim> claims, Instant asked);
  [[nodiscard]] Instant AfterDrained() const;

  Env& env_;
  store::TaskStore& store_;
  InFlight& in_flight_;
  Telemetry& telemetry_;
  const DispatcherSettings& settings_;
  StoreTrouble trouble_;
  Instant asked_{};  // the last look
  WallTime asked_wall_{};
  bool drained_ = false;  // it has left nothing, and nobody has asked yet for how long
  Instant next_look_{};
};

}  // namespace seedcore::queue
