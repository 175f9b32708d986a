#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/sqlite/knowledge_writes.h"
#include "store/sqlite/task_store.h"
#include "store/sqlite/task_writes.h"

namespace seedcore::store::sqlite {
namespace {

// Every outcome is one guarded statement: ?1 id, ?2 owner, ?3 token, ?4 now. No row means that the lease is lost.
#define SEEDCORE_RELEASED "lease_expires_at = NULL, owner_id = NULL, updated_at = ?4"
#define SEEDCORE_UNDER_LEASE " WHERE id = ?1 AND status = 'running' AND owner_id = ?2 AND fencing_token = ?3 "
#define SEEDCORE_RETURNING "RETURNING seq, status, attempts, runnable"

constexpr char kComplete[] =
    "UPDATE tasks SET status = 'completed', finished_at = ?4, error = NULL, error_code = NULL, " SEEDCORE_RELEASED
        SEEDCORE_UNDER_LEASE SEEDCORE_RETURNING;
// ?5 error, ?6 error code
constexpr char kFail[] =
    "UPDATE tasks SET status = 'failed', dead_letter = 1, finished_at = ?4, error = ?5, error_code = "
    "?6, " SEEDCORE_RELEASED SEEDCORE_UNDER_LEASE SEEDCORE_RETURNING;
// ?5 error, ?6 error code, ?7 run_after
constexpr char kRetry[] =
    "UPDATE tasks SET error = ?5, error_code = ?6, status = CASE WHEN attempts >= max_attempts THEN 'failed' ELSE "
    "'retry' END, "
    "dead_letter = attempts >= max_attempts, finished_at = CASE WHEN attempts >= max_attempts THEN ?4 END, "
    "run_after = ?7, runnable = CASE WHEN attempts >= max_attempts THEN 0 WHEN ?7 > ?4 THEN 2 ELSE 1 "
    "END, " SEEDCORE_RELEASED SEEDCORE_UNDER_LEASE SEEDCORE_RETURNING;
// ?5 reason
constexpr char kHold[] =
    "UPDATE tasks SET status = 'created', hold_reason = ?5, " SEEDCORE_RELEASED SEEDCORE_UNDER_LEASE SEEDCORE_RETURNING;
constexpr char kHandBack[] =
    "UPDATE tasks SET status = 'queued', runnable = 1, attempts = attempts - 1, " SEEDCORE_RELEASED SEEDCORE_UNDER_LEASE
        SEEDCORE_RETURNING;

constexpr char kStoreResult[] = "INSERT OR REPLACE INTO task_result (seq, result) VALUES (?1, ?2)";
constexpr char kFindById[] = "SELECT seq, id, status, attempts, fencing_token, owner_id FROM tasks WHERE id = ?1";

/// An outcome with its result already written as JSON, on the caller's thread.
struct Prepared {
  const Finish* finish = nullptr;
  std::string result;  ///< empty: none
};

Prepared Prepare(const Finish& finish) {
  Prepared prepared{.finish = &finish};
  if (const auto* completed = std::get_if<Completed>(&finish.outcome)) {
    prepared.result = WriteJson(completed->result);
  } else if (const auto* failed = std::get_if<FailedForGood>(&finish.outcome); failed && !failed->result.is_null()) {
    prepared.result = WriteJson(failed->result);
  }
  return prepared;
}

/// The task after an accepted outcome.
struct Accepted {
  std::int64_t seq = 0;
  TaskStatus status = TaskStatus::kCompleted;
  int attempts = 0;
  bool runnable = false;
};

/// Nothing when the guard refused it.
template <class... Extra>
Result<std::optional<Accepted>> Apply(WriteContext& context, const char* sql, const Lease& lease,
                                      const Extra&... extra) {
  SEEDCORE_ASSIGN_OR_RETURN(
      Statement row, context.db.Query(sql, lease.task_id, lease.owner_id, lease.fencing_token, context.now, extra...));
  SEEDCORE_ASSIGN_OR_RETURN(const bool accepted, row.Next());
  if (!accepted) return std::nullopt;
  bool damaged = false;
  return Accepted{.seq = row.Int(0),
                  .status = StatusFromName(row.Text(1), damaged),
                  .attempts = static_cast<int>(row.Int(2)),
                  .runnable = row.Int(3) != 0};
}

struct ApplyOutcome {
  WriteContext& context;
  const Lease& lease;

