// No task is lost or completed twice, whenever the process is killed: starts kill_worker, kills it with SIGKILL at a
// random moment, and does so again and again on the same data; then lets it finish and reads the history of every task.
//
//   kill_test WORKER PLACE [KILLS] [SEED]
//
// PLACE: a folder (SQLite), a DSN (PostgreSQL), or `postgresql` for a server of this test's own.

#include <chrono>
#include <cstdlib>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "kill/kill_loop.h"
#include "kill/victim.h"
#include "support/history.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;

int Main(const std::string& worker, const test::Place& place, int kills, unsigned seed) {
  const Instant started = RealEnv().Now();

  const std::set<std::string> acknowledged =
      test::KillAgainAndAgain(worker, place, {.kills = kills, .seed = seed, .shortest = 20ms, .longest = 500ms});
  (void)test::Drain(worker, place, 60s);

  const std::vector<store::TaskEvent> events = ReadHistory(place.name());
  // Each kill may cost an execution; besides, a task fails once at most.
  const auto report = test::CheckHistory(events, acknowledged, {.max_executions = kills + 2});
  fmt::print(
      "{} kills in {:.1f} s, seed {}: {} tasks, {} acknowledged, {} events, {} claims, {} leases expired, {} retries, "
      "at most {} executions of a task\n",
      kills, std::chrono::duration<double>(RealEnv().Now() - started).count(), seed, report.tasks, acknowledged.size(),
      events.size(), report.claims, report.lease_expiries, report.retries, report.most_executions);
  for (const std::string& violation : report.violations) fmt::print(stderr, "VIOLATION {}\n", violation);
  if (acknowledged.empty() || report.lease_expiries == 0) Victim::Die("the kills met no work: the test shows nothing");
  if (!report.violations.empty()) return 1;
  place.Remove();
  return 0;
}

}  // namespace
}  // namespace seedcore

int main(int argc, char** argv) {
  if (argc < 3 || argc > 5) {
    fmt::print(stderr, "usage: kill_test WORKER PLACE [KILLS] [SEED]\n");
    return 2;
  }
  const seedcore::test::Place place(argv[2], "kill");
  return seedcore::Main(argv[1], place, argc > 3 ? std::atoi(argv[3]) : 50,
                        argc > 4 ? static_cast<unsigned>(std::atoi(argv[4])) : 1);
}
