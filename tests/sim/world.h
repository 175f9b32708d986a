#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/weather.h"
#include "support/model_store.h"

/// Deterministic simulation: several dispatchers and reapers, the real code of `queue`, on one simulated clock and a
/// model of the store, in one thread. The seed chooses the weather, the work, every fault and the order of all steps,
/// so that a seed replays exactly.
namespace seedcore::sim {

struct Options {
  std::uint64_t seed = 1;
  test::Defect defect = test::Defect::kNone;
  bool trace = false;  ///< one line per step on standard output
};

struct Outcome {
  std::vector<std::string> violations;  ///< empty: all is well
  std::uint64_t fingerprint = 0;        ///< of the whole history: equal when a run is repeated
  std::size_t steps = 0;
  std::size_t tasks = 0;
  std::size_t claims = 0;
  std::size_t lease_expiries = 0;
  int refused = 0;
  Weather::Counts faults;
};

[[nodiscard]] Outcome Simulate(const Options& options);

}  // namespace seedcore::sim
