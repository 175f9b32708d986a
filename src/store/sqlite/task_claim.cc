#include <algorithm>

#include "base/json_binding.h"
#include "store/sqlite/task_store.h"
#include "store/sqlite/task_writes.h"

namespace seedcore::store::sqlite {
namespace {

// Both read a partial index that holds claimable tasks alone, in the order of claiming.
constexpr char kCandidates[] =
    "SELECT " SEEDCORE_TASK_COLUMNS SEEDCORE_TASK_FROM "WHERE t.runnable = 1 ORDER BY t.priority DESC, t.seq LIMIT ?1";
constexpr char kCandidatesOfType[] = "SELECT " SEEDCORE_TASK_COLUMNS SEEDCORE_TASK_FROM
                                     "WHERE t.runnable = 1 AND t.type = ?2 ORDER BY t.priority DESC, t.seq LIMIT ?1";

// ?1 seq, ?2 now, ?3 owner, ?4 lease end
constexpr char kClaim[] =
    "UPDATE tasks SET status = 'running', runnable = 0, attempts = attempts + 1, fencing_token = fencing_token + 1, "
    "owner_id = ?3, lease_expires_at = ?4, started_at = ?2, updated_at = ?2, cancel_requested = 0 "
    "WHERE seq = ?1 AND runnable = 1";

// ?1 id, ?2 owner, ?3 token, ?4 lease end, ?5 now
constexpr char kRenew[] =
    "UPDATE tasks SET lease_expires_at = ?4, updated_at = ?5 "
    "WHERE id = ?1 AND status = 'running' AND owner_id = ?2 AND fencing_token = ?3";
constexpr char kWasCancelled[] = "SELECT 1 FROM tasks WHERE id = ?1 AND fencing_token = ?2 AND cancel_requested = 1";

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

Error DeadlinePassed() { return {ErrorCode::kDeadlineExceeded, "the deadline of the task has passed", {}}; }

Result<void> ReadCandidates(Statement rows, std::vector<TaskRow>& out) {
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return {};
    out.push_back(ReadTaskRow(rows));
  }
}

Result<std::vector<TaskRow>> Candidates(WriteContext& context, const std::vector<std::string>& types, int limit) {
  std::vector<TaskRow> out;
  if (types.empty()) {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, context.db.Query(kCandidates, limit));
    SEEDCORE_RETURN_IF_ERROR(ReadCandidates(std::move(rows), out));
    return out;
  }
  for (const std::string& type : types) {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, context.db.Query(kCandidatesOfType, limit, type));
    SEEDCORE_RETURN_IF_ERROR(ReadCandidates(std::move(rows), out));
  }
  std::ranges::sort(out, [](const TaskRow& a, const TaskRow& b) {
    return a.task.priority != b.task.priority ? a.task.priority > b.task.priority : a.seq < b.seq;
  });
  // A type named twice gives its tasks twice.
  const auto repeated = std::ranges::unique(out, {}, &TaskRow::seq);
  out.erase(repeated.begin(), repeated.end());
  if (out.size() > static_cast<std::size_t>(limit)) out.resize(static_cast<std::size_t>(limit));
  return out;
}

Result<void> ClaimOne(WriteContext& context, const ClaimRequest& request, TaskRow& row) {
  Task& task = row.task;
  const WallTime lease_end = context.now + request.lease;
  SEEDCORE_ASSIGN_OR_RETURN(const int changed,
                            context.db.Execute(kClaim, row.seq, context.now, request.owner_id, lease_end));
  if (changed != 1) return Fail(ErrorCode::kInternal, "a claimable task could not be claimed");
  context.notes.Moved(task.status, TaskStatus::kRunning);
  task.status = TaskStatus::kRunning;
  ++task.attempts;
  ++task.fencing_token;
  task.owner_id = request.owner_id;
  task.lease_expires_at = lease_end;
  task.started_at = task.updated_at = context.now;
  return AppendEvent(
      context, {row.seq, "claimed", TaskStatus::kRunning, task.attempts, task.fencing_token, request.owner_id, {}});
}

Result<std::vector<TaskRow>> ClaimRows(WriteContext& context, const ClaimRequest& request) {
  // Tasks past their deadline may lie before the others; each round removes those it meets, so a few rounds suffice.
  constexpr int kMaxRounds = 8;
  SEEDCORE_RETURN_IF_ERROR(PromoteDue(context, std::max(request.limit, 256)));
  std::vector<TaskRow> claimed;
  for (int round = 0; round < kMaxRounds; ++round) {
    const int wanted = request.limit - static_cast<int>(claimed.size());
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<TaskRow> candidates, Candidates(context, request.types, wanted));
    for (TaskRow& row : candidates) {
      if (row.task.deadline && *row.task.deadline <= context.now) {
        const TaskHead head{row.seq, row.task.id, row.task.status, row.task.attempts, row.task.fencing_token, {}};
        SEEDCORE_RETURN_IF_ERROR(FailTask(context, head, DeadlinePassed()));
        continue;
      }
      SEEDCORE_RETURN_IF_ERROR(ClaimOne(context, request, row));
      claimed.push_back(std::move(row));
    }
    const bool more = static_cast<int>(candidates.size()) == wanted;
    if (!more || static_cast<int>(claimed.size()) == request.limit) break;
  }
  return claimed;
}

Result<RenewResult> RenewOne(WriteContext& context, const Lease& lease, WallTime lease_end) {
  SEEDCORE_ASSIGN_OR_RETURN(const int changed, context.db.Execute(kRenew, lease.task_id, lease.owner_id,
                                                                  lease.fencing_token, lease_end, context.now));
  if (changed == 1) return RenewResult{.renewed = true};
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kWasCancelled, lease.task_id, lease.fencing_token));
  SEEDCORE_ASSIGN_OR_RETURN(const bool cancelled, row.Next());
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

}  // namespace

Result<std::vector<Claim>> SqliteTaskStore::ClaimTasks(const ClaimRequest& request) {
  if (request.limit < 1) return Fail(ErrorCode::kInvalidArgument, "a claim asks for at least one task", "limit");
  if (request.owner_id.empty()) return Fail(ErrorCode::kInvalidArgument, "a claim names its owner", "owner_id");
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<TaskRow> rows,
                            writer_.Run([&](WriteContext& context) { return ClaimRows(context, request); }));
  std::vector<Claim> claims;
  claims.reserve(rows.size());
  for (TaskRow& row : rows) {
    SEEDCORE_ASSIGN_OR_RETURN(Task task, ToTask(std::move(row)));
    claims.push_back({std::move(task)});
  }
  return claims;
}

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
    return static_cast<int>(late.size() + expired.size());
  });
}

}  // namespace seedcore::store::sqlite
