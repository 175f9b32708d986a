#pragma once

#include <string>
#include <vector>

#include "sim/checker.h"
#include "sim/link.h"

namespace seedcore::sim {

/// A user: submits batches of tasks, again and again until each is acknowledged, sometimes once more; cancels some, and
/// resumes what is held.
class Client {
 public:
  Client(SimEnv& env, store::TaskStore& store, Weather& weather, Checker& checker, int tasks)
      : env_(env), store_(store, weather, false), weather_(weather), checker_(checker), left_(tasks), due_(env.Now()) {}

  [[nodiscard]] Instant Due() const { return due_; }
  std::string Step();
  [[nodiscard]] bool Done() const { return left_ == 0 && batch_.empty(); }

 private:
  void MakeBatch();
  void Submit();
  void Cancel();
  void ResumeHeld();

  SimEnv& env_;
  Link store_;
  Weather& weather_;
  Checker& checker_;
  int left_;
  int made_ = 0;
  Instant due_;
  std::vector<store::NewTask> batch_;  // not yet acknowledged
  std::vector<store::NewTask> last_;   // the batch before, for a duplicate
  std::vector<std::string> ids_;       // acknowledged
};

}  // namespace seedcore::sim