  Result<std::optional<Accepted>> operator()(const Completed&) const { return Apply(context, kComplete, lease); }
  Result<std::optional<Accepted>> operator()(const FailedForGood& outcome) const {
    return Apply(context, kFail, lease, outcome.error.message, ToString(outcome.error.code));
  }
  Result<std::optional<Accepted>> operator()(const RetryLater& outcome) const {
    return Apply(context, kRetry, lease, outcome.error.message, ToString(outcome.error.code),
                 context.now + outcome.delay);
  }
  Result<std::optional<Accepted>> operator()(const Held& outcome) const {
    return Apply(context, kHold, lease, outcome.reason);
  }
  Result<std::optional<Accepted>> operator()(const HandedBack&) const { return Apply(context, kHandBack, lease); }
};

std::string_view EventKind(const Finish& finish, TaskStatus status) {
  if (std::holds_alternative<Held>(finish.outcome)) return "held";
  if (std::holds_alternative<HandedBack>(finish.outcome)) return "handed_back";
  return EnumToString(status);
}

std::string_view EventDetail(const Finish& finish) {
  if (const auto* retry = std::get_if<RetryLater>(&finish.outcome)) return retry->error.message;
  if (const auto* failed = std::get_if<FailedForGood>(&finish.outcome)) return failed->error.message;
  if (const auto* held = std::get_if<Held>(&finish.outcome)) return held->reason;
  return {};
}

Result<Result<void>> Refuse(WriteContext& context, const Lease& lease) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kFindById, lease.task_id));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  if (!found) return Fail(ErrorCode::kNotFound, fmt::format("there is no task {}", lease.task_id));
  SEEDCORE_ASSIGN_OR_RETURN(const TaskHead task, ReadTaskHead(row));
  const std::string detail = fmt::format("a result under token {} was refused: the task is {} and its token is {}",
                                         lease.fencing_token, EnumToString(task.status), task.fencing_token);
  ++context.notes.lease_lost;
  SEEDCORE_RETURN_IF_ERROR(AppendEvent(
      context, {task.seq, "lease_lost", task.status, task.attempts, lease.fencing_token, lease.owner_id, detail}));
  return Result<void>(Fail(ErrorCode::kLeaseLost, detail));
}

Result<void> WriteEffects(WriteContext& context, const std::string& task_id, const Effects& effects) {
  for (const NewFact& fact : effects.facts) {
    SEEDCORE_ASSIGN_OR_RETURN(const Fact added, InsertFact(context, fact));
    SEEDCORE_RETURN_IF_ERROR(LinkProducedFact(context, task_id, added.id));
  }
  for (const NewLedgerEntry& entry : effects.ledger) SEEDCORE_RETURN_IF_ERROR(InsertLedgerEntry(context, entry));
  for (const NewIncident& incident : effects.incidents) SEEDCORE_RETURN_IF_ERROR(InsertIncident(context, incident));
  return {};
}

/// The outer Result is of the transaction, the inner one is the answer to this element.
Result<Result<void>> FinishOne(WriteContext& context, const Prepared& prepared) {
  const Finish& finish = *prepared.finish;
  const Lease& lease = finish.lease;
  SEEDCORE_ASSIGN_OR_RETURN(const std::optional<Accepted> accepted,
                            std::visit(ApplyOutcome{context, lease}, finish.outcome));
  if (!accepted) return Refuse(context, lease);

  context.notes.Moved(TaskStatus::kRunning, accepted->status);
  if (accepted->runnable) context.notes.made_runnable = true;
  SEEDCORE_RETURN_IF_ERROR(
      AppendEvent(context, {accepted->seq, EventKind(finish, accepted->status), accepted->status, accepted->attempts,
                            lease.fencing_token, lease.owner_id, EventDetail(finish)}));
  if (!prepared.result.empty()) {
    SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kStoreResult, accepted->seq, prepared.result));
  }
  if (!IsTerminal(accepted->status)) return Result<void>();
  SEEDCORE_RETURN_IF_ERROR(WriteEffects(context, lease.task_id, finish.effects));
  if (accepted->status == TaskStatus::kCompleted) {
    SEEDCORE_RETURN_IF_ERROR(ReleaseDependants(context, lease.task_id));
  } else {
    SEEDCORE_RETURN_IF_ERROR(FailDependants(context, lease.task_id, accepted->status));
  }
  return Result<void>();
}

}  // namespace

Result<std::vector<Result<void>>> SqliteTaskStore::FinishTasks(std::span<const Finish> finishes) {
  std::vector<Prepared> prepared;
  prepared.reserve(finishes.size());
  for (const Finish& finish : finishes) prepared.push_back(Prepare(finish));
  return writer_.Run([&](WriteContext& context) -> Result<std::vector<Result<void>>> {
    std::vector<Result<void>> out;
    out.reserve(prepared.size());
    for (const Prepared& finish : prepared) {
      SEEDCORE_ASSIGN_OR_RETURN(out.emplace_back(), FinishOne(context, finish));
    }
    return out;
  });
}

}  // namespace seedcore::store::sqlite
