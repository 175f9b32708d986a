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

/// Asks the store for work and decides when to ask again. Has no thread and never waits, except for the store.
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

  struct Next {
    Instant look;                                    ///< then, or as soon as the store signals a runnable task
    std::optional<std::chrono::milliseconds> pause;  ///< the store failed: not before this has passed
  };
  /// Claims up to `free` (at least 1) tasks and admits them.
  [[nodiscard]] Next Look(int free);
  [[nodiscard]] std::string Trouble() const { return trouble_.Current(); }

 private:
  Result<std::vector<store::Claim>> Claim(int limit);
  void Admit(std::vector<store::Claim> claims, Instant asked);
  Instant NextLook(Instant asked, WallTime asked_wall);

  Env& env_;
  store::TaskStore& store_;
  InFlight& in_flight_;
  Telemetry& telemetry_;
  const DispatcherSettings& settings_;
  StoreTrouble trouble_;
};

}  // namespace seedcore::queue
