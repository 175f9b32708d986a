#pragma once

#include <string>

#include "store/sqlite/database.h"
#include "store/task.h"

namespace seedcore::store::sqlite {

/// The columns ReadTaskRow expects, for `FROM tasks t JOIN task_payload p ON p.seq = t.seq LEFT JOIN task_result r
/// ...`. A macro, so that statements are constants put together by the compiler.
#define SEEDCORE_TASK_COLUMNS                                                                                     \
  "t.seq, t.id, t.type, t.domain, t.status, t.priority, t.attempts, t.fencing_token, t.cancel_requested, "        \
  "t.dead_letter, t.max_attempts, t.retry_base_ms, t.retry_max_ms, t.drift_score, t.created_at, t.updated_at, "   \
  "t.run_after, t.deadline, t.started_at, t.finished_at, t.lease_expires_at, t.owner_id, t.error, t.error_code, " \
  "t.hold_reason, p.description, p.params, p.depends_on, p.traceparent, p.idempotency_key, r.result"
#define SEEDCORE_TASK_FROM \
  " FROM tasks t JOIN task_payload p ON p.seq = t.seq LEFT JOIN task_result r ON r.seq = t.seq "

/// A stored task whose JSON has not been parsed yet: the writer's thread only copies text, the caller parses it.
struct TaskRow {
  std::int64_t seq = 0;
  Task task;  ///< without params, result and depends_on
  std::string params;
  std::string result;
  std::string depends_on;
  bool damaged = false;  ///< a column holds what the schema forbids
};

[[nodiscard]] TaskRow ReadTaskRow(const Statement& row);
/// kCorrupt when a column is damaged or the stored JSON is not JSON.
[[nodiscard]] Result<Task> ToTask(TaskRow row);

/// The status called `name`; sets `damaged` when there is none.
[[nodiscard]] TaskStatus StatusFromName(std::string_view name, bool& damaged);

/// Stored as NULL when empty.
[[nodiscard]] inline std::optional<std::string_view> NullIfEmpty(std::string_view text) {
  if (text.empty()) return std::nullopt;
  return text;
}

/// Parses a stored JSON object or array of strings; kCorrupt names `what`.
[[nodiscard]] Result<json::object> ParseStoredObject(std::string_view text, std::string_view what);
[[nodiscard]] Result<std::vector<std::string>> ParseStoredStrings(std::string_view text, std::string_view what);
[[nodiscard]] std::string WriteStrings(std::span<const std::string> strings);
[[nodiscard]] std::string WriteObject(const json::object& object);

}  // namespace seedcore::store::sqlite
