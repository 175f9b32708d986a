#include "store/sqlite/task_finish.h"

#include <algorithm>
#include <iterator>
#include <span>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/sqlite/knowledge_writes.h"
#include "store/sqlite/queue_store.h"
#include "store/sqlite/step_store.h"
#include "store/sqlite/task_effects.h"
#include "store/sqlite/task_store.h"
#include "store/sqlite/task_writes.h"

namespace seedcore::store::sqlite {
namespace {

// Every outcome is one guarded statement: ?1 seq, ?2 owner, ?3 token, ?4 now. No row changed means that the lease is
// lost. (RETURNING would save the look-up by id before it, but costs SQLite a temporary table each time.)
#define SEEDCORE_RELEASED "lease_expires_at = NULL, owner_id = NULL, updated_at = ?4"
#define SEEDCORE_UNDER_LEASE " WHERE seq = ?1 AND status = 'running' AND owner_id = ?2 AND fencing_token = ?3"

constexpr char kComplete[] =
    "UPDATE tasks SET status = 'completed', finished_at = ?4, error = NULL, error_code = NULL, " SEEDCORE_RELEASED
        SEEDCORE_UNDER_LEASE;
// ?5 error, ?6 error code
constexpr char kFail[] =
    "UPDATE tasks SET status = 'failed', dead_letter = 1, finished_at = ?4, error = ?5, error_code = "
    "?6, " SEEDCORE_RELEASED SEEDCORE_UNDER_LEASE;
// ?5 error, ?6 error code, ?7 run_after, ?8 whether it can be claimed at once
constexpr char kRetry[] =
    "UPDATE tasks SET status = 'retry', error = ?5, error_code = ?6, run_after = ?7, runnable = "
    "?8, " SEEDCORE_RELEASED SEEDCORE_UNDER_LEASE " AND attempts < max_attempts";
// ?5 reason
constexpr char kHold[] =
    "UPDATE tasks SET status = 'created', hold_reason = ?5, " SEEDCORE_RELEASED SEEDCORE_UNDER_LEASE;
constexpr char kHandBack[] =
    "UPDATE tasks SET status = 'queued', runnable = 1, attempts = attempts - 1, " SEEDCORE_RELEASED
        SEEDCORE_UNDER_LEASE;

// ?5 run_after, ?6 whether it can be claimed at once
constexpr char kSnooze[] =
    "UPDATE tasks SET status = 'queued', run_after = ?5, runnable = ?6, attempts = attempts - 1, " SEEDCORE_RELEASED
        SEEDCORE_UNDER_LEASE;
// ?1 seq. How often the task has been snoozed since it was queued, and when for the first time.
constexpr char kSnoozesSoFar[] =
    "SELECT count(*), min(at) FROM task_event WHERE task_seq = ?1 AND kind = 'snoozed' AND seq > coalesce((SELECT "
    "max(seq) FROM task_event WHERE task_seq = ?1 AND kind IN ('queued', 'resumed', 'redriven')), 0)";

constexpr char kFindById[] =
    "SELECT seq, id, status, attempts, fencing_token, owner_id, attempts >= max_attempts FROM tasks WHERE id = ?1";

PreparedFinish Prepare(const Finish& finish) {
  PreparedFinish prepared{.finish = &finish};
  if (const auto* completed = std::get_if<Completed>(&finish.outcome); completed && !completed->result.is_null()) {
    prepared.result = WriteJson(completed->result);
  } else if (const auto* failed = std::get_if<FailedForGood>(&finish.outcome); failed && !failed->result.is_null()) {
    prepared.result = WriteJson(failed->result);
  }
  if (!finish.steps.empty()) prepared.steps = PrepareStepWrites(finish.steps);
  return prepared;
}

/// The task an outcome is about, as it was before.
struct Target {
  TaskHead task;
  bool attempts_used_up = false;
};

Result<Target> FindTarget(WriteContext& context, const std::string& id) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kFindById, id));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  if (!found) return Fail(ErrorCode::kNotFound, fmt::format("there is no task {}", id));
  SEEDCORE_ASSIGN_OR_RETURN(TaskHead task, ReadTaskHead(row));
  return Target{std::move(task), row.Int(6) != 0};
}

