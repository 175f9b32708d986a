#include "store/sqlite/queue_store.h"
#include "store/sqlite/step_store.h"
#include "store/sqlite/task_store.h"
#include "store/sqlite/task_writes.h"

namespace seedcore::store::sqlite {
namespace {

// ?1 id, ?2 owner, ?3 token, ?4 lease end, ?5 now
constexpr char kRenew[] =
    "UPDATE tasks SET lease_expires_at = ?4, updated_at = ?5 "
    "WHERE id = ?1 AND status = 'running' AND owner_id = ?2 AND fencing_token = ?3";

constexpr char kHasParked[] = "SELECT 1 FROM tasks WHERE runnable = 4 LIMIT 1";
constexpr char kPastDeadline[] =
    "SELECT seq, id, status, attempts, fencing_token, owner_id FROM tasks "
    "WHERE deadline IS NOT NULL AND finished_at IS NULL AND deadline <= ?1 ORDER BY deadline LIMIT ?2";
constexpr char kLeaseExpired[] =
    "SELECT seq, id, status, attempts, fencing_token, owner_id, attempts >= max_attempts FROM tasks "
    "WHERE status = 'running' AND lease_expires_at <= ?1 ORDER BY lease_expires_at LIMIT ?2";
// ?1 seq, ?2 now, ?3 error, ?4 error code
constexpr char kBackToRetry[] =
    "UPDATE tasks SET status = 'retry', runnable = 1, run_after = NULL, owner_id = NULL, lease_expires_at = NULL, "
    "error = ?3, error_code = ?4, updated_at = ?2 WHERE seq = ?1 AND status = 'running'";

Result<RenewResult> RenewOne(WriteContext& context, const Lease& lease, WallTime lease_end) {
  SEEDCORE_ASSIGN_OR_RETURN(const int changed, context.db.Execute(kRenew, lease.task_id, lease.owner_id,
                                                                  lease.fencing_token, lease_end, context.now));
  if (changed == 1) return RenewResult{.renewed = true};
  SEEDCORE_ASSIGN_OR_RETURN(const bool cancelled, WasCancelled(context, lease));
  return RenewResult{.renewed = false, .cancel_requested = cancelled};
}

struct Expired {
  TaskHead head;
  bool attempts_used_up = false;
};

Result<std::vector<Expired>> SelectHeads(WriteContext& context, const char* sql, int limit, bool with_attempts) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement rows, context.db.Query(sql, context.now, limit));
  std::vector<Expired> out;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return out;
    SEEDCORE_ASSIGN_OR_RETURN(TaskHead head, ReadTaskHead(rows));
    out.push_back({std::move(head), with_attempts && rows.Int(6) != 0});
  }
}

Result<void> ExpireLease(WriteContext& context, const Expired& expired) {
  const TaskHead& task = expired.head;
  const Error error{ErrorCode::kUnavailable, "the worker stopped renewing its lease", {}};
  SEEDCORE_RETURN_IF_ERROR(AppendEvent(
      context, {task.seq, "lease_expired", expired.attempts_used_up ? TaskStatus::kRunning : TaskStatus::kRetry,
                task.attempts, task.fencing_token, task.owner_id, error.message}));
  if (expired.attempts_used_up) {
    return FailTask(context, task, {error.code, error.message + ", and no attempt is left", {}});
  }
  SEEDCORE_RETURN_IF_ERROR(
      context.db.Execute(kBackToRetry, task.seq, context.now, error.message, ToString(error.code)));
  context.notes.Moved(TaskStatus::kRunning, TaskStatus::kRetry);
  context.notes.made_runnable = true;
  return {};
}

/// Parked tasks whose key has room after all.
Result<void> LookAfterParked(WriteContext& context, std::string& cursor) {
  constexpr int kMaxKeys = 100;
  {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kHasParked));
    SEEDCORE_ASSIGN_OR_RETURN(const bool parked, row.Next());
    if (!parked) return {};
  }
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<LimitState> limits, ReadLimits(context.db));
  Admission admission(std::move(limits), {}, context.now);
  return Unpark(context, admission, kMaxKeys, cursor);
}

}  // namespace

Result<std::vector<RenewResult>> SqliteTaskStore::Renew(std::span<const Lease> leases,
                                                        std::chrono::milliseconds lease) {
  return writer_.Run([&](WriteContext& context) -> Result<std::vector<RenewResult>> {
    std::vector<RenewResult> out;
    out.reserve(leases.size());
    for (const Lease& held : leases) {
      SEEDCORE_ASSIGN_OR_RETURN(out.emplace_back(), RenewOne(context, held, context.now + lease));
    }
    return out;
  });
}

Result<int> SqliteTaskStore::Reap(int limit) {
  return writer_.Run([&](WriteContext& context) -> Result<int> {
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Expired> late, SelectHeads(context, kPastDeadline, limit, false));
    for (const Expired& task : late) SEEDCORE_RETURN_IF_ERROR(FailTask(context, task.head, DeadlinePassed()));
    const int left = limit - static_cast<int>(late.size());
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Expired> expired, SelectHeads(context, kLeaseExpired, left, true));
    for (const Expired& task : expired) SEEDCORE_RETURN_IF_ERROR(ExpireLease(context, task));
    SEEDCORE_RETURN_IF_ERROR(LookAfterParked(context, parked_cursor_));
    const std::size_t touched = late.size() + expired.size();
    if (touched > 0) SEEDCORE_RETURN_IF_ERROR(NoteRoom(context));
    SEEDCORE_ASSIGN_OR_RETURN(const int overdue, ExpireWaits(context, limit - static_cast<int>(touched)));
    return static_cast<int>(touched) + overdue;
  });
}

}  // namespace seedcore::store::sqlite
