#include "store/check.h"

#include <array>
#include <span>
#include <utility>

#include <fmt/format.h>

#include "store/check_rules.h"

namespace seedcore::store {
namespace {

#define SEEDCORE_TERMINAL "('completed', 'failed', 'cancelled')"

constexpr std::array kRules = {
    Rule{"a running task has an owner, a lease, a token and an attempt",
         SEEDCORE_TASK "WHERE t.status = 'running' AND (t.owner_id IS NULL OR t.lease_expires_at IS NULL OR "
                       "t.fencing_token < 1 OR t.started_at IS NULL)"},
    Rule{"only a running task has a lease",
         SEEDCORE_TASK "WHERE t.status <> 'running' AND t.lease_expires_at IS NOT NULL"},
    Rule{"a task has finished_at exactly when it has ended",
         SEEDCORE_TASK "WHERE (t.status IN " SEEDCORE_TERMINAL ") <> (t.finished_at IS NOT NULL)"},
    Rule{"only a failed task is a dead letter", SEEDCORE_TASK "WHERE t.dead_letter AND t.status <> 'failed'"},
    Rule{"a queued or retried task can become runnable, and no other can",
         SEEDCORE_TASK "WHERE (t.runnable <> 0) <> (t.status IN ('queued', 'retry'))"},
    Rule{"a task that waits for its time has one", SEEDCORE_TASK "WHERE t.runnable = 2 AND t.run_after IS NULL"},
    Rule{"a task waits for its dependencies exactly while one is not completed",
         SEEDCORE_TASK "WHERE t.runnable <> 0 AND (t.runnable = 3) <> (t.blockers > 0)"},
    Rule{"the count of a task's dependencies is right", SEEDCORE_TASK
         "WHERE t.finished_at IS NULL AND t.blockers <> (SELECT count(*) FROM task_depends_on_task d JOIN "
         "tasks o ON o.id = d.dst_task_id WHERE d.src_task_id = t.id AND o.status <> 'completed')"},
    Rule{"every task has its payload", SEEDCORE_TASK "LEFT JOIN task_payload p ON p.seq = t.seq WHERE p.seq IS NULL"},
    Rule{"every payload belongs to a task",
         "SELECT CAST(p.seq AS TEXT) AS id FROM task_payload p LEFT JOIN tasks t ON t.seq = p.seq WHERE t.seq IS NULL"},
    Rule{"every result belongs to a task",
         "SELECT CAST(r.seq AS TEXT) AS id FROM task_result r LEFT JOIN tasks t ON t.seq = r.seq WHERE t.seq IS NULL"},
    Rule{
        "every step belongs to a task",
        "SELECT CAST(s.task_seq AS TEXT) AS id FROM task_step s LEFT JOIN tasks t ON t.seq = s.task_seq WHERE t.seq IS "
        "NULL"},
    Rule{
        "a step has finished_at exactly when it has ended",
        "SELECT CAST(s.task_seq AS TEXT) AS id FROM task_step s WHERE (s.status IN ('completed', 'failed', 'skipped')) "
        "<> (s.finished_at IS NOT NULL)"},
    Rule{"the history of a task ends in its state", SEEDCORE_TASK
         "LEFT JOIN (SELECT task_seq, max(seq) AS seq FROM task_history WHERE kind <> 'lease_lost' GROUP BY "
         "task_seq) l ON l.task_seq = t.seq LEFT JOIN task_history e ON e.seq = l.seq "
         "WHERE e.seq IS NULL OR e.status <> t.status"},
    Rule{"a task is completed once",
         SEEDCORE_TASK "JOIN task_history e ON e.task_seq = t.seq WHERE e.kind = 'completed' GROUP BY t.id, t.seq "
                       "HAVING count(*) > 1 + (SELECT count(*) FROM task_history r WHERE r.task_seq = "
                       "t.seq AND r.kind = 'replayed')"},
    Rule{"of the progress of a task its history keeps the newest report",
         SEEDCORE_TASK "JOIN task_history e ON e.task_seq = t.seq WHERE e.kind = 'progress' GROUP BY t.id "
                       "HAVING count(*) > 1"},
    Rule{"the token of a task is that of its latest claim", SEEDCORE_TASK
         "LEFT JOIN (SELECT task_seq, max(fencing_token) AS token FROM task_history WHERE kind = 'claimed' "
         "GROUP BY task_seq) c ON c.task_seq = t.seq WHERE t.fencing_token <> coalesce(c.token, 0)"},
    Rule{"the number of tasks in each state is as counted",
         "SELECT CAST(a.status AS TEXT) AS id FROM (SELECT status, count(*) AS n FROM tasks GROUP BY status) a LEFT "
         "JOIN "
         "(SELECT status, sum(n) AS n FROM task_count GROUP BY status) c ON c.status = a.status "
         "WHERE a.n <> coalesce(c.n, 0) UNION ALL "
         "SELECT CAST(c.status AS TEXT) FROM (SELECT status, sum(n) AS n FROM task_count GROUP BY status) c LEFT JOIN "
         "tasks t ON t.status = c.status WHERE t.seq IS NULL AND c.n <> 0"},
    // What a sum of doubles loses is far below a billionth of it.
    Rule{
        "each balance of the energy ledger follows from the one before",
        "SELECT CAST(l.tx_id AS TEXT) AS id FROM (SELECT tx_id, delta_e, cost, balance_after, lag(balance_after, 1, "
        "CAST(0 AS DOUBLE PRECISION)) OVER (PARTITION BY scope, scope_id ORDER BY seq) AS before FROM energy_ledger) l "
        "WHERE abs(l.before - l.delta_e - l.cost - l.balance_after) > 1e-9 * (1 + abs(l.before) + abs(l.delta_e) + "
        "abs(l.cost))"},
    Rule{"what a task produced is a fact that exists",
         "SELECT CAST(p.fact_id AS TEXT) AS id FROM task_produces_fact p LEFT JOIN facts f ON f.id = p.fact_id WHERE "
         "f.id IS NULL"},
};

/// The id of one of the rows that `sql` selects, and how many there are.
Result<std::pair<std::int64_t, std::string>> Broken(Tables& tables, const char* sql) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Row> rows,
                            tables.Query(std::string("SELECT count(*), coalesce(min(b.id), '') FROM (") + sql + ") b"));
  return std::pair(std::get<std::int64_t>(rows[0][0]), std::get<std::string>(rows[0][1]));
}