/// What an accepted outcome made of the task.
struct Accepted {
  TaskStatus status = TaskStatus::kCompleted;
  std::string_view event_kind;
  bool runnable = false;  ///< now or later
};

/// Tries one outcome; nothing when the guard refused it.
struct ApplyOutcome {
  WriteContext& context;
  const Lease& lease;
  const Target& target;

  using Applied = Result<std::optional<Accepted>>;

  Applied operator()(const Completed&) const { return Try(kComplete, {TaskStatus::kCompleted, "completed"}); }
  Applied operator()(const FailedForGood& outcome) const { return FailForGood(outcome.error); }
  Applied operator()(const RetryLater& outcome) const {
    if (target.attempts_used_up) return FailForGood(outcome.error);
    const bool now = outcome.delay <= std::chrono::milliseconds(0);
    return Try(kRetry, {TaskStatus::kRetry, "retry", true}, outcome.error.message, ToString(outcome.error.code),
               context.now + outcome.delay, static_cast<int>(now ? Runnable::kNow : Runnable::kAtRunAfter));
  }
  Applied operator()(const Held& outcome) const { return Try(kHold, {TaskStatus::kCreated, "held"}, outcome.reason); }
  Applied operator()(const HandedBack&) const { return Try(kHandBack, {TaskStatus::kQueued, "handed_back", true}); }
  Applied operator()(const Snoozed& outcome) const {
    const WallTime run_after = context.now + outcome.delay;
    SEEDCORE_ASSIGN_OR_RETURN(const bool enough, SnoozedEnough(run_after));
    if (enough) return FailForGood(SnoozedTooLong(outcome));
    const bool now = run_after <= context.now;
    return Try(kSnooze, {TaskStatus::kQueued, "snoozed", true}, run_after,
               static_cast<int>(now ? Runnable::kNow : Runnable::kAtRunAfter));
  }

 private:
  Result<bool> SnoozedEnough(WallTime run_after) const {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, context.db.Query(kSnoozesSoFar, target.task.seq));
    SEEDCORE_RETURN_IF_ERROR(row.Next());
    const WallTime first = row.OptionalTime(1).value_or(context.now);
    return row.Int(0) >= kMaxSnoozes || run_after - first > kLongestSnooze;
  }
  Applied FailForGood(const Error& error) const {
    return Try(kFail, {TaskStatus::kFailed, "failed"}, error.message, ToString(error.code));
  }

  template <class... Extra>
  Applied Try(const char* sql, Accepted accepted, const Extra&... extra) const {
    SEEDCORE_ASSIGN_OR_RETURN(const int changed, context.db.Execute(sql, target.task.seq, lease.owner_id,
                                                                    lease.fencing_token, context.now, extra...));
    if (changed == 0) return std::nullopt;
    return accepted;
  }
};

std::string EventDetail(const Finish& finish, TaskStatus status) {
  if (const auto* retry = std::get_if<RetryLater>(&finish.outcome)) return retry->error.message;
  if (const auto* failed = std::get_if<FailedForGood>(&finish.outcome)) return failed->error.message;
  if (const auto* held = std::get_if<Held>(&finish.outcome)) return held->reason;
  if (const auto* snoozed = std::get_if<Snoozed>(&finish.outcome)) {
    return status == TaskStatus::kFailed ? SnoozedTooLong(*snoozed).message : snoozed->reason;
  }
  return {};
}

Result<Result<void>> Refuse(WriteContext& context, const Lease& lease, const TaskHead& task) {
  const std::string detail = fmt::format("a result under token {} was refused: the task is {} and its token is {}",
                                         lease.fencing_token, EnumToString(task.status), task.fencing_token);
  ++context.notes.lease_lost;
  SEEDCORE_RETURN_IF_ERROR(AppendEvent(
      context, {task.seq, "lease_lost", task.status, task.attempts, lease.fencing_token, lease.owner_id, detail}));
  return Result<void>(Fail(ErrorCode::kLeaseLost, detail));
}

}  // namespace

