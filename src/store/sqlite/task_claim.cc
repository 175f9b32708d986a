#include <algorithm>
#include <limits>
#include <optional>
#include <set>

#include "base/json_binding.h"
#include "store/sqlite/queue_store.h"
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

constexpr char kNextRunnableType[] = "SELECT type FROM tasks WHERE runnable = 1 AND type > ?1 ORDER BY type LIMIT 1";
// The index holds running tasks alone; the one by type would count through all that have ended.
constexpr char kRunningOfType[] =
    "SELECT count(*) FROM tasks INDEXED BY idx_tasks_lease_expires_at WHERE status = 'running' AND type = ?1";
constexpr char kPark[] = "UPDATE tasks SET runnable = 4 WHERE seq = ?1";
// ?1 scope, ?2 name, ?3 tokens, ?4 at
constexpr char kStoreTokens[] = "UPDATE queue_limit SET tokens = ?3, tokens_at = ?4 WHERE scope = ?1 AND name = ?2";

bool ClaimedBefore(const TaskRow& a, const TaskRow& b) {
  return a.task.priority != b.task.priority ? a.task.priority > b.task.priority : a.seq < b.seq;
}

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
  std::ranges::sort(out, ClaimedBefore);
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

/// Whether the task is past its deadline; then it has been failed.
Result<bool> FailIfLate(WriteContext& context, const TaskRow& row) {
  if (!row.task.deadline || *row.task.deadline > context.now) return false;
  const TaskHead head{row.seq, row.task.id, row.task.status, row.task.attempts, row.task.fencing_token, {}};
  SEEDCORE_RETURN_IF_ERROR(FailTask(context, head, DeadlinePassed()));
  return true;
}

// Tasks past their deadline may lie before the others, or such that have to be parked; each round removes those it
// meets, so a few rounds suffice.
constexpr int kMaxRounds = 8;

Result<std::vector<TaskRow>> ClaimFreely(WriteContext& context, const ClaimRequest& request) {
  std::vector<TaskRow> claimed;
  for (int round = 0; round < kMaxRounds; ++round) {
    const int wanted = request.limit - static_cast<int>(claimed.size());
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<TaskRow> candidates, Candidates(context, request.types, wanted));
    for (TaskRow& row : candidates) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool late, FailIfLate(context, row));
      if (late) continue;
      SEEDCORE_RETURN_IF_ERROR(ClaimOne(context, request, row));
      claimed.push_back(std::move(row));
    }
    const bool more = static_cast<int>(candidates.size()) == wanted;
    if (!more || static_cast<int>(claimed.size()) == request.limit) break;
  }
  return claimed;
}

/// A claim while limits or pauses are in force. Types are looked at one by one, so that neither a paused type nor one
/// without room is in the way of the others; tasks whose key has no room are parked.
class LimitedClaim {
 public:
  LimitedClaim(WriteContext& context, const ClaimRequest& request) : context_(context), request_(request) {}

  Result<std::vector<TaskRow>> Run() {
    SEEDCORE_RETURN_IF_ERROR(Prepare());
    bool more = true;
    for (int round = 0; more && round < kMaxRounds; ++round) {
      SEEDCORE_ASSIGN_OR_RETURN(more, Round(round == 0 ? Wanted() : std::max(Wanted(), kBatchAfterParking)));
    }
    // There is more to park or to claim: somebody shall look again at once.
    if (more) context_.notes.made_runnable = true;
    for (const LimitState* state : admission_->Changed()) {
      SEEDCORE_RETURN_IF_ERROR(context_.db.Execute(kStoreTokens, EnumToString(state->limit.scope), state->limit.name,
                                                   state->tokens, state->tokens_at));
    }
    return std::move(claimed_);
  }

 private:
  static constexpr int kBatchAfterParking = 256;

  [[nodiscard]] int Wanted() const { return request_.limit - static_cast<int>(claimed_.size()); }

