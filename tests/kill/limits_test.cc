// Limits hold in all processes together: several kill_workers dispatch from one store, with a limit and a rate of the
// type, and the history of every task is asked whether more than the limit ever ran at once, or began too early.
//
//   limits_test WORKER PLACE
//
// PLACE: a folder (SQLite, shared), or `postgresql` for a server of this test's own.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "kill/kill_loop.h"
#include "kill/victim.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;

constexpr int kProcesses = 4;
constexpr int kTasks = 100;
constexpr int kMaxRunning = 2;
constexpr store::RateLimit kRate{.tasks = 25, .interval = 1000ms, .burst = 5};

void Prepare(const std::string& place) {
  Metrics metrics;
  auto store = test::OpenStore(place, RealEnv(), metrics);
  if (!store) Victim::Die("open: " + ToString(store.error()));
  const store::QueueLimit limit{
      .scope = store::LimitScope::kType, .name = "work", .max_running = kMaxRunning, .rate = kRate};
  if (auto put = (*store)->queues().PutLimit(limit); !put) Victim::Die("limit: " + ToString(put.error()));
  store::NewTask task{.type = "work"};
  task.params = {{"fails", false}, {"slow", true}};
  const auto submitted = (*store)->tasks().Submit(std::vector<store::NewTask>(kTasks, task));
  if (!submitted) Victim::Die("submit: " + ToString(submitted.error()));
}

struct Seen {
  int most_at_once = 0;
  int completed = 0;
  std::set<std::string> owners;
  std::vector<WallTime> starts;
};

Seen Look(const std::vector<store::TaskEvent>& history) {
  Seen seen;
  int running = 0;
  for (const store::TaskEvent& event : history) {
    if (event.kind == "claimed") {
      seen.most_at_once = std::max(seen.most_at_once, ++running);
      seen.owners.insert(event.owner_id);
      seen.starts.push_back(event.at);
    } else if (event.kind == "completed" || event.kind == "retry" || event.kind == "handed_back" ||
               event.kind == "lease_expired") {
      --running;
      if (event.kind == "completed") ++seen.completed;
    }
  }
  std::ranges::sort(seen.starts);
  return seen;
}

/// Whether some stretch of time holds more starts than a full bucket and what flows in meanwhile. Processes read the
/// clock before they write, so a start may be noted a moment early, and a loaded machine makes it half a second.
bool KeepsRate(const std::vector<WallTime>& starts) {
  constexpr auto kEarly = 500ms;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    for (std::size_t j = i; j < starts.size(); ++j) {
      const std::chrono::duration<double> time = starts[j] - starts[i] + kEarly;
      const double allowed = kRate.burst + kRate.tasks * time / kRate.interval;
      if (static_cast<double>(j - i + 1) > allowed) return false;
    }
  }
  return true;
}

int Main(const std::string& worker, const test::Place& place) {
  Prepare(place.name());
  std::vector<std::unique_ptr<Victim>> workers;
  for (int i = 0; i < kProcesses; ++i) workers.push_back(std::make_unique<Victim>(worker, place.name(), "share"));
  for (const auto& one : workers) {
    if (const int status = one->AwaitExit(60s); status != 0) {
      Victim::Die(fmt::format("the tasks did not come to their end ({})", status));
    }
  }
  const Seen seen = Look(ReadHistory(place.name()));
  fmt::print("{} processes: {} tasks completed by {} of them, at most {} at once\n", kProcesses, seen.completed,
             seen.owners.size(), seen.most_at_once);
  if (seen.completed != kTasks) Victim::Die("not every task was completed");
  if (seen.owners.size() < 2) Victim::Die("one process did everything: the test shows nothing");
  if (seen.most_at_once > kMaxRunning) Victim::Die(fmt::format("the limit is {}", kMaxRunning));
  if (!KeepsRate(seen.starts)) Victim::Die("executions began faster than the rate allows");
  place.Remove();
  return 0;
}

}  // namespace
}  // namespace seedcore

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: limits_test WORKER PLACE\n");
    return 2;
  }
  const seedcore::test::Place place(argv[2], "limits");
  return seedcore::Main(argv[1], place);
}
