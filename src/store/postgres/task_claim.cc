#include "store/postgres/task_claim.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <tuple>
#include <unordered_set>
#include <utility>

#include "store/claim_rules.h"
#include "store/postgres/task_history.h"
#include "store/postgres/task_row.h"
#include "store/postgres/task_store.h"

namespace seedcore::store::postgres {

// Nobody changes a locked row, so it is found where it was. It stands in no place yet that has to follow.
const char kBeginChosen[] =
    "UPDATE tasks t SET status = 'running', runnable = 0, attempts = t.attempts + 1, fencing_token = t.fencing_token + "
    "1, owner_id = $2, lease_expires_at = $3, started_at = $1, updated_at = $1, cancel_requested = false, "
    "claim_event = CASE WHEN t.fencing_token = 0 AND t.attempts = 0 THEN "
    "(SELECT nullif(current_setting('seedcore.claim_event', true), '')::bigint) ELSE t.claim_event END "
    "FROM task_payload p WHERE p.seq = t.seq AND t.ctid = ANY (current_setting('seedcore.claim_tids')::tid[]) "
    "RETURNING " SEEDCORE_PG_TASK_COLUMNS ", NULL::json, t.turn";

namespace {

// $1 now, $2 the most tasks that are late or due, $3 error, $4 error code, $5 a number for the types asked for, NULL:
// to begin at the first task, $6 limit of the claim, $7 the types, NULL: all, $8 owner, $9 lease end, $10
// LockOfAnnounced of the commit to wait for
constexpr char kChoose[] =
    "SELECT changed, limited, place, awaited FROM seedcore_choose($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
// $7: the types to leave. The others are those that stand in line, and those that come due now; where there are none
// it is a type of which there is no task, for the sake of what is late.
constexpr char kChooseOthers[] =
    "SELECT changed, limited, place, awaited FROM seedcore_choose($1, $2, $3, $4, $5, $6, coalesce(nullif(ARRAY("
    "SELECT type FROM (SELECT type FROM (" SEEDCORE_PG_RUNNABLE_TYPES
    ") standing UNION SELECT type FROM "
    "(SELECT type FROM tasks WHERE waits_as = 2 AND run_after <= $1 ORDER BY run_after LIMIT $2::integer) due) present "
    "WHERE type <> ALL ($7)), '{}'), '{\"\"}'), $8, $9)";
// $1 LockOfAnnounced. Whoever chooses others knows the types of what that commit brings only after it.
constexpr char kAwait[] = "SELECT seedcore_await_announced($1)";

Array Distinct(const std::vector<std::string>& named) {
  const std::unordered_set<std::string> distinct(named.begin(), named.end());
  Array types(Oid::kText);
  for (const std::string& type : distinct) types.Add(type);
  return types;
}

struct Claimed {
  std::vector<TaskRow> rows;
  bool limited = false;     ///< limits or pauses are in force: nothing has been claimed yet
  bool from_first = false;  ///< nobody else was before this claim
  bool awaited = false;     ///< it has waited for an announced commit
};

/// `most_due`, `types`, `announced`: see kChoose.
Result<Claimed> Choose(WriteContext& context, const ClaimRequest& request, int most_due,
                       std::optional<std::int32_t> types, std::optional<std::int32_t> announced) {
  const WallTime lease_end = context.now + request.lease;
  const std::string_view code = ToString(ErrorCode::kDeadlineExceeded);
  std::vector<Call> calls;
  if (request.except.empty()) {
    std::optional<Array> wanted;
    if (!request.types.empty()) wanted = Distinct(request.types);
    calls.push_back({kChoose, MakeParams(context.now, most_due, kDeadlinePassed, code, types, request.limit, wanted,
                                         request.owner_id, lease_end, announced)});
  } else {
    if (announced) calls.push_back({kAwait, MakeParams(*announced)});
    calls.push_back({kChooseOthers, MakeParams(context.now, most_due, kDeadlinePassed, code, types, request.limit,
                                               Distinct(request.except), request.owner_id, lease_end)});
  }
  calls.push_back({kBeginChosen, MakeParams(context.now, request.owner_id, lease_end)});
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Rows> answers, context.db.Pipeline(calls));
  const Rows& chosen = answers[answers.size() - 2];
  Claimed out{.rows = ReadChosen(answers.back()),
              .limited = chosen.Bool(0, 1),
              .from_first = chosen.Int(0, 2) == 0,
              .awaited = chosen.Bool(0, 3) || (answers.size() > 2 && answers.front().Bool(0, 0))};
  const bool changed = chosen.Bool(0, 0);
  context.notes.appended_events = !out.rows.empty() || changed;
  context.notes.runnable.due = changed && MayLeaveDue(request, out.rows.size());
  return out;
}

/// Whoever began behind others and found too little looks at what they have left.
Result<Claimed> ClaimFreely(Database& database, const ClaimRequest& request, std::uint64_t types,
                            std::uint32_t announced) {
  using Number = std::optional<std::int32_t>;
  constexpr int kLeastDue = 256;
  const auto claim = [&](const ClaimRequest& wanted, Number key, Number lock) {
    const int most_due = std::max(wanted.limit, kLeastDue);
    return database.WriteOnce([&](WriteContext& context) { return Choose(context, wanted, most_due, key, lock); });
  };
  constexpr int kHalf = 32;
  SEEDCORE_ASSIGN_OR_RETURN(
      Claimed claimed, claim(request, static_cast<std::int32_t>(types ^ (types >> kHalf)), LockOfAnnounced(announced)));
  const int missing = request.limit - static_cast<int>(claimed.rows.size());
  if (claimed.from_first || claimed.limited || missing == 0) return claimed;
  ClaimRequest rest = request;
  rest.limit = missing;
  auto more = claim(rest, std::nullopt, std::nullopt);
  if (!more && claimed.rows.empty()) return more;
  if (!more) return claimed;  // what has been claimed is the caller's
  std::ranges::move(more->rows, std::back_inserter(claimed.rows));
  claimed.limited = more->limited;
  return claimed;
}

/// At most kMostInBatch of them.
Result<std::vector<TaskRow>> ClaimSome(Database& database, const ClaimRequest& request) {
  Notifier& notifier = database.notifier();
  const std::uint64_t types = KeyOfTypes(request);
  const WakeUps::Heard heard = notifier.wake_ups().BeginClaim(types);
  SEEDCORE_ASSIGN_OR_RETURN(Claimed claimed, ClaimFreely(database, request, types, heard.announced));
  // What limits hold back can be claimed a moment later: nobody is told that nothing is left.
  if (!claimed.limited) {
    const auto drained = notifier.wake_ups().EndClaim(
        heard, types,
        {.claimed = claimed.rows.size(), .limit = static_cast<std::size_t>(request.limit), .awaited = claimed.awaited});
    if (drained) notifier.Tell(*drained);
  }
  if (!claimed.limited || !claimed.rows.empty()) return std::move(claimed.rows);
  return database.Write([&](WriteContext& context) { return ClaimUnderLimits(context, request); });
}

}  // namespace

