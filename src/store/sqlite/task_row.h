#pragma once

#include "store/sqlite/database.h"
#include "store/stored_task.h"

namespace seedcore::store::sqlite {

/// The columns ReadTaskRow expects, for `FROM tasks t JOIN task_payload p ON p.seq = t.seq LEFT JOIN task_result r
/// ...`. A macro, so that statements are constants put together by the compiler.
#define SEEDCORE_TASK_COLUMNS                                                                                      \
  "t.seq, t.turn, t.id, t.type, t.domain, t.status, t.priority, t.attempts, t.fencing_token, t.cancel_requested, " \
  "t.dead_letter, t.max_attempts, t.retry_base_ms, t.retry_max_ms, t.drift_score, t.created_at, t.updated_at, "    \
  "t.run_after, t.deadline, t.started_at, t.finished_at, t.lease_expires_at, t.owner_id, t.error, t.error_code, "  \
  "t.hold_reason, p.description, p.params, p.depends_on, p.traceparent, p.idempotency_key, "                       \
  "t.concurrency_key, t.unique_key, r.result"
#define SEEDCORE_TASK_FROM \
  " FROM tasks t JOIN task_payload p ON p.seq = t.seq LEFT JOIN task_result r ON r.seq = t.seq "

[[nodiscard]] TaskRow ReadTaskRow(const Statement& row);

}  // namespace seedcore::store::sqlite
