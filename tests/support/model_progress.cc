// What executions of the model report while they run, and how long they may be put off.
#include <algorithm>
#include <utility>

#include "store/stored_task.h"
#include "support/model_store.h"
#include "support/model_transaction.h"

namespace seedcore::test {

using store::TaskStatus;

Result<std::vector<store::ProgressAnswer>> ModelStore::ReportProgress(std::span<const store::ProgressReport> reports) {
  const Transaction transaction(*this);
  for (const store::ProgressReport& report : reports) {
    SEEDCORE_RETURN_IF_ERROR(store::CheckProgress(report.progress));
  }
  std::vector<store::ProgressAnswer> out;
  for (const store::ProgressReport& report : reports) {
    store::ProgressAnswer& answer = out.emplace_back();
    const Row* row = FindExact(report.lease.task_id);
    if (row == nullptr) continue;
    answer.accepted = Holds(row->task, report.lease);
    answer.cancel_requested =
        !answer.accepted && row->task.cancel_requested && row->task.fencing_token == report.lease.fencing_token;
    if (!answer.accepted) continue;
    std::erase_if(events_, [&](const store::TaskEvent& event) {
      return event.task_id == row->task.id && event.kind == "progress";
    });
    Append(*row, "progress", report.lease.owner_id, store::WriteProgress(report.progress));
  }
  return out;
}

Result<std::map<std::string, store::StoredProgress>> ModelStore::ProgressOf(std::span<const std::string> ids) {
  const Transaction transaction(*this);
  std::map<std::string, store::StoredProgress> out;
  for (const store::TaskEvent& event : events_) {
    const Row* row = event.kind == "progress" ? FindExact(event.task_id) : nullptr;
    if (row == nullptr || row->task.status != TaskStatus::kRunning) continue;
    if (event.fencing_token != row->task.fencing_token || std::ranges::count(ids, event.task_id) == 0) continue;
    SEEDCORE_ASSIGN_OR_RETURN(Progress progress, store::ReadProgress(event.detail));
    out[event.task_id] = {std::move(progress), event.at};
  }
  return out;
}

bool ModelStore::SnoozedEnough(const Row& row, WallTime run_after) {
  int count = 0;
  WallTime first = now_;
  for (const store::TaskEvent& event : events_) {
    if (event.task_id != row.task.id) continue;
    if (event.kind == "queued" || event.kind == "resumed" || event.kind == "redriven") count = 0;
    if (event.kind == "snoozed" && ++count == 1) first = event.at;
  }
  if (count == 0) first = now_;
  return count >= store::kMaxSnoozes || run_after - first > store::kLongestSnooze;
}

}  // namespace seedcore::test
