#include <algorithm>

#include <fmt/format.h>

#include "support/model_store.h"
#include "support/model_transaction.h"

namespace seedcore::test {

using store::StepRow;
using store::TaskStatus;

Result<ModelStore::Row*> ModelStore::UnderLease(const store::Lease& lease) {
  Row* row = FindExact(lease.task_id);
  if (row == nullptr) return seedcore::Fail(ErrorCode::kNotFound, fmt::format("there is no task {}", lease.task_id));
  const store::Task& task = row->task;
  if (defect_ == Defect::kStepLeaseNotChecked && task.status == TaskStatus::kRunning) return row;
  if (task.status != TaskStatus::kRunning || task.owner_id != lease.owner_id ||
      task.fencing_token != lease.fencing_token) {
    return std::unexpected(store::StepLeaseLost(lease, task.status, task.fencing_token));
  }
  return row;
}

void ModelStore::Apply(Row& row, const store::StepChanges& changes) {
  for (const store::StepChange& change : changes.rows) {
    if (change.is_new) {
      row.steps.push_back(change.row);
      continue;
    }
    StepRow& kept = *std::ranges::find_if(row.steps, [&](const StepRow& s) { return s.number == change.row.number; });
    const std::string result = change.sets_result ? change.row.result : kept.result;
    kept = change.row;
    kept.result = result;
  }
  for (const store::StepEvent& event : changes.events) Append(row, event.kind, row.task.owner_id, event.detail);
}

Result<void> ModelStore::WriteStepsOf(Row& row, std::span<const store::StepWrite> writes, std::int64_t token) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto prepared, store::PrepareStepWrites(writes));
  SEEDCORE_ASSIGN_OR_RETURN(const auto changes, store::WriteChanges(row.steps, prepared, token, now_));
  Apply(row, changes);
  return {};
}

int ModelStore::ExpireWaits(int limit) {
  int touched = 0;
  for (Row& row : rows_) {
    if (touched == limit) break;
    if (IsTerminal(row.task.status)) continue;
    const store::StepChanges changes = store::OverdueChanges(row.steps, now_);
    if (changes.rows.empty()) continue;
    Apply(row, changes);
    if (row.task.status == TaskStatus::kCreated) (void)Requeue(row, "resumed");
    ++touched;
  }
  return touched;
}

Result<std::vector<store::TaskStep>> ModelStore::SavePlan(const store::Lease& lease, const store::NewPlan& plan) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto planned, store::PreparePlan(plan));
  const Transaction transaction(*this);
  SEEDCORE_ASSIGN_OR_RETURN(Row * row, UnderLease(lease));
  SEEDCORE_ASSIGN_OR_RETURN(const auto changes, store::SavePlanChanges(row->steps, planned));
  Apply(*row, changes);
  SEEDCORE_ASSIGN_OR_RETURN(auto steps, store::ToTaskSteps(row->steps));
  if (defect_ == Defect::kPlanAnew) {
    for (store::TaskStep& step : steps) step.status = store::TaskStepStatus::kPending;
  }
  return steps;
}

Result<void> ModelStore::WriteSteps(const store::Lease& lease, std::span<const store::StepWrite> writes,
                                    const store::Effects& effects) {
  const Transaction transaction(*this);
  SEEDCORE_ASSIGN_OR_RETURN(Row * row, UnderLease(lease));
  SEEDCORE_ASSIGN_OR_RETURN(const auto prepared, store::PrepareStepWrites(writes));
  SEEDCORE_ASSIGN_OR_RETURN(const auto changes, store::WriteChanges(row->steps, prepared, lease.fencing_token, now_));
  if (changes.rows.empty() && !prepared.empty()) return {};
  Apply(*row, changes);
  if (write_effects_) return write_effects_(effects);
  return {};
}

Result<std::vector<store::TaskStep>> ModelStore::Steps(const std::string& task_id) {
  const Transaction transaction(*this);
  SEEDCORE_ASSIGN_OR_RETURN(const Row* row, Find(task_id));
  return store::ToTaskSteps(row->steps);
}

Result<store::Task> ModelStore::Answer(const std::string& task_id, const std::string& step,
                                       const store::StepAnswer& answer) {
  const Transaction transaction(*this);
  SEEDCORE_ASSIGN_OR_RETURN(Row * row, Find(task_id));
  if (IsTerminal(row->task.status)) return std::unexpected(store::TaskHasEnded(row->task.status));
  SEEDCORE_ASSIGN_OR_RETURN(const auto changes, store::AnswerChanges(row->steps, step, answer, now_));
  Apply(*row, changes);
  if (row->task.status == TaskStatus::kCreated) SEEDCORE_RETURN_IF_ERROR(Requeue(*row, "resumed"));
  return row->task;
}

Result<store::Task> ModelStore::Replay(const std::string& task_id, const std::string& from_step) {
  const Transaction transaction(*this);
  SEEDCORE_ASSIGN_OR_RETURN(Row * row, Find(task_id));
  if (!IsTerminal(row->task.status)) return std::unexpected(store::TaskHasNotEnded(row->task.status));
  SEEDCORE_ASSIGN_OR_RETURN(const auto changes, store::ReplayChanges(row->steps, from_step));
  const std::vector<store::TaskEvent> events = events_;
  const std::int64_t last_event = last_event_;
  const std::vector<StepRow> steps = row->steps;
  Apply(*row, changes);
  if (auto queued = Requeue(*row, "queued"); !queued) {
    events_ = events;
    last_event_ = last_event;
    row->steps = steps;
    return std::unexpected(queued.error());
  }
  return row->task;
}

Result<store::Task> ModelStore::Fork(const std::string& task_id, const std::string& from_step) {
  const Transaction transaction(*this);
  SEEDCORE_ASSIGN_OR_RETURN(Row * row, Find(task_id));
  SEEDCORE_ASSIGN_OR_RETURN(const auto changes, store::ForkChanges(row->steps, from_step, row->task.id));
  SEEDCORE_ASSIGN_OR_RETURN(const auto made, SubmitOne(store::ForkOf(row->task)));
  Row& fork = rows_.back();
  Apply(fork, changes);
  return fork.task;
}

}  // namespace seedcore::test
