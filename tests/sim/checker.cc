#include "sim/checker.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/json_binding.h"
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
  seen = {task.fencing_token, task.status};
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

void Checker::AtEnd() {
  const auto report = test::CheckHistory(store_.history(), acknowledged_, {.must_be_completed = false});
  for (const std::string& violation : report.violations) Violate(violation);
  for (const test::ModelStore::Row& row : store_.rows()) {
    const int expected = row.task.status == TaskStatus::kCompleted ? 1 : 0;
    const int found = effects_[row.task.id];
    if (found != expected) Violate(fmt::format("{}: effects written {} times", row.task.id, found));
    if (!IsTerminal(row.task.status)) {
      Violate(fmt::format("{}: still {}", row.task.id, EnumToString(row.task.status)));
    }
  }
}

}  // namespace seedcore::sim
