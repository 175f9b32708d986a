#include "store/sqlite/task_row.h"

namespace seedcore::store::sqlite {

TaskRow ReadTaskRow(const Statement& row) {
  TaskRow out;
  Task& task = out.task;
  int column = 0;
  const auto text = [&] { return std::string(row.Text(column++)); };
  const auto integer = [&] { return static_cast<int>(row.Int(column++)); };
  const auto millis = [&] { return std::chrono::milliseconds(row.Int(column++)); };
  const auto optional_time = [&] { return row.OptionalTime(column++); };

  out.seq = row.Int(column++);
  out.turn = row.Int(column++);
  task.id = text();
  task.type = text();
  task.domain = text();
  task.status = StatusFromName(row.Text(column++), out.damaged);
  task.priority = integer();
  task.attempts = integer();
  task.fencing_token = row.Int(column++);
  task.cancel_requested = integer() != 0;
  task.dead_letter = integer() != 0;
  task.retry.max_attempts = integer();
  task.retry.base = millis();
  task.retry.max = millis();
  task.drift_score = row.Double(column++);
  task.created_at = row.Time(column++);
  task.updated_at = row.Time(column++);
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

}  // namespace seedcore::store::sqlite