  Result<void> Prepare() {
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<LimitState> limits, ReadLimits(context_.db));
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<QueuePause> pauses, ReadPauses(context_.db));
    std::set<std::string> paused;
    for (const QueuePause& pause : pauses) paused.insert(pause.type);
    admission_.emplace(std::move(limits), std::move(paused), context_.now);
    // What a rate holds back is let out by time; there is no event that would.
    for (const LimitState& state : admission_->limits()) {
      if (state.limit.scope != LimitScope::kKey || !state.limit.rate) continue;
      SEEDCORE_ASSIGN_OR_RETURN(const int room, RoomOfKey(state.limit.name));
      SEEDCORE_RETURN_IF_ERROR(UnparkKey(context_, state.limit.name, std::min(room, kBatchAfterParking)));
    }
    types_ = std::set<std::string>(request_.types.begin(), request_.types.end());
    if (types_.empty()) {
      SEEDCORE_ASSIGN_OR_RETURN(types_, RunnableTypes());
    }
    std::erase_if(types_, [&](const std::string& type) { return admission_->IsPaused(type); });
    for (const std::string& type : types_) {
      if (!admission_->NeedsRunning(LimitScope::kType, type)) continue;
      SEEDCORE_ASSIGN_OR_RETURN(Statement row, context_.db.Query(kRunningOfType, type));
      SEEDCORE_RETURN_IF_ERROR(row.Next());
      admission_->SetRunning(LimitScope::kType, type, row.Int(0));
    }
    return {};
  }

  Result<std::set<std::string>> RunnableTypes() {
    constexpr std::size_t kMostTypes = 1000;
    std::set<std::string> types;
    std::string after;
    while (types.size() < kMostTypes) {
      SEEDCORE_ASSIGN_OR_RETURN(Statement row, context_.db.Query(kNextRunnableType, after));
      SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
      if (!found) break;
      after = row.Text(0);
      types.insert(after);
    }
    return types;
  }

  Result<int> RoomOfKey(const std::string& key) {
    if (admission_->NeedsRunning(LimitScope::kKey, key)) {
      SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t running, RunningOfKey(context_.db, key));
      admission_->SetRunning(LimitScope::kKey, key, running);
    }
    return admission_->RoomFor(LimitScope::kKey, key, std::numeric_limits<int>::max());
  }

  /// Returns whether there may be more.
  Result<bool> Round(int batch) {
    std::vector<TaskRow> candidates;
    bool more = false;
    for (const std::string& type : types_) {
      const int room = std::min(admission_->RoomFor(LimitScope::kType, type, Wanted()), Wanted());
      if (room == 0) continue;
      const std::size_t before = candidates.size();
      SEEDCORE_ASSIGN_OR_RETURN(Statement rows, context_.db.Query(kCandidatesOfType, batch, type));
      SEEDCORE_RETURN_IF_ERROR(ReadCandidates(std::move(rows), candidates));
      if (candidates.size() - before == static_cast<std::size_t>(batch)) more = true;
    }
    std::ranges::sort(candidates, ClaimedBefore);
    for (TaskRow& row : candidates) {
      if (Wanted() == 0) return false;
      SEEDCORE_RETURN_IF_ERROR(Consider(row));
    }
    return more && Wanted() > 0;
  }

  Result<void> Consider(TaskRow& row) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool late, FailIfLate(context_, row));
    if (late || admission_->RoomFor(LimitScope::kType, row.task.type, 1) == 0) return {};
    const std::string key = row.task.concurrency_key;
    if (!key.empty()) {
      SEEDCORE_ASSIGN_OR_RETURN(const int room, RoomOfKey(key));
      if (room == 0) {
        SEEDCORE_RETURN_IF_ERROR(context_.db.Execute(kPark, row.seq));
        return {};
      }
    }
    SEEDCORE_RETURN_IF_ERROR(ClaimOne(context_, request_, row));
    admission_->Begin(row.task.type, key);
    claimed_.push_back(std::move(row));
    return {};
  }

  WriteContext& context_;
  const ClaimRequest& request_;
  std::optional<Admission> admission_;
  std::set<std::string> types_;
  std::vector<TaskRow> claimed_;
};

Result<std::vector<TaskRow>> ClaimRows(WriteContext& context, const ClaimRequest& request) {
  SEEDCORE_RETURN_IF_ERROR(PromoteDue(context, std::max(request.limit, 256)));
  SEEDCORE_ASSIGN_OR_RETURN(const bool limited, HasLimitsOrPauses(context.db));
  return limited ? LimitedClaim(context, request).Run() : ClaimFreely(context, request);
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

}  // namespace seedcore::store::sqlite
