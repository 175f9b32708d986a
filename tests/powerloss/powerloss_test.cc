// What was acknowledged survives a loss of power. While threads submit, claim and finish tasks, the power is cut again
// and again: the files as they would be found afterwards are opened and checked. In every second round writes, syncs
// and locks fail besides.
//
//   powerloss_test DIR [CUTS] [SEED]

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/env.h"
#include "base/log.h"
#include "base/metrics.h"
#include "powerloss/disk.h"
#include "store/sqlite/sqlite_store.h"
#include "support/history.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;
using store::TaskStatus;

constexpr int kCutsPerRound = 10;

[[noreturn]] void Die(const std::string& what) {
  fmt::print(stderr, "powerloss_test: {}\n", what);
  std::exit(1);
}

std::unique_ptr<store::Store> Open(const std::string& folder, Metrics& metrics) {
  // A small log, so that a cut often meets a checkpoint.
  auto opened = store::sqlite::OpenSqliteStore(
      {.path = folder + "/seedcore.db", .busy_timeout = 200ms, .checkpoint_pages = 60}, RealEnv(), metrics);
  if (!opened) Die("open " + folder + ": " + ToString(opened.error()));
  return std::move(*opened);
}

/// Threads that work on a store, and what the store has acknowledged to them.
class Work {
 public:
  explicit Work(store::TaskStore& tasks) : tasks_(tasks) {
    for (int i = 0; i < 3; ++i) threads_.emplace_back([this](const std::stop_token& stop) { Submit(stop); });
    for (int i = 0; i < 2; ++i) {
      threads_.emplace_back([this, i](const std::stop_token& stop) { Execute(stop, fmt::format("worker {}", i)); });
    }
  }

  struct Acknowledged {
    std::set<std::string> submitted;
    std::set<std::string> completed;
  };
  Acknowledged Now() {
    const std::scoped_lock lock(mutex_);
    return acknowledged_;
  }
  void Stop() { threads_.clear(); }
  [[nodiscard]] long errors() const { return errors_; }

 private:
  static constexpr std::size_t kBacklog = 300;

  void Submit(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      if (Backlog() > kBacklog) {
        RealEnv().SleepFor(1ms, stop);
        continue;
      }
      const std::vector<store::NewTask> batch(1 + RealEnv().Random() % 8,
                                              {.type = "work", .retry = {.max_attempts = 100}});
      const auto submitted = tasks_.Submit(batch);
      if (!submitted) {
        Refused(submitted.error());
        continue;
      }
      const std::scoped_lock lock(mutex_);
      for (const store::SubmitResult& result : *submitted) acknowledged_.submitted.insert(result.task.id);
    }
  }

  void Execute(const std::stop_token& stop, const std::string& name) {
    while (!stop.stop_requested()) {
      const auto claims = tasks_.ClaimTasks({.owner_id = name, .limit = 10, .lease = 300ms});
      if (!claims) {
        Refused(claims.error());
        continue;
      }
      if (claims->empty()) {
        // What a failed call left claimed comes back when its lease ends.
        if (const auto reaped = tasks_.Reap(100); !reaped) Refused(reaped.error());
        RealEnv().SleepFor(1ms, stop);
        continue;
      }
      std::vector<store::Finish> finishes;
      for (const store::Claim& claim : *claims) finishes.push_back({claim.lease(), store::Completed{"done"}, {}});
      const auto finished = tasks_.FinishTasks(finishes);
      if (!finished) {
        Refused(finished.error());
        continue;
      }
      const std::scoped_lock lock(mutex_);
      for (std::size_t i = 0; i < finishes.size(); ++i) {
        if ((*finished)[i]) acknowledged_.completed.insert(finishes[i].lease.task_id);
      }
    }
  }

  std::size_t Backlog() {
    const std::scoped_lock lock(mutex_);
    return acknowledged_.submitted.size() - std::min(acknowledged_.completed.size(), acknowledged_.submitted.size());
  }

  void Refused(const Error& error) {
    ++errors_;
    if (error.code != ErrorCode::kUnavailable) Die("an error that no fault explains: " + ToString(error));
  }

  store::TaskStore& tasks_;
  std::mutex mutex_;  // guards acknowledged_
  Acknowledged acknowledged_;
  std::atomic<long> errors_ = 0;
  std::vector<std::jthread> threads_;  // goes first
};

