#include "store/postgres/task_row.h"

#include "base/strings.h"
#include "base/uuid.h"
#include "store/ids.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kSelectTask[] = SEEDCORE_PG_TASK_SELECT "WHERE t.seq = $1";
constexpr char kFindTask[] = "SELECT seq, id FROM tasks WHERE id BETWEEN $1 AND $2 LIMIT 2";

}  // namespace

TaskRow ReadTaskRow(const Rows& rows, int row) {
  TaskRow out;
  Task& task = out.task;
  int column = 0;
  const auto text = [&] { return std::string(rows.Text(row, column++)); };
  const auto integer = [&] { return static_cast<int>(rows.Int(row, column++)); };
  const auto flag = [&] { return rows.Bool(row, column++); };
  const auto millis = [&] { return std::chrono::milliseconds(rows.Int(row, column++)); };
  const auto optional_time = [&] { return rows.OptionalTime(row, column++); };

  out.seq = rows.Int(row, column++);
  task.id = rows.Id(row, column++);
  task.type = text();
  task.domain = text();
  task.status = StatusFromName(rows.Text(row, column++), out.damaged);
  task.priority = integer();
  task.attempts = integer();
  task.fencing_token = rows.Int(row, column++);
  task.cancel_requested = flag();
  task.dead_letter = flag();
  task.retry.max_attempts = integer();
  task.retry.base = millis();
  task.retry.max = millis();
  task.drift_score = rows.Double(row, column++);
  task.created_at = rows.Time(row, column++);
  task.updated_at = rows.Time(row, column++);
  task.run_after = optional_time();
  task.deadline = optional_time();
  task.started_at = optional_time();
  task.finished_at = optional_time();
  task.lease_expires_at = optional_time();
  task.owner_id = text();
  task.error = text();
  task.error_code = text();
  task.hold_reason = text();
  task.description = text();
  out.params = text();
  out.depends_on = text();
  task.traceparent = text();
  task.idempotency_key = text();
  task.concurrency_key = text();
  task.unique_key = text();
  out.result = text();
  return out;
}

Result<TaskRow> SelectTask(Connection& connection, std::int64_t seq) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(kSelectTask, seq));
  if (rows.empty()) return Fail(ErrorCode::kNotFound, "the task was deleted");
  return ReadTaskRow(rows, 0);
}

std::optional<IdRange> RangeOfPrefix(std::string_view prefix) {
  IdRange range{"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"};
  if (prefix.size() > range.first.size()) return std::nullopt;
  range.first.replace(0, prefix.size(), prefix);
  range.last.replace(0, prefix.size(), prefix);
  if (!IsUuid(range.first)) return std::nullopt;
  return range;
}

Result<Rows> FindByPrefix(Connection& connection, const char* sql, std::string_view what,
                          std::string_view id_or_prefix) {
  SEEDCORE_RETURN_IF_ERROR(CheckPrefix(what, id_or_prefix));
  const std::optional<IdRange> range = RangeOfPrefix(id_or_prefix);
  if (!range) return std::unexpected(NoSuch(what, id_or_prefix));
  SEEDCORE_ASSIGN_OR_RETURN(Rows rows, connection.Query(sql, Uuid{range->first}, Uuid{range->last}));
  if (rows.empty()) return std::unexpected(NoSuch(what, id_or_prefix));
  if (rows.size() > 1) return std::unexpected(AmbiguousPrefix(what, id_or_prefix));
  return rows;
}

Result<TaskName> FindTask(Connection& connection, std::string_view id_or_prefix) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, FindByPrefix(connection, kFindTask, "task", id_or_prefix));
  return TaskName{rows.Int(0, 0), rows.Id(0, 1)};
}

}  // namespace seedcore::store::postgres
