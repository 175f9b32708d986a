#pragma once

#include <string>
#include <vector>

#include "sim/checker.h"
#include "sim/link.h"

namespace seedcore::sim {

/// A user: submits batches of tasks, again and again until each is acknowledged, sometimes once more; cancels some,
/// resumes what is held, and answers steps that wait.
class Client {
 public:
  /// What a user is like.
  struct Habits {
    int tasks = 10;
    int most_per_batch = 3;
    std::string domain;
    int priority = 0;  ///< of all tasks; 0: any
  };
  Client(SimEnv& env, test::ModelStore& store, Weather& weather, Checker& checker, Habits habits)
      : env_(env),
        store_(store, weather, false),
        steps_(store),
        weather_(weather),
        checker_(checker),
        habits_(std::move(habits)),
        left_(habits_.tasks),
        due_(env.Now()) {}

  [[nodiscard]] Instant Due() const { return due_; }
  std::string Step();
  [[nodiscard]] bool Done() const { return left_ == 0 && batch_.empty(); }

 private:
  void MakeBatch();
  void Submit();
  void Cancel();
  void ResumeHeld();
  void Answer(const store::Task& task);

  SimEnv& env_;
  Link store_;
  store::StepStore& steps_;
  Weather& weather_;
  Checker& checker_;
  const Habits habits_;
  int left_;
  int made_ = 0;
  Instant due_;
  std::vector<store::NewTask> batch_;  // not yet acknowledged
  std::vector<store::NewTask> last_;   // the batch before, for a duplicate
  std::vector<std::string> ids_;       // acknowledged
};

}  // namespace seedcore::sim
