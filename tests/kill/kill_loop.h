#pragma once

#include <chrono>
#include <filesystem>
#include <optional>
#include <random>
#include <set>
#include <string>

#include <fmt/format.h>

#include "kill/open_store.h"
#include "kill/victim.h"
#include "store/postgres/testing.h"

/// What the tests that kill a worker on one set of data share: where the data lies, and the killing.
namespace seedcore::test {

/// Where a test keeps its store, by what its command line says: `postgresql` for a server of the test's own, otherwise
/// a PostgreSQL DSN, or a folder, which is emptied first.
class Place {
 public:
  Place(const std::string& argument, const std::string& database) : name_(argument) {
    if (argument == "postgresql") {
      server_.emplace();
      server_->CreateDatabase(database);
      name_ = server_->Dsn(database);
    }
    if (IsDsn(name_)) return;
    std::filesystem::remove_all(name_);
    std::filesystem::create_directories(name_);
  }

  /// As a worker and OpenStore take it.
  [[nodiscard]] const std::string& name() const { return name_; }
  /// After a test that passed: what failed is left for whoever looks into it.
  void Remove() const {
    if (!IsDsn(name_)) std::filesystem::remove_all(name_);
  }

 private:
  std::string name_;
  std::optional<store::postgres::TestServer> server_;
};

/// How often and when a worker is killed.
struct KillPlan {
  int kills = 0;
  unsigned seed = 1;
  std::chrono::milliseconds shortest{20};  ///< that a worker works before it is killed
  std::chrono::milliseconds longest{500};
};

/// Starts the worker with `load` and kills it with SIGKILL at a random moment, again and again on the same data.
/// Returns all lines that the workers wrote.
[[nodiscard]] inline std::set<std::string> KillAgainAndAgain(const std::string& worker, const Place& place,
                                                             const KillPlan& plan) {
  std::mt19937 random(plan.seed);
  std::set<std::string> lines;
  for (int i = 0; i < plan.kills; ++i) {
    Victim victim(worker, place.name(), "load");
    // One in five may die before its store is open, the others well into the work.
    if (i % 5 != 0) victim.AwaitWork();
    const auto permille = static_cast<int>(random() % 1000);
    RealEnv().SleepFor(plan.shortest + (plan.longest - plan.shortest) * permille / 1000, {});
    lines.merge(victim.Kill());
  }
  return lines;
}

/// Lets a worker bring all tasks to their end and returns the lines it wrote. The test has failed when it does not end
/// in time.
[[nodiscard]] inline std::set<std::string> Drain(const std::string& worker, const Place& place,
                                                 std::chrono::seconds limit) {
  Victim last(worker, place.name(), "drain");
  const int status = last.AwaitExit(limit);
  if (status != 0) Victim::Die(fmt::format("the tasks did not come to their end ({})", status));
  return last.Lines();
}

}  // namespace seedcore::test
