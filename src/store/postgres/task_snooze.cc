#include "store/postgres/task_snooze.h"

#include <algorithm>

namespace seedcore::store::postgres {
namespace {

// $1 ids, $2 run_after, $3 most snoozes, $4 longest in all, in ms. The numbers of those that have been put off often or
// long enough since they were queued.
constexpr char kEnough[] =
    "SELECT g.number FROM unnest($1::uuid[], $2::timestamptz[]) WITH ORDINALITY AS g (id, run_after, number) "
    "JOIN tasks t ON t.id = g.id CROSS JOIN LATERAL (SELECT count(*) AS n, min(e.at) AS first FROM task_event e "
    "WHERE e.task_seq = t.seq AND e.kind = 'snoozed' AND e.seq > coalesce((SELECT max(q.seq) FROM task_event q WHERE "
    "q.task_seq = t.seq AND q.kind IN ('queued', 'resumed', 'redriven')), 0)) s "
    "WHERE s.n >= $3 OR g.run_after - s.first > $4::bigint * interval '1 millisecond'";

// $1 now, $2 ids, $3 owners, $4 tokens, $5 run_after, $6 reasons. The numbers of those that were put off. Means the
// same as handing back, with a time. The CASE keeps the planner from looking elsewhere than at the ids, see
// schema/finish.cc.
constexpr char kSnooze[] =
    "WITH given AS MATERIALIZED (SELECT * FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::timestamptz[], "
    "$6::text[]) WITH ORDINALITY AS g (id, owner_id, token, run_after, reason, number) ORDER BY g.id), "
    "done AS (UPDATE tasks t SET status = 'queued', runnable = CASE WHEN g.run_after > $1 THEN 2 ELSE 1 END, "
    "run_after = g.run_after, attempts = t.attempts - 1, lease_expires_at = NULL, owner_id = NULL, updated_at = $1 "
    "FROM given g WHERE t.id = g.id "
    "AND CASE WHEN t.status = 'running' THEN t.owner_id = g.owner_id AND t.fencing_token = g.token ELSE false END "
    "RETURNING g.number, t.seq, t.attempts, g.token, g.owner_id, g.reason), "
    "events AS (INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id, detail) "
    "SELECT seq, $1::timestamptz, 'snoozed', 'queued', attempts, token, owner_id, nullif(reason, '') FROM done) "
    "SELECT number FROM done";

WallTime RunAfter(const WriteContext& context, const Finish& finish) {
  return context.now + std::max(std::get<Snoozed>(finish.outcome).delay, std::chrono::milliseconds(0));
}

}  // namespace

Result<std::vector<SnoozeAnswer>> SnoozeTasks(WriteContext& context, std::span<const Finish* const> finishes) {
  std::vector<SnoozeAnswer> answers(finishes.size(), SnoozeAnswer::kRefused);
  Array all(Oid::kUuid), until(Oid::kTimestamptz);
  for (const Finish* finish : finishes) {
    all.Add(Uuid{finish->lease.task_id});
    until.Add(RunAfter(context, *finish));
  }
  SEEDCORE_ASSIGN_OR_RETURN(const Rows enough,
                            context.db.Query(kEnough, all, until, std::int64_t{kMaxSnoozes},
                                             std::int64_t{std::chrono::milliseconds(kLongestSnooze).count()}));
  for (int row = 0; row < enough.size(); ++row) {
    answers[static_cast<std::size_t>(enough.Int(row, 0)) - 1] = SnoozeAnswer::kEnough;
  }
  std::vector<std::size_t> places;
  Array ids(Oid::kUuid), owners(Oid::kText), tokens(Oid::kInt8), run_after(Oid::kTimestamptz), reasons(Oid::kText);
  for (std::size_t i = 0; i < finishes.size(); ++i) {
    if (answers[i] == SnoozeAnswer::kEnough) continue;
    const Finish& finish = *finishes[i];
    places.push_back(i);
    ids.Add(Uuid{finish.lease.task_id});
    owners.Add(finish.lease.owner_id);
    tokens.Add(finish.lease.fencing_token);
    run_after.Add(RunAfter(context, finish));
    reasons.Add(std::get<Snoozed>(finish.outcome).reason);
  }
  if (places.empty()) return answers;
  SEEDCORE_ASSIGN_OR_RETURN(const Rows done,
                            context.db.Query(kSnooze, context.now, ids, owners, tokens, run_after, reasons));
  for (int row = 0; row < done.size(); ++row) {
    answers[places[static_cast<std::size_t>(done.Int(row, 0)) - 1]] = SnoozeAnswer::kSnoozed;
  }
  for (int row = 0; row < done.size(); ++row) {
    const Finish& finish = *finishes[places[static_cast<std::size_t>(done.Int(row, 0)) - 1]];
    if (RunAfter(context, finish) > context.now) {
      context.notes.runnable.later = true;
      context.notes.runnable.ended.push_back(finish.lease.task_id);
    } else {
      ++context.notes.runnable.tasks;
    }
    context.notes.appended_events = true;
  }
  return answers;
}

}  // namespace seedcore::store::postgres