Result<std::int64_t> QueryInt(Tables& tables, const char* sql) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Row> rows, tables.Query(sql));
  return std::get<std::int64_t>(rows[0][0]);
}

}  // namespace

Result<CheckReport> CheckStore(Tables& tables) {
  CheckReport report{.place = tables.place()};
  SEEDCORE_ASSIGN_OR_RETURN(report.schema_version, tables.SchemaVersion());
  if (report.schema_version < tables.NewestVersion()) {
    return Fail(ErrorCode::kConflict,
                fmt::format("the store has schema version {}, this program checks version {}; run `seedcore store "
                            "migrate` first",
                            report.schema_version, tables.NewestVersion()),
                tables.place());
  }
  if (report.schema_version > tables.NewestVersion()) {
    return Fail(ErrorCode::kConflict,
                fmt::format("the store has schema version {}, of a newer program; this one checks version {}",
                            report.schema_version, tables.NewestVersion()),
                tables.place());
  }
  SEEDCORE_ASSIGN_OR_RETURN(const bool is_half, tables.HasTable(kCopyTable));
  if (is_half) report.findings.push_back({"a copy into the store is finished", 1, kCopyTable});
  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<std::string> lines, tables.Integrity());
  for (const std::string& line : lines) report.findings.push_back({"the database is sound", 1, line});
  // In what is damaged, the rest says nothing.
  if (!lines.empty()) return report;

  SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Row> counts,
                            tables.Query("SELECT CAST(status AS TEXT), count(*) FROM tasks GROUP BY status"));
  for (const Row& row : counts) report.tasks[std::get<std::string>(row[0])] = std::get<std::int64_t>(row[1]);
  SEEDCORE_ASSIGN_OR_RETURN(report.dead_letters, QueryInt(tables, "SELECT count(*) FROM tasks WHERE dead_letter"));
  SEEDCORE_ASSIGN_OR_RETURN(report.events, QueryInt(tables, "SELECT count(*) FROM task_history"));
  std::vector<std::span<const Rule>> all{std::span<const Rule>(kRules), DispatchRules(), GraphRules()};
  SEEDCORE_ASSIGN_OR_RETURN(const bool has_places, tables.HasTable("task_ready"));
  if (has_places) all.push_back(PlaceRules());
  for (const std::span<const Rule> rules : all) {
    report.rules += static_cast<std::int64_t>(rules.size());
    for (const Rule& rule : rules) {
      SEEDCORE_ASSIGN_OR_RETURN(auto broken, Broken(tables, rule.broken));
      if (broken.first > 0) report.findings.push_back({rule.sentence, broken.first, std::move(broken.second)});
    }
  }
  SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t last, tables.LastEvent());
  SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t newest,
                            QueryInt(tables, "SELECT coalesce(max(seq), 0) FROM task_history"));
  if (newest > last) {
    report.findings.push_back(
        {"the next event gets a number that no event has", newest - last, std::to_string(newest)});
  }
  report.rules += 3;  // an unfinished copy, the database itself, and the number of the next event
  return report;
}

}  // namespace seedcore::store
