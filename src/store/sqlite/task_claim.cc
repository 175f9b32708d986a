#include "store/sqlite/task_claim.h"

#include <algorithm>
#include <ranges>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "store/claim_rules.h"
#include "store/sqlite/queue_store.h"
#include "store/sqlite/task_store.h"
#include "store/sqlite/task_writes.h"
#include "store/turn.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kNextRunnableType[] = "SELECT type FROM tasks WHERE runnable = 1 AND type > ?1 ORDER BY type LIMIT 1";
constexpr char kCandidates[] =
    "SELECT " SEEDCORE_TASK_COLUMNS SEEDCORE_TASK_FROM "WHERE t.runnable = 1 ORDER BY t.turn, t.seq LIMIT ?1";
// A partial index that holds claimable tasks alone, in the order of claiming.
constexpr char kCandidatesOfType[] = "SELECT " SEEDCORE_TASK_COLUMNS SEEDCORE_TASK_FROM
                                     "WHERE t.runnable = 1 AND t.type = ?2 ORDER BY t.turn, t.seq LIMIT ?1";

// One statement for a whole claim: to begin one costs more than to change a row. ?1 numbers as JSON, ?2 now, ?3 owner,
// ?4 lease end. (+: found by its number, not by another index.)
constexpr char kClaim[] =
    "UPDATE tasks SET status = 'running', runnable = 0, attempts = attempts + 1, fencing_token = fencing_token + 1, "
    "owner_id = ?3, lease_expires_at = ?4, started_at = ?2, updated_at = ?2, cancel_requested = 0 "
    "WHERE seq IN (SELECT value FROM json_each(?1)) AND +runnable = 1";
constexpr char kClaimedEvents[] =
    "INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id) "
    "SELECT t.seq, ?2, 'claimed', t.status, t.attempts, t.fencing_token, ?3 "
    "FROM json_each(?1) j CROSS JOIN tasks t ON t.seq = j.value";

// ?1 type, ?2 how far the claim has come, ?3 how many it claimed
constexpr char kMoveClock[] =
    "INSERT INTO queue_clock (type, turn) VALUES (?1, ?2) "
    "ON CONFLICT (type) DO UPDATE SET turn = max(excluded.turn, turn + ?3)";

Result<std::vector<TaskRow>> Candidates(WriteContext& context, const std::vector<std::string>& types, int limit) {
  std::vector<TaskRow> out;
  if (types.empty()) {
    SEEDCORE_ASSIGN_OR_RETURN(Statement rows, context.db.Query(kCandidates, limit));
    SEEDCORE_RETURN_IF_ERROR(ReadCandidates(std::move(rows), out));
    return out;
  }
  for (const std::string& type : types) {
    SEEDCORE_RETURN_IF_ERROR(CandidatesOfType(context.db, type, limit, out));
  }
  std::ranges::sort(out, ClaimedBefore);
  // A type named twice gives its tasks twice.
  const auto repeated = std::ranges::unique(out, {}, &TaskRow::seq);
  out.erase(repeated.begin(), repeated.end());
  if (out.size() > static_cast<std::size_t>(limit)) out.resize(static_cast<std::size_t>(limit));
  return out;
}

Result<void> MoveClock(WriteContext& context, std::string_view type, std::int64_t reached, std::int64_t claimed) {
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kMoveClock, type, reached, claimed));
  return {};
}

Result<std::vector<TaskRow>> ClaimFreely(WriteContext& context, const ClaimRequest& request) {
  std::vector<TaskRow> claimed;
  for (int round = 0; round < kMaxClaimRounds; ++round) {
    const int wanted = request.limit - static_cast<int>(claimed.size());
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<TaskRow> candidates, Candidates(context, request.types, wanted));
    const bool more = static_cast<int>(candidates.size()) == wanted;
    const std::size_t before = claimed.size();
    for (TaskRow& row : candidates) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool late, FailIfLate(context, row));
      if (!late) claimed.push_back(std::move(row));
    }
    SEEDCORE_RETURN_IF_ERROR(ClaimAll(context, request, std::span(claimed).subspan(before)));
    if (!more || static_cast<int>(claimed.size()) == request.limit) break;
  }
  return claimed;
}

