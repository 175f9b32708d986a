#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "sim/overtaking.h"
#include "sim/weather.h"
#include "support/model_store.h"

namespace seedcore::sim {

inline constexpr std::chrono::milliseconds kLease{10'000};
inline constexpr std::chrono::milliseconds kReaperPeriod{1'000};

/// The limits that are in force throughout: of tasks of type b, and of each concurrency key.
inline constexpr int kMostOfTypeB = 2;
inline constexpr int kMostOfAKey = 1;

/// Looks at the whole world after each step and says what must never be seen.
class Checker {
 public:
  Checker(SimEnv& env, const test::ModelStore& store, const Weather& weather)
      : env_(env), store_(store), weather_(weather) {}

  /// All tasks have one priority: what comes late to a flow then waits for its share of the others alone.
  void AllOfOnePriority() { overtaking_.AllOfOnePriority(); }

  /// The user has been told that these tasks are stored.
  void Acknowledged(const std::vector<store::SubmitResult>& submitted);
  /// What a completed task leaves behind has been written.
  void EffectsWritten(const store::Effects& effects);
  /// An execution holds the lease, by the store's word, and begins the work of a step.
  void StepBegins(const std::string& task_id, int step);

  /// `believed`: ids of tasks, one for each worker in any process that believes to hold a valid lease.
  void AfterStep(const std::vector<std::string>& believed);
  /// When all is over: the history and the effects.
  void AtEnd();

  [[nodiscard]] const std::vector<std::string>& violations() const { return violations_; }
  void Violate(std::string what) { violations_.push_back(std::move(what)); }

 private:
  struct Seen {
    std::int64_t token = 0;
    store::TaskStatus status = store::TaskStatus::kCreated;
    std::optional<WallTime> run_after;
    std::set<int> completed;  ///< steps
  };
  void CheckTask(const test::ModelStore::Row& row);
  void CheckSteps(const test::ModelStore::Row& row, Seen& seen);
  void CheckAttempts();
  void CheckEffects(const test::ModelStore::Row& row);
  void CheckKeys();
  void CheckLease(const store::Task& task);

  SimEnv& env_;
  const test::ModelStore& store_;
  const Weather& weather_;
  std::set<std::string> acknowledged_;
  std::map<std::string, int> effects_;
  Overtaking overtaking_;
  std::map<std::int64_t, Seen> seen_;  // by order of submission
  std::vector<std::string> violations_;
};

}  // namespace seedcore::sim
