// No completed step runs again, whenever the process is killed: starts plan_worker, which executes plans of five steps,
// kills it with SIGKILL at a random moment, and does so again and again on the same data; then lets it finish and looks
// at what each step wrote down when it ran.
//
//   plan_test WORKER PLACE [KILLS] [SEED]
//
// PLACE: a folder (SQLite), or `postgresql` for a server of this test's own.

#include <chrono>
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include <fmt/format.h>

#include "kill/kill_loop.h"
#include "kill/victim.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;

int Main(const std::string& worker, const test::Place& place, int kills, unsigned seed) {
  // Lines "began TASK STEP TOKEN" and "kept TASK STEP TOKEN", the latter after the checkpoint was acknowledged.
  std::set<std::string> lines =
      test::KillAgainAndAgain(worker, place, {.kills = kills, .seed = seed, .shortest = 50ms, .longest = 500ms});
  lines.merge(test::Drain(worker, place, 120s));

  std::map<std::string, long> kept;  // by "TASK STEP": the token under which it was kept
  for (const std::string& line : lines) {
    if (!line.starts_with("kept ")) continue;
    const std::size_t token = line.rfind(' ');
    const auto [at, is_new] = kept.emplace(line.substr(5, token - 5), std::stol(line.substr(token)));
    if (!is_new) Victim::Die("kept twice: " + line);
  }
  int began = 0, resumed = 0;
  for (const std::string& line : lines) {
    if (!line.starts_with("began ")) continue;
    ++began;
    const std::size_t token = line.rfind(' ');
    const auto found = kept.find(line.substr(6, token - 6));
    if (found != kept.end() && std::stol(line.substr(token)) > found->second) {
      Victim::Die("a completed step ran again: " + line);
    }
    if (std::stol(line.substr(token)) > 1) ++resumed;
  }

  Metrics metrics;
  auto store = test::OpenStore(place.name(), RealEnv(), metrics);
  if (!store) Victim::Die("open: " + ToString(store.error()));
  const auto page = (*store)->tasks().List({}, 1000, "");
  if (!page) Victim::Die("list: " + ToString(page.error()));
  std::int64_t facts = 0;
  for (const store::Task& task : page->items) {
    if (task.status != store::TaskStatus::kCompleted) Victim::Die("not completed: " + task.id + " " + task.error);
    const auto steps = (*store)->steps().Steps(task.id);
    if (!steps || steps->size() != 5) Victim::Die("steps are missing: " + task.id);
    for (const store::TaskStep& step : *steps) {
      if (step.status != store::TaskStepStatus::kCompleted) Victim::Die("a step is not completed: " + step.name);
      ++facts;
    }
  }
  const auto counted = (*store)->facts().Count();
  if (!counted || *counted != facts) {
    Victim::Die(fmt::format("{} effects for {} steps", counted.value_or(-1), facts));
  }
  fmt::print("{} kills, seed {}: {} tasks, {} steps begun, {} of them in a later execution, {} effects\n", kills, seed,
             page->items.size(), began, resumed, facts);
  if (resumed == 0 || page->items.empty()) Victim::Die("the kills met no work: the test shows nothing");
  place.Remove();
  return 0;
}

}  // namespace
}  // namespace seedcore

int main(int argc, char** argv) {
  if (argc < 3 || argc > 5) {
    fmt::print(stderr, "usage: plan_test WORKER PLACE [KILLS] [SEED]\n");
    return 2;
  }
  const seedcore::test::Place place(argv[2], "plan");
  return seedcore::Main(argv[1], place, argc > 3 ? std::atoi(argv[3]) : 15,
                        argc > 4 ? static_cast<unsigned>(std::atoi(argv[4])) : 1);
}
