// Runs the simulation over many seeds, or replays one.
//
//   simulate --seeds N [--first S]    seeds S to S+N-1 (S: 1); exits with 1 at the first that fails, and names it
//   simulate --seed S                 one seed, step by step

#include <algorithm>
#include <cstdlib>
#include <string_view>

#include <fmt/format.h>

#include "base/log.h"
#include "sim/world.h"

namespace seedcore::sim {
namespace {

struct Totals {
  std::size_t steps = 0, tasks = 0, claims = 0, lease_expiries = 0;
  long refused = 0, crashes = 0, pauses = 0, shutdowns = 0, jumps = 0, outages = 0, failed = 0, slow = 0, lost = 0,
       belated = 0, locked = 0;
  void Add(const Outcome& outcome) {
    steps += outcome.steps;
    tasks += outcome.tasks;
    claims += outcome.claims;
    lease_expiries += outcome.lease_expiries;
    refused += outcome.refused;
    crashes += outcome.faults.crashes;
    pauses += outcome.faults.pauses;
    shutdowns += outcome.faults.shutdowns;
    jumps += outcome.faults.clock_jumps;
    outages += outcome.faults.outages;
    failed += outcome.faults.failed_calls;
    slow += outcome.faults.slow_calls;
    lost += outcome.faults.lost_wakeups;
    belated += outcome.faults.belated;
    locked += outcome.faults.locked;
  }
  void Print(std::uint64_t seeds, double seconds) const {
    fmt::print(
        "{} seeds in {:.1f} s, no violation: {} steps, {} tasks, {} claims, {} leases expired, {} late results "
        "refused\n",
        seeds, seconds, steps, tasks, claims, lease_expiries, refused);
    fmt::print(
        "faults: {} crashes, {} pauses, {} orderly stops, {} clock jumps, {} outages, {} failed calls, {} slow "
        "calls, {} lost wake-ups, {} late writes, {} tasks found locked\n",
        crashes, pauses, shutdowns, jumps, outages, failed, slow, lost, belated, locked);
  }
};

bool Report(std::string_view program, std::uint64_t seed, const Outcome& outcome) {
  if (outcome.violations.empty()) return true;
  fmt::print("seed {} fails after {} steps:\n", seed, outcome.steps);
  for (const std::string& violation : outcome.violations) fmt::print("  {}\n", violation);
  fmt::print("replay: {} --seed {}\n", program, seed);
  return false;
}

int Many(std::string_view program, std::uint64_t first, std::uint64_t seeds) {
  const Instant started = RealEnv().Now();
  Totals totals;
  for (std::uint64_t seed = first; seed < first + seeds; ++seed) {
    const Outcome outcome = Simulate({.seed = seed});
    if (!Report(program, seed, outcome)) return 1;
    totals.Add(outcome);
  }
  totals.Print(seeds, std::chrono::duration<double>(RealEnv().Now() - started).count());
  return 0;
}

int Main(int argc, char** argv) {
  // What the processes log about their faults is the expected, 10,000 times over.
  log::Configure(log::Level::kError, log::Format::kText);
  std::uint64_t first = 1, seeds = 0, one = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view option = argv[i];
    const std::uint64_t value = std::strtoull(argv[i + 1], nullptr, 10);
    if (option == "--seeds") seeds = value;
    if (option == "--first") first = value;
    if (option == "--seed") one = value;
  }
  if (one > 0) return Report(argv[0], one, Simulate({.seed = one, .trace = true})) ? 0 : 1;
  if (seeds > 0) return Many(argv[0], first, seeds);
  fmt::print(stderr, "usage: simulate --seeds N [--first S] | --seed S\n");
  return 2;
}

}  // namespace
}  // namespace seedcore::sim

int main(int argc, char** argv) { return seedcore::sim::Main(argc, argv); }
