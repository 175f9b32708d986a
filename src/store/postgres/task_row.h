#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "store/postgres/connection.h"
#include "store/stored_task.h"

namespace seedcore::store::postgres {

/// The columns ReadTaskRow expects, for `FROM tasks t JOIN task_payload p ON p.seq = t.seq LEFT JOIN task_result r
/// ...`. A macro, so that statements are constants put together by the compiler.
#define SEEDCORE_PG_TASK_COLUMNS                                                                                  \
  "t.seq, t.id, t.type, p.domain, t.status, t.priority, t.attempts, t.fencing_token, t.cancel_requested, "        \
  "t.dead_letter, t.max_attempts, t.retry_base_ms, t.retry_max_ms, t.drift_score, t.created_at, t.updated_at, "   \
  "t.run_after, t.deadline, t.started_at, t.finished_at, t.lease_expires_at, t.owner_id, t.error, t.error_code, " \
  "t.hold_reason, p.description, p.params, p.depends_on, p.traceparent, p.idempotency_key, "                      \
  "t.concurrency_key, t.unique_key"
#define SEEDCORE_PG_TASK_SELECT      \
  "SELECT " SEEDCORE_PG_TASK_COLUMNS \
  ", r.result FROM tasks t JOIN task_payload p ON p.seq = t.seq LEFT JOIN task_result r ON r.seq = t.seq "

[[nodiscard]] TaskRow ReadTaskRow(const Rows& rows, int row);
[[nodiscard]] Result<TaskRow> SelectTask(Connection& connection, std::int64_t seq);

/// Every id that begins with a prefix lies between these two. Nothing when no id can begin with it.
struct IdRange {
  std::string first;
  std::string last;
};
[[nodiscard]] std::optional<IdRange> RangeOfPrefix(std::string_view prefix);

/// The one row a full id or a prefix of at least 4 characters names. `sql` selects by `id BETWEEN $1 AND $2`, limited
/// to 2 rows. kNotFound, kAmbiguous, kInvalidArgument. `what`: "task", "fact".
[[nodiscard]] Result<Rows> FindByPrefix(Connection& connection, const char* sql, std::string_view what,
                                        std::string_view id_or_prefix);

/// The seq and id of a task.
struct TaskName {
  std::int64_t seq = 0;
  std::string id;
};
[[nodiscard]] Result<TaskName> FindTask(Connection& connection, std::string_view id_or_prefix);

}  // namespace seedcore::store::postgres