/// Claims of certain types leave the clock of all types alone: workers that are ahead with their own types must not
/// put new flows of other types behind what waits there.
Result<void> MoveClocks(WriteContext& context, const ClaimRequest& request, const std::vector<TaskRow>& claimed) {
  if (claimed.empty()) return {};
  std::int64_t reached = 0;
  for (const TaskRow& row : claimed) reached = std::max(reached, row.turn - PriorityDelay(row.task.priority));
  const auto count = static_cast<std::int64_t>(claimed.size());
  if (request.types.empty()) return MoveClock(context, "", reached, count);
  const std::set<std::string_view> types(request.types.begin(), request.types.end());
  for (const std::string_view type : types) {
    SEEDCORE_RETURN_IF_ERROR(MoveClock(context, type, reached, count));
  }
  return {};
}

Result<std::vector<TaskRow>> ClaimRows(WriteContext& context, ClaimRequest request) {
  SEEDCORE_ASSIGN_OR_RETURN(const int due, PromoteDue(context, std::max(request.limit, 256)));
  if (!request.except.empty()) {
    SEEDCORE_ASSIGN_OR_RETURN(std::set<std::string> others, RunnableTypes(context.db));
    for (const std::string& type : request.except) others.erase(type);
    request.types.assign(others.begin(), others.end());
    if (others.empty()) {
      context.notes.made_runnable = context.notes.made_runnable || due > 0;
      return std::vector<TaskRow>{};
    }
  }
  SEEDCORE_ASSIGN_OR_RETURN(const bool limited, HasLimitsOrPauses(context.db));
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<TaskRow> claimed,
                            limited ? ClaimUnderLimits(context, request) : ClaimFreely(context, request));
  if (due > 0 && MayLeaveDue(request, claimed.size())) context.notes.made_runnable = true;
  SEEDCORE_RETURN_IF_ERROR(MoveClocks(context, request, claimed));
  return claimed;
}

}  // namespace

Result<std::set<std::string>> RunnableTypes(Database& database) {
  constexpr std::size_t kMostTypes = 1000;
  std::set<std::string> types;
  std::string after;
  while (types.size() < kMostTypes) {
    SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.Query(kNextRunnableType, after));
    SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
    if (!found) break;
    after = row.Text(0);
    types.insert(after);
  }
  return types;
}

bool ClaimedBefore(const TaskRow& a, const TaskRow& b) { return std::pair(a.turn, a.seq) < std::pair(b.turn, b.seq); }

Result<void> ReadCandidates(Statement rows, std::vector<TaskRow>& out) {
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, rows.Next());
    if (!more) return {};
    out.push_back(ReadTaskRow(rows));
  }
}

Result<void> CandidatesOfType(Database& database, const std::string& type, int limit, std::vector<TaskRow>& out) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement rows, database.Query(kCandidatesOfType, limit, type));
  return ReadCandidates(std::move(rows), out);
}

Result<bool> FailIfLate(WriteContext& context, const TaskRow& row) {
  if (!row.task.deadline || *row.task.deadline > context.now) return false;
  const TaskHead head{row.seq, row.task.id, row.task.status, row.task.attempts, row.task.fencing_token, {}};
  SEEDCORE_RETURN_IF_ERROR(FailTask(context, head, DeadlinePassed()));
  return true;
}

Result<void> ClaimAll(WriteContext& context, const ClaimRequest& request, std::span<TaskRow> rows) {
  if (rows.empty()) return {};
  const std::string seqs = JsonOfSeqs(rows | std::views::transform(&TaskRow::seq));
  const WallTime lease_end = context.now + request.lease;
  SEEDCORE_ASSIGN_OR_RETURN(const int changed,
                            context.db.Execute(kClaim, seqs, context.now, request.owner_id, lease_end));
  if (std::cmp_not_equal(changed, rows.size())) {
    return Fail(ErrorCode::kInternal, "a claimable task could not be claimed");
  }
  for (TaskRow& row : rows) {
    Task& task = row.task;
    context.notes.Moved(task.status, TaskStatus::kRunning);
    task.status = TaskStatus::kRunning;
    ++task.attempts;
    ++task.fencing_token;
    task.owner_id = request.owner_id;
    task.lease_expires_at = lease_end;
    task.started_at = task.updated_at = context.now;
  }
  context.notes.appended_events = true;
  SEEDCORE_RETURN_IF_ERROR(context.db.Execute(kClaimedEvents, seqs, context.now, request.owner_id));
  return {};
}

Result<std::vector<Claim>> SqliteTaskStore::ClaimTasks(const ClaimRequest& request) {
  SEEDCORE_RETURN_IF_ERROR(CheckClaim(request));
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
