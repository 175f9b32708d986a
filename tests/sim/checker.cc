#include "sim/checker.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "sim/workflow.h"
#include "support/history.h"

namespace seedcore::sim {

using store::TaskStatus;

void Checker::Acknowledged(const std::vector<store::SubmitResult>& submitted) {
  for (const store::SubmitResult& result : submitted) acknowledged_.insert(result.task.id);
}

void Checker::EffectsWritten(const store::Effects& effects) {
  for (const store::NewFact& fact : effects.facts) {
    if (++effects_[fact.text] > 1) Violate(fmt::format("{}: its effects are written twice", fact.text));
  }
}

void Checker::AfterStep(const std::vector<std::string>& believed) {
  for (const test::ModelStore::Row& row : store_.rows()) CheckTask(row);
  CheckKeys();
  overtaking_.AfterStep(store_, violations_);
  // A wall clock that is set lets the store give a lease away early; the token is then all that protects the task.
  if (weather_.counts.clock_jumps > 0) return;
  std::set<std::string> live;
  for (const std::string& id : believed) {
    if (!live.insert(id).second) Violate(fmt::format("{}: two workers hold a live lease", id));
  }
}

void Checker::CheckTask(const test::ModelStore::Row& row) {
  const store::Task& task = row.task;
  Seen& seen = seen_[row.seq];
  if (task.fencing_token < seen.token) Violate(fmt::format("{}: the token went back", task.id));
  if (task.attempts > task.retry.max_attempts) {
    Violate(fmt::format("{}: attempt {} of {}", task.id, task.attempts, task.retry.max_attempts));
  }
  if (IsTerminal(seen.status) && task.status != seen.status) {
    Violate(fmt::format("{}: was {}, is {}", task.id, EnumToString(seen.status), EnumToString(task.status)));
  }
  if (task.status == TaskStatus::kRunning) CheckLease(task);
  const bool is_claimed = task.fencing_token > seen.token && task.status == TaskStatus::kRunning;
  if (is_claimed && seen.run_after && *task.started_at < *seen.run_after && weather_.counts.clock_jumps == 0) {
    Violate(fmt::format("{}: claimed {} ms before its time", task.id,
                        (*seen.run_after - *task.started_at) / std::chrono::milliseconds(1)));
  }
  CheckSteps(row, seen);
  seen.token = task.fencing_token;
  seen.status = task.status;
  seen.run_after = task.run_after;
}

/// A completed step stays completed, and what is written of a step comes from the latest claim of its task.
void Checker::CheckSteps(const test::ModelStore::Row& row, Seen& seen) {
  for (const store::StepRow& step : row.steps) {
    const bool is_completed = step.status == store::TaskStepStatus::kCompleted;
    if (is_completed) seen.completed.insert(step.number);
    if (!is_completed && seen.completed.contains(step.number)) {
      Violate(fmt::format("{}: step {} was completed, is {}", row.task.id, step.number, EnumToString(step.status)));
    }
  }
}

void Checker::StepBegins(const std::string& task_id, int step) {
  const auto row = std::ranges::find_if(store_.rows(), [&](const auto& r) { return r.task.id == task_id; });
  if (row == store_.rows().end()) return Violate(fmt::format("{}: a step of no task begins", task_id));
  const std::set<int>& completed = seen_[row->seq].completed;
  if (completed.contains(step) || effects_[EffectOf(task_id, step)] > 0) {
    Violate(fmt::format("{}: step {} runs again after it was completed", task_id, step));
  }
  // The steps of a plan follow one another: all before the first unfinished one are completed.
  for (int before = 0; before < step; ++before) {
    if (!completed.contains(before)) Violate(fmt::format("{}: step {} begins before step {}", task_id, step, before));
  }
}

/// No more run than the limits say, and a unique key has one unfinished task.
void Checker::CheckKeys() {
  std::map<std::string, int> of_type, of_key, of_unique;
  for (const test::ModelStore::Row& row : store_.rows()) {
    const store::Task& task = row.task;
    if (task.status == TaskStatus::kRunning) {
      ++of_type[task.type];
      if (!task.concurrency_key.empty()) ++of_key[task.concurrency_key];
    }
    if (!task.unique_key.empty() && !IsTerminal(task.status)) ++of_unique[task.unique_key];
  }
  if (of_type["b"] > kMostOfTypeB) Violate(fmt::format("{} tasks of type b run", of_type["b"]));
  for (const auto& [key, n] : of_key) {
    if (n > kMostOfAKey) Violate(fmt::format("{} tasks of the key {} run", n, key));
  }
  for (const auto& [key, n] : of_unique) {
    if (n > 1) Violate(fmt::format("{} tasks have the unique key {}", n, key));
  }
}

/// A lease that has run out is taken back within a tick of the reaper, unless the weather kept the reaper from it.
void Checker::CheckLease(const store::Task& task) {
  if (!task.lease_expires_at || task.owner_id.empty()) return Violate(fmt::format("{}: runs without a lease", task.id));
  constexpr std::chrono::nanoseconds kTick = kReaperPeriod * 5 / 4 + std::chrono::milliseconds(1);
  const std::chrono::nanoseconds expired = env_.WallNow() - *task.lease_expires_at;
  const std::chrono::nanoseconds undisturbed = env_.Now() - weather_.disturbed();
  if (std::min(expired, undisturbed) > kTick) {
    Violate(
        fmt::format("{}: still running {} ms after its lease ended", task.id, expired / std::chrono::milliseconds(1)));
  }
}

/// What ended well has left its effects, once, and nothing else has.
void Checker::CheckEffects(const test::ModelStore::Row& row) {
  const bool is_completed = row.task.status == TaskStatus::kCompleted;
  const int found = effects_[row.task.id];
  if (found != (is_completed ? 1 : 0)) Violate(fmt::format("{}: effects written {} times", row.task.id, found));
  const Plan plan = PlanOf(row.task);
  if (is_completed && row.steps.size() != static_cast<std::size_t>(plan.steps)) {
    Violate(fmt::format("{}: completed with {} of {} steps", row.task.id, row.steps.size(), plan.steps));
  }
  for (const store::StepRow& step : row.steps) {
    const bool is_done = step.status == store::TaskStepStatus::kCompleted;
    if (is_completed && !is_done) Violate(fmt::format("{}: completed without step {}", row.task.id, step.number));
    const int written = effects_[EffectOf(row.task.id, step.number)];
    const int expected = is_done && step.number != plan.person ? 1 : 0;
    if (written != expected) {
      Violate(fmt::format("{}: effects of step {} written {} times", row.task.id, step.number, written));
    }
  }
}

/// Each claim is an attempt, unless it was handed back or put off; a task that is queued anew begins at the first.
void Checker::CheckAttempts() {
  std::map<std::string, int> attempts;
  for (const store::TaskEvent& event : store_.history()) {
    int& attempt = attempts[event.task_id];
    if (event.kind == "queued" || event.kind == "resumed" || event.kind == "redriven") attempt = 0;
    if (event.kind == "snoozed" || event.kind == "handed_back") --attempt;
    if (event.kind == "claimed" && ++attempt != event.attempt) {
      Violate(fmt::format("{}: claim {} is counted as attempt {}", event.task_id, attempt, event.attempt));
    }
  }
}

void Checker::AtEnd() {
  CheckAttempts();
  const auto report = test::CheckHistory(store_.history(), acknowledged_, {.must_be_completed = false});
  for (const std::string& violation : report.violations) Violate(violation);
  for (const test::ModelStore::Row& row : store_.rows()) {
    CheckEffects(row);
    if (!IsTerminal(row.task.status)) {
      Violate(fmt::format("{}: still {}", row.task.id, EnumToString(row.task.status)));
    }
  }
}

}  // namespace seedcore::sim