Result<Result<void>> FinishOne(WriteContext& context, const PreparedFinish& prepared) {
  const Finish& finish = *prepared.finish;
  const Lease& lease = finish.lease;
  const Result<Target> target = FindTarget(context, lease.task_id);
  if (!target) {
    if (target.error().code != ErrorCode::kNotFound) return std::unexpected(target.error());
    return Result<void>(std::unexpected(target.error()));
  }
  const TaskHead& task = target->task;
  if (!finish.steps.empty()) {
    // Refused as a whole: the rules look at all steps before anything is written.
    if (!prepared.steps) return Result<void>(std::unexpected(prepared.steps.error()));
    const bool ours = task.status == TaskStatus::kRunning && task.owner_id == lease.owner_id &&
                      task.fencing_token == lease.fencing_token;
    if (!ours) return Refuse(context, lease, task);
    if (auto written = WriteStepsOf(context, task, *prepared.steps, lease.fencing_token); !written) {
      const ErrorCode code = written.error().code;
      const bool refused =
          code == ErrorCode::kConflict || code == ErrorCode::kNotFound || code == ErrorCode::kResourceExhausted;
      if (refused) return Result<void>(std::unexpected(std::move(written.error())));
      return std::unexpected(std::move(written.error()));
    }
  }
  SEEDCORE_ASSIGN_OR_RETURN(const std::optional<Accepted> accepted,
                            std::visit(ApplyOutcome{context, lease, *target}, finish.outcome));
  if (!accepted) return Refuse(context, lease, task);

  const bool uncounted = accepted->status == TaskStatus::kQueued;
  const int attempts = task.attempts - (uncounted ? 1 : 0);
  context.notes.Moved(TaskStatus::kRunning, accepted->status);
  if (accepted->runnable) context.notes.made_runnable = true;
  SEEDCORE_RETURN_IF_ERROR(
      AppendEvent(context, {task.seq, accepted->event_kind, accepted->status, attempts, lease.fencing_token,
                            lease.owner_id, EventDetail(finish, accepted->status)}));
  if (!prepared.result.empty()) {
    SEEDCORE_RETURN_IF_ERROR(StoreResult(context, task.seq, prepared.result));
  }
  if (const auto* held = std::get_if<Held>(&finish.outcome); held != nullptr && held->for_step) {
    SEEDCORE_RETURN_IF_ERROR(AfterHold(context, task));
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

Result<void> WriteEffects(WriteContext& context, const std::string& task_id, const Effects& effects) {
  for (const NewFact& fact : effects.facts) {
    SEEDCORE_ASSIGN_OR_RETURN(const Fact added, InsertFact(context, fact));
    SEEDCORE_RETURN_IF_ERROR(LinkProducedFact(context, task_id, added.id));
  }
  for (const NewLedgerEntry& entry : effects.ledger) SEEDCORE_RETURN_IF_ERROR(InsertLedgerEntry(context, entry));
  for (const NewIncident& incident : effects.incidents) SEEDCORE_RETURN_IF_ERROR(InsertIncident(context, incident));
  return {};
}

Result<std::vector<Result<void>>> SqliteTaskStore::FinishTasks(std::span<const Finish> finishes) {
  std::vector<PreparedFinish> prepared;
  prepared.reserve(finishes.size());
  for (const Finish& finish : finishes) prepared.push_back(Prepare(finish));
  return writer_.Run([&](WriteContext& context) -> Result<std::vector<Result<void>>> {
    std::vector<Result<void>> out;
    out.reserve(prepared.size());
    for (std::span<const PreparedFinish> rest = prepared; !rest.empty();) {
      const std::span<const PreparedFinish> plain = PlainCompletions(rest);
      if (plain.size() > 1) {
        SEEDCORE_ASSIGN_OR_RETURN(std::vector<Result<void>> answers, CompleteAll(context, plain));
        std::ranges::move(answers, std::back_inserter(out));
      } else {
        SEEDCORE_ASSIGN_OR_RETURN(out.emplace_back(), FinishOne(context, rest.front()));
      }
      rest = rest.subspan(std::max<std::size_t>(plain.size(), 1));
    }
    SEEDCORE_RETURN_IF_ERROR(NoteRoom(context));
    return out;
  });
}

}  // namespace seedcore::store::sqlite