std::vector<TaskRow> ReadChosen(const Rows& rows) {
  const int turn = rows.columns() - 1;
  std::vector<std::tuple<std::int64_t, std::int64_t, int>> order;  // turn, seq, row
  for (int row = 0; row < rows.size(); ++row) order.emplace_back(rows.Int(row, turn), rows.Int(row, 0), row);
  std::ranges::sort(order);
  std::vector<TaskRow> out;
  out.reserve(order.size());
  for (const auto& [at, seq, row] : order) out.push_back(ReadTaskRow(rows, row));
  return out;
}

Result<std::vector<TaskRow>> ClaimOwn(WriteContext& context, const ClaimRequest& request) {
  SEEDCORE_ASSIGN_OR_RETURN(Claimed claimed, Choose(context, request, 0, std::nullopt, std::nullopt));
  return std::move(claimed.rows);
}

Result<std::vector<Claim>> PostgresTaskStore::ClaimTasks(const ClaimRequest& request) {
  SEEDCORE_RETURN_IF_ERROR(CheckClaim(request));
  std::vector<Claim> claims;
  ClaimRequest some = request;
  do {
    some.limit = std::min(request.limit - static_cast<int>(claims.size()), kMostInBatch);
    auto rows = ClaimSome(database_, some);
    if (!rows && claims.empty()) return std::unexpected(std::move(rows.error()));
    if (!rows) break;  // what has been claimed is the caller's
    for (TaskRow& row : *rows) {
      SEEDCORE_ASSIGN_OR_RETURN(Task task, ToTask(std::move(row)));
      claims.push_back({std::move(task)});
    }
    if (std::cmp_less(rows->size(), some.limit)) break;
  } while (std::cmp_less(claims.size(), request.limit));
  return claims;
}

}  // namespace seedcore::store::postgres