/// Opens the files that were left and compares them with what had been acknowledged before.
void CheckImage(const std::string& folder, const Work::Acknowledged& acknowledged, const std::string& where) {
  Metrics metrics;
  const auto store = Open(folder, metrics);  // reads the whole file, and refuses a damaged one
  const auto events = test::ReadHistory(store->tasks());
  if (!events) Die("events: " + ToString(events.error()));
  auto report = test::CheckHistory(*events, acknowledged.submitted, {.must_be_completed = false});
  std::map<std::string, TaskStatus> last;
  for (const store::TaskEvent& event : *events) {
    if (event.kind != "lease_lost") last[event.task_id] = event.status;
  }
  for (const std::string& id : acknowledged.completed) {
    if (last[id] != TaskStatus::kCompleted) report.violations.push_back(id + ": its completion is lost");
  }
  for (const std::string& violation : report.violations) fmt::print(stderr, "VIOLATION {}\n", violation);
  if (!report.violations.empty()) Die(fmt::format("{}; the files are in {}", where, folder));

  // And it goes on from there.
  const store::NewTask probe{.type = "probe"};
  if (!store->tasks().Submit({&probe, 1})) Die("the store that was found takes no task");
  const auto claims = store->tasks().ClaimTasks({.owner_id = "after", .limit = 1, .types = {"probe"}});
  if (!claims || claims->size() != 1) Die("the store that was found gives no task");
}

struct Totals {
  std::size_t cuts = 0, submitted = 0, completed = 0;
  long errors = 0;
};

void Round(const std::string& folder, int cuts, bool faults, std::mt19937_64& random, Totals& totals) {
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  test::Disk& disk = test::Disk::Install();
  disk.Watch(folder);
  Metrics metrics;
  const auto store = Open(folder, metrics);
  Work work(store->tasks());
  for (int i = 0; i < cuts; ++i) {
    if (faults && i == cuts / 3) disk.Fail({.write = 0.002, .sync = 0.01, .lock = 0.01});
    RealEnv().SleepFor(std::chrono::microseconds(1000 + random() % 30'000), {});
    const std::string image = folder + "/image";
    const Work::Acknowledged before = work.Now();
    disk.CutPower(image, random);
    CheckImage(image, before, fmt::format("cut {}", i));
    std::filesystem::remove_all(image);
    ++totals.cuts;
  }
  disk.Fail({});
  work.Stop();
  totals.errors += work.errors();
  totals.submitted += work.Now().submitted.size();
  totals.completed += work.Now().completed.size();
}

int Main(const std::string& folder, int cuts, unsigned seed) {
  log::Configure(log::Level::kError, log::Format::kText);
  std::mt19937_64 random(seed);
  const Instant started = RealEnv().Now();
  Totals totals;
  for (int done = 0, round = 0; done < cuts; done += kCutsPerRound, ++round) {
    Round(folder, std::min(kCutsPerRound, cuts - done), round % 2 == 1, random, totals);
  }
  fmt::print(
      "{} cuts in {:.1f} s, seed {}: {} tasks acknowledged, {} completions acknowledged, {} faults of the disk, {} "
      "calls "
      "of the store failed; nothing lost\n",
      totals.cuts, std::chrono::duration<double>(RealEnv().Now() - started).count(), seed, totals.submitted,
      totals.completed, test::Disk::Install().failures(), totals.errors);
  if (totals.completed == 0) Die("the cuts met no work: the test shows nothing");
  std::filesystem::remove_all(folder);
  return 0;
}

}  // namespace
}  // namespace seedcore

int main(int argc, char** argv) {
  if (argc < 2 || argc > 4) {
    fmt::print(stderr, "usage: powerloss_test DIR [CUTS] [SEED]\n");
    return 2;
  }
  return seedcore::Main(argv[1], argc > 2 ? std::atoi(argv[2]) : 40,
                        argc > 3 ? static_cast<unsigned>(std::atoi(argv[3])) : 1);
}
