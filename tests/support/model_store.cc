#include "support/model_store.h"

#include <algorithm>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/strings.h"
#include "store/claim_rules.h"
#include "store/stored_task.h"
#include "store/turn.h"
#include "support/model_readers.h"
#include "support/model_transaction.h"

namespace seedcore::test {

using store::Task;
using store::TaskStatus;

ModelStore::ModelStore(Env& env, Metrics& metrics, WriteEffects write_effects, Defect defect)
    : env_(env),
      lease_lost_(metrics.GetCounter("seedcore_lease_lost_total", "Results refused because the lease was lost.")),
      write_effects_(std::move(write_effects)),
      defect_(defect) {}

ModelStore::Row* ModelStore::FindExact(const std::string& id) {
  const auto found = std::ranges::find_if(rows_, [&](const Row& row) { return row.task.id == id; });
  return found == rows_.end() ? nullptr : &*found;
}

Result<ModelStore::Row*> ModelStore::Find(const std::string& id_or_prefix) {
  if (id_or_prefix.size() < 4) return seedcore::Fail(ErrorCode::kInvalidArgument, "give at least 4 characters");
  const std::string prefix = ToLower(id_or_prefix);
  Row* found = nullptr;
  for (Row& row : rows_) {
    if (!row.task.id.starts_with(prefix)) continue;
    if (found != nullptr) return seedcore::Fail(ErrorCode::kAmbiguous, "more than one task id begins with it");
    found = &row;
  }
  if (found == nullptr) return seedcore::Fail(ErrorCode::kNotFound, fmt::format("there is no task {}", id_or_prefix));
  return found;
}

void ModelStore::Append(const Row& row, std::string_view kind, std::string_view owner, std::string_view detail) {
  events_.push_back({.seq = ++last_event_,
                     .task_id = row.task.id,
                     .at = now_,
                     .kind = std::string(kind),
                     .status = row.task.status,
                     .attempt = row.task.attempts,
                     .fencing_token = row.task.fencing_token,
                     .owner_id = std::string(owner),
                     .detail = std::string(detail)});
}

const ModelStore::Row* ModelStore::FailedDependency(const Row& row) {
  for (const std::string& id : row.dependencies) {
    const Row* other = FindExact(id);
    if (IsTerminal(other->task.status) && other->task.status != TaskStatus::kCompleted) return other;
  }
  return nullptr;
}

bool ModelStore::DependenciesMet(const Row& row) {
  return std::ranges::all_of(row.dependencies,
                             [&](const auto& id) { return FindExact(id)->task.status == TaskStatus::kCompleted; });
}

bool ModelStore::Waiting(const Row& row) {
  return (row.task.status == TaskStatus::kQueued || row.task.status == TaskStatus::kRetry) && DependenciesMet(row);
}

bool ModelStore::Claimable(const Row& row) {
  return Waiting(row) && (row.queued_as_due || !row.task.run_after || *row.task.run_after <= now_);
}

/// To those that can run and have none, in the order of submission. One that waited for its time has it once a claim
/// has looked.
void ModelStore::GiveTurns() {
  for (Row& row : rows_) {
    if (row.turn || !Waiting(row) || !row.queued_as_due) continue;
    const Task& task = row.task;
    const std::int64_t clock = std::max(clocks_[""], clocks_[task.type]);
    const std::int64_t first = clock + store::PriorityDelay(task.priority);
    if (defect_ == Defect::kFlowsForgotten) {
      row.turn = first;
      continue;
    }
    const auto [last, fresh] = last_turns_.try_emplace({task.type, task.domain, task.priority}, first);
    if (!fresh) last->second = std::max(first, last->second + store::kTurn);
    row.turn = last->second;
  }
}

void ModelStore::MoveClocks(const store::ClaimRequest& request, std::int64_t reached, std::int64_t claimed) {
  if (claimed == 0 || defect_ == Defect::kClocksStand) return;
  std::set<std::string> types(request.types.begin(), request.types.end());
  if (!request.except.empty()) {
    for (const Row& row : rows_) types.insert(row.task.type);
    for (const std::string& type : request.except) types.erase(type);
  }
  if (types.empty()) types.insert("");
  for (const std::string& type : types) clocks_[type] = std::max(reached, clocks_[type] + claimed);
}

/// The task leaves its worker's hands.
void ModelStore::Release(Row& row, TaskStatus status) {
  if (row.task.status == TaskStatus::kRunning && !limits_.empty()) made_runnable_ = true;
  row.task.status = status;
  row.task.owner_id.clear();
  row.task.lease_expires_at.reset();
  row.task.updated_at = now_;
}

void ModelStore::End(Row& row, TaskStatus status) {
  Release(row, status);
  row.task.finished_at = now_;
}

void ModelStore::Fail(Row& row, const Error& error) {
  const std::string owner = row.task.owner_id;
  row.task.dead_letter = true;
  row.task.error = error.message;
  row.task.error_code = ToString(error.code);
  End(row, TaskStatus::kFailed);
  Append(row, "failed", owner, error.message);
  FailDependants(row);
}

void ModelStore::FailDependants(const Row& cause) {
  for (Row& row : rows_) {
    if (IsTerminal(row.task.status) || !row.dependencies.contains(cause.task.id)) continue;
    const auto why = fmt::format("it depends on task {}, which is {}", cause.task.id, EnumToString(cause.task.status));
    Fail(row, {ErrorCode::kNonRetryable, why, {}});
  }
}

void ModelStore::ReleaseDependants(const Row& done) {
  for (Row& row : rows_) {
    if (IsTerminal(row.task.status) || !row.dependencies.contains(done.task.id) || !DependenciesMet(row)) continue;
    row.queued_as_due = !row.task.run_after || *row.task.run_after <= now_;
    Append(row, "released", {});
    if (row.task.status != TaskStatus::kCreated) made_runnable_ = true;
  }
}

Result<std::vector<store::Claim>> ModelStore::ClaimTasks(const store::ClaimRequest& request) {
  SEEDCORE_RETURN_IF_ERROR(store::CheckClaim(request));
  const Transaction transaction(*this);
  std::vector<Row*> order;
  int due = 0;
  for (Row& row : rows_) {
    if (Claimable(row) && !std::exchange(row.queued_as_due, true)) ++due;
  }
  GiveTurns();
  for (Row& row : rows_) {
    const bool wanted = request.types.empty() ? std::ranges::count(request.except, row.task.type) == 0
                                              : std::ranges::count(request.types, row.task.type) > 0;
    if (wanted && Claimable(row)) order.push_back(&row);
  }
  std::ranges::sort(
      order, [](const Row* a, const Row* b) { return std::pair(*a->turn, a->seq) < std::pair(*b->turn, b->seq); });
  if (defect_ == Defect::kNewestFirst)
    std::ranges::sort(order, std::greater(), [](const Row* row) { return row->seq; });
  std::vector<store::Claim> out;
  std::int64_t reached = 0;
  for (Row* row : order) {
    if (out.size() == static_cast<std::size_t>(request.limit)) break;
    Task& task = row->task;
    if (IsTerminal(task.status)) continue;  // failed with another one, just now
    if (task.deadline && *task.deadline <= now_) {
      Fail(*row, {ErrorCode::kDeadlineExceeded, "the deadline of the task has passed", {}});
      continue;
    }
    if (!IsAllowed(task)) continue;
    task.status = TaskStatus::kRunning;
    ++task.attempts;
    if (defect_ != Defect::kTokenNotGrown || task.fencing_token == 0) ++task.fencing_token;
    task.owner_id = request.owner_id;
    task.lease_expires_at = now_ + request.lease;
    task.started_at = task.updated_at = now_;
    task.cancel_requested = false;
    Append(*row, "claimed", request.owner_id);
    out.push_back({task});
    reached = std::max(reached, *row->turn - store::PriorityDelay(task.priority));
  }
  if (due > 0 && store::MayLeaveDue(request, out.size())) made_runnable_ = true;
  MoveClocks(request, reached, static_cast<std::int64_t>(out.size()));
  return out;
}

Result<std::vector<store::RenewResult>> ModelStore::Renew(std::span<const store::Lease> leases,
                                                          std::chrono::milliseconds lease) {
  const Transaction transaction(*this);
  std::vector<store::RenewResult> out;
  for (const store::Lease& held : leases) {
    Row* row = FindExact(held.task_id);
    store::RenewResult& result = out.emplace_back();
    if (row == nullptr) continue;
    result.renewed = Holds(row->task, held);
    if (result.renewed) {
      row->task.lease_expires_at = now_ + lease;
      row->task.updated_at = now_;
    } else {
      result.cancel_requested = row->task.cancel_requested && row->task.fencing_token == held.fencing_token;
    }
  }
  return out;
}

Result<std::vector<Result<void>>> ModelStore::FinishTasks(std::span<const store::Finish> finishes) {
  const Transaction transaction(*this);
  std::vector<Result<void>> out;
  for (const store::Finish& finish : finishes) out.push_back(FinishOne(finish));
  return out;
}

Result<void> ModelStore::Refuse(Row& row, const store::Finish& finish) {
  const store::Lease& lease = finish.lease;
  const auto detail = fmt::format("a result under token {} was refused: the task is {} and its token is {}",
                                  lease.fencing_token, EnumToString(row.task.status), row.task.fencing_token);
  lease_lost_.Increment();
  Append(row, "lease_lost", lease.owner_id, detail);
  events_.back().fencing_token = lease.fencing_token;
  if (defect_ == Defect::kEffectsOfTheRefused && write_effects_) {
    SEEDCORE_RETURN_IF_ERROR(write_effects_(finish.effects));
  }
  return seedcore::Fail(ErrorCode::kLeaseLost, detail);
}

Result<void> ModelStore::FinishOne(const store::Finish& finish) {
  const store::Lease& lease = finish.lease;
  Row* row = FindExact(lease.task_id);
  if (row == nullptr) return seedcore::Fail(ErrorCode::kNotFound, fmt::format("there is no task {}", lease.task_id));
  Task& task = row->task;
  const bool any_token = defect_ == Defect::kTokenNotChecked && task.status == TaskStatus::kRunning;
  if (!Holds(task, lease) && !any_token) return Refuse(*row, finish);

  if (!finish.steps.empty()) SEEDCORE_RETURN_IF_ERROR(WriteStepsOf(*row, finish.steps, lease.fencing_token));
  const std::size_t event = events_.size();
  if (const auto* completed = std::get_if<store::Completed>(&finish.outcome)) {
    task.result = completed->result;
    task.error.clear();
    task.error_code.clear();
    End(*row, TaskStatus::kCompleted);
    Append(*row, "completed", lease.owner_id);
    ReleaseDependants(*row);
  } else if (const auto* failed = std::get_if<store::FailedForGood>(&finish.outcome)) {
    if (!failed->result.is_null()) task.result = failed->result;
    Fail(*row, failed->error);
  } else if (const auto* retry = std::get_if<store::RetryLater>(&finish.outcome)) {
    if (task.attempts >= task.retry.max_attempts) {
      Fail(*row, retry->error);
    } else {
      task.error = retry->error.message;
      task.error_code = ToString(retry->error.code);
      task.run_after = now_ + retry->delay;
      row->queued_as_due = retry->delay <= std::chrono::milliseconds(0);
      Release(*row, TaskStatus::kRetry);
      Append(*row, "retry", lease.owner_id, retry->error.message);
      made_runnable_ = true;
    }
  } else if (const auto* held = std::get_if<store::Held>(&finish.outcome)) {
    task.hold_reason = held->reason;
    Release(*row, TaskStatus::kCreated);
    Append(*row, "held", lease.owner_id, held->reason);
    if (held->for_step && !store::AnyWaiting(row->steps)) SEEDCORE_RETURN_IF_ERROR(Requeue(*row, "resumed"));
  } else if (const auto* snoozed = std::get_if<store::Snoozed>(&finish.outcome)) {
    const WallTime run_after = now_ + snoozed->delay;
    if (SnoozedEnough(*row, run_after)) {
      Fail(*row, store::SnoozedTooLong(*snoozed));
    } else {
      if (defect_ != Defect::kSnoozeCounted) --task.attempts;
      task.run_after = run_after;
      row->queued_as_due = run_after <= now_ || defect_ == Defect::kSnoozeNotWaited;
      Release(*row, TaskStatus::kQueued);
      Append(*row, "snoozed", lease.owner_id, snoozed->reason);
      made_runnable_ = true;
    }
  } else {
    --task.attempts;
    row->queued_as_due = true;
    Release(*row, TaskStatus::kQueued);
    Append(*row, "handed_back", lease.owner_id);
    made_runnable_ = true;
  }
  events_.at(event).fencing_token = lease.fencing_token;  // what ended the execution names the claim it comes from
  if (IsTerminal(task.status) && write_effects_) return write_effects_(finish.effects);
  return {};
}

void ModelStore::ExpireLease(Row& row) {
  const Error error{ErrorCode::kUnavailable, "the worker stopped renewing its lease", {}};
  const std::string owner = row.task.owner_id;
  if (row.task.attempts >= row.task.retry.max_attempts && defect_ != Defect::kAttemptsNotBounded) {
    Append(row, "lease_expired", owner, error.message);
    return Fail(row, {error.code, error.message + ", and no attempt is left", {}});
  }
  if (defect_ == Defect::kStepsLost) {
    for (store::StepRow& step : row.steps) step.status = store::TaskStepStatus::kPending;
  }
  row.task.error = error.message;
  row.task.error_code = ToString(error.code);
  row.task.run_after.reset();
  row.queued_as_due = true;
  Release(row, TaskStatus::kRetry);
  Append(row, "lease_expired", owner, error.message);
  made_runnable_ = true;
}

Result<int> ModelStore::Reap(int limit) {
  const Transaction transaction(*this);
  int touched = 0;
  for (Row& row : rows_) {
    if (touched == limit) return touched;
    if (IsTerminal(row.task.status) || !row.task.deadline || *row.task.deadline > now_) continue;
    Fail(row, {ErrorCode::kDeadlineExceeded, "the deadline of the task has passed", {}});
    ++touched;
  }
  for (Row& row : rows_) {
    if (touched == limit || defect_ == Defect::kLeaseNeverExpires) return touched;
    if (row.task.status != TaskStatus::kRunning || *row.task.lease_expires_at > now_) continue;
    ExpireLease(row);
    ++touched;
  }
  return touched + ExpireWaits(limit - touched);
}

Result<Task> ModelStore::Cancel(const std::string& id) {
  const Transaction transaction(*this);
  SEEDCORE_ASSIGN_OR_RETURN(Row * row, Find(id));
  if (!IsTerminal(row->task.status)) {
    const std::string owner = row->task.owner_id;
    row->task.cancel_requested = row->task.status == TaskStatus::kRunning;
    End(*row, TaskStatus::kCancelled);
    Append(*row, "cancelled", owner);
    FailDependants(*row);
  }
  return row->task;
}

Result<void> ModelStore::Requeue(Row& row, std::string_view event_kind) {
  if (const Row* failed = FailedDependency(row)) {
    return seedcore::Fail(ErrorCode::kConflict, fmt::format("it depends on task {}", failed->task.id));
  }
  Task& task = row.task;
  if (IsTerminal(task.status)) {
    const Row* holder = UniqueHolder(task.unique_key);
    if (holder != nullptr && !IsTerminal(holder->task.status)) {
      return seedcore::Fail(ErrorCode::kConflict, "an unfinished task has its unique key");
    }
  }
  if (task.status != TaskStatus::kRetry) row.turn.reset();
  task.status = TaskStatus::kQueued;
  task.attempts = 0;
  task.run_after.reset();
  task.error.clear();
  task.error_code.clear();
  task.hold_reason.clear();
  task.result = nullptr;
  task.dead_letter = task.cancel_requested = false;
  task.started_at.reset();
  task.finished_at.reset();
  if (task.deadline && *task.deadline <= now_) task.deadline.reset();
  task.updated_at = now_;
  row.queued_as_due = true;
  Append(row, event_kind, {});
  if (Waiting(row)) made_runnable_ = true;
  return {};
}

Result<Task> ModelStore::Run(const std::string& id) {
  const Transaction transaction(*this);
  SEEDCORE_ASSIGN_OR_RETURN(Row * row, Find(id));
  const TaskStatus status = row->task.status;
  if (status != TaskStatus::kQueued && status != TaskStatus::kRunning && status != TaskStatus::kCompleted) {
    SEEDCORE_RETURN_IF_ERROR(Requeue(*row, row->task.hold_reason.empty() ? "queued" : "resumed"));
  }
  return row->task;
}

Result<int> ModelStore::Redrive(const store::TaskFilter& filter, int limit) {
  const Transaction transaction(*this);
  int done = 0;
  for (Row& row : rows_) {
    if (done == limit) break;
    if (row.task.dead_letter && Matches(row.task, filter) && Requeue(row, "redriven")) ++done;
  }
  return done;
}

Result<int> ModelStore::DeleteFinished(WallTime before, int limit) {
  const Transaction transaction(*this);
  int deleted = 0;
  while (deleted < limit) {
    const auto oldest = std::ranges::min_element(
        rows_, {}, [](const Row& row) { return row.task.finished_at.value_or(WallTime::max()); });
    if (oldest == rows_.end() || !oldest->task.finished_at || *oldest->task.finished_at >= before) break;
    const std::string id = oldest->task.id;
    std::erase_if(events_, [&](const store::TaskEvent& event) { return event.task_id == id; });
    rows_.erase(oldest);
    for (Row& row : rows_) row.dependencies.erase(id);
    ++deleted;
  }
  return deleted;
}

Result<bool> ModelStore::HasFinished(WallTime before) {
  const Transaction transaction(*this);
  return std::ranges::any_of(rows_, [&](const Row& row) { return row.task.finished_at.value_or(before) < before; });
}

}  // namespace seedcore::test
