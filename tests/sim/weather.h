#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "base/sim_env.h"

namespace seedcore::sim {

/// Thrown out of a call of the store: the process that made the call is gone at this moment.
struct Crash {};

/// What may go wrong while processes talk to the store, chosen from the one stream of random numbers of the run.
class Weather {
 public:
  /// How often, per call. Chosen once per seed.
  struct Climate {
    double fails = 0.0;         ///< the call fails, before or after its commit
    double slow = 0.0;          ///< time passes before or after the commit
    double crashes = 0.0;       ///< the caller dies, before or after the commit
    double loses_wakeup = 0.0;  ///< a signal of the store does not arrive
    double belated = 0.0;       ///< the caller gives up, and its request arrives later all the same
    std::chrono::milliseconds slowest{0};
    bool clock_jumps = false;  ///< the wall clock is set, forwards and back
    double locked = 0.0;       ///< another transaction has the task in its hands, of each result and each renewal
  };

  Weather(SimEnv& env, Climate climate) : env_(env), climate_(climate) {}

  /// On one side of a commit. `may_crash`: the caller is a process, not the user's client.
  Result<void> AtCall(bool may_crash);
  [[nodiscard]] bool LosesWakeUp() { return Chance(climate_.loses_wakeup); }
  /// Whether the task of a result or a renewal is locked at this moment.
  [[nodiscard]] bool Locks() {
    const bool locked = Chance(climate_.locked);
    counts.locked += locked ? 1 : 0;
    return locked;
  }

  /// Whether a write stays under way while its caller gives up on it. If so: give the write to `DeliverLater`.
  [[nodiscard]] bool Belates() { return Chance(climate_.belated); }
  /// `write` reaches the store at some moment within `latest`, whatever has become of its caller by then.
  void DeliverLater(std::chrono::milliseconds latest, std::function<void()> write);
  /// When the next of those arrives; Instant::max(): none is under way.
  [[nodiscard]] Instant NextArrival() const;
  void Arrive();

  /// Every call fails until then.
  void Outage(Instant until) { outage_until_ = until; }
  /// From now on all goes well.
  void Clear();

  [[nodiscard]] const Climate& climate() const { return climate_; }
  [[nodiscard]] bool Chance(double probability) { return env_.RandomUnit() < probability; }
  /// Uniform in [0, n).
  [[nodiscard]] int Below(int n) { return static_cast<int>(env_.Random() % static_cast<std::uint64_t>(n)); }
  [[nodiscard]] std::chrono::milliseconds UpTo(std::chrono::milliseconds most) {
    return std::chrono::milliseconds(Below(static_cast<int>(most.count()) + 1));
  }

  /// The last moment at which the weather kept somebody from doing what was due.
  [[nodiscard]] Instant disturbed() const { return disturbed_; }
  void Disturb(Instant at) { disturbed_ = std::max(disturbed_, at); }

  struct Counts {
    int failed_calls = 0;
    int slow_calls = 0;
    int crashes = 0;
    int pauses = 0;
    int shutdowns = 0;
    int clock_jumps = 0;
    int outages = 0;
    int lost_wakeups = 0;
    int belated = 0;
    int locked = 0;
  };
  Counts counts;

 private:
  SimEnv& env_;
  Climate climate_;
  Instant outage_until_{};
  Instant disturbed_{};

  struct UnderWay {
    Instant arrives;
    std::function<void()> write;
  };
  std::vector<UnderWay> under_way_;
};

/// A climate for this seed: some runs are calm in one respect or another, so that faults also come alone.
[[nodiscard]] Weather::Climate ChooseClimate(SimEnv& env);

}  // namespace seedcore::sim
