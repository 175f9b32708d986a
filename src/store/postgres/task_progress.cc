#include "base/uuid.h"
#include "store/postgres/task_store.h"

namespace seedcore::store::postgres {
namespace {

// $1 ids, $2 owners, $3 tokens, $4 texts, $5 now. The number of each that was accepted, and negative the number of each
// that a cancellation ended. The lock keeps a task from ending before its event is written. The CASE keeps the planner
// from looking elsewhere than at the ids, see schema/finish.cc.
constexpr char kReport[] =
    "WITH given AS MATERIALIZED (SELECT * FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[]) WITH "
    "ORDINALITY AS g (id, owner_id, token, detail, number) ORDER BY g.id), "
    "live AS MATERIALIZED (SELECT g.*, t.seq, t.attempts FROM given g JOIN tasks t ON t.id = g.id "
    "AND CASE WHEN t.status = 'running' THEN t.owner_id = g.owner_id AND t.fencing_token = g.token ELSE false END "
    "ORDER BY g.id FOR SHARE OF t), "
    "gone AS (DELETE FROM task_event e USING live l WHERE e.task_seq = l.seq AND e.kind = 'progress'), "
    "written AS (INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token, owner_id, detail) "
    "SELECT seq, $5::timestamptz, 'progress', 'running', attempts, token, owner_id, detail FROM live) "
    "SELECT number FROM live UNION ALL SELECT -g.number FROM given g JOIN tasks t ON t.id = g.id "
    "WHERE t.fencing_token = g.token AND t.cancel_requested";

constexpr char kProgress[] =
    "SELECT t.id, e.at, e.detail FROM unnest($1::uuid[]) AS g (id) JOIN tasks t ON t.id = g.id "
    "AND CASE WHEN t.status = 'running' THEN true ELSE false END "
    "JOIN task_event e ON e.task_seq = t.seq AND e.kind = 'progress' AND e.fencing_token = t.fencing_token";

}  // namespace

Result<std::vector<ProgressAnswer>> PostgresTaskStore::ReportProgress(std::span<const ProgressReport> reports) {
  Array ids(Oid::kUuid), owners(Oid::kText), tokens(Oid::kInt8), texts(Oid::kText);
  std::vector<std::size_t> places;  // of what is sent, among what is given
  for (std::size_t i = 0; i < reports.size(); ++i) {
    SEEDCORE_RETURN_IF_ERROR(CheckProgress(reports[i].progress));
    const Lease& lease = reports[i].lease;
    if (!IsUuid(lease.task_id)) continue;
    places.push_back(i);
    ids.Add(Uuid{lease.task_id});
    owners.Add(lease.owner_id);
    tokens.Add(lease.fencing_token);
    texts.Add(WriteProgress(reports[i].progress));
  }
  std::vector<ProgressAnswer> out(reports.size());
  if (places.empty()) return out;
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, database_.WriteOnce([&](WriteContext& context) {
    context.notes.appended_events = true;
    return context.db.Query(kReport, ids, owners, tokens, texts, context.now);
  }));
  for (int row = 0; row < rows.size(); ++row) {
    const std::int64_t number = rows.Int(row, 0);
    ProgressAnswer& answer = out[places[static_cast<std::size_t>(std::abs(number)) - 1]];
    (number > 0 ? answer.accepted : answer.cancel_requested) = true;
  }
  return out;
}

Result<std::map<std::string, StoredProgress>> PostgresTaskStore::ProgressOf(std::span<const std::string> ids) {
  std::map<std::string, StoredProgress> out;
  Array wanted(Oid::kUuid);
  bool any = false;
  for (const std::string& id : ids) {
    if (!IsUuid(id)) continue;
    wanted.Add(Uuid{id});
    any = true;
  }
  if (!any) return out;
  SEEDCORE_ASSIGN_OR_RETURN(
      const Rows rows, database_.Read([&](Connection& connection) { return connection.Query(kProgress, wanted); }));
  for (int row = 0; row < rows.size(); ++row) {
    StoredProgress& stored = out[rows.Id(row, 0)];
    stored.at = rows.Time(row, 1);
    SEEDCORE_ASSIGN_OR_RETURN(stored.progress, ReadProgress(rows.Text(row, 2)));
  }
  return out;
}

}  // namespace seedcore::store::postgres
