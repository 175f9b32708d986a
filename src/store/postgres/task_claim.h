#pragma once

#include <vector>

#include "store/postgres/database.h"
#include "store/postgres/task_row.h"
#include "store/store.h"

/// What the two ways of claiming share: task_claim.cc without limits and pauses, limited_claim.cc under them.
namespace seedcore::store::postgres {

/// The types of which tasks stand in line, 1,000 at most: a look into an index for each.
#define SEEDCORE_PG_RUNNABLE_TYPES                                                                 \
  "WITH RECURSIVE found (type) AS ((SELECT type FROM task_ready ORDER BY type LIMIT 1) UNION ALL " \
  "SELECT (SELECT r.type FROM task_ready r WHERE r.type > f.type ORDER BY r.type LIMIT 1) "        \
  "FROM found f WHERE f.type IS NOT NULL), "                                                       \
  "batched (type) AS ((SELECT type FROM ready_batch ORDER BY type LIMIT 1) UNION ALL "             \
  "SELECT (SELECT r.type FROM ready_batch r WHERE r.type > f.type ORDER BY r.type LIMIT 1) "       \
  "FROM batched f WHERE f.type IS NOT NULL) "                                                      \
  "(SELECT type FROM found WHERE type IS NOT NULL LIMIT 1000) UNION "                              \
  "(SELECT type FROM batched WHERE type IS NOT NULL LIMIT 1000) LIMIT 1000"

/// Changes the tasks that this transaction has chosen (schema/claims.cc), and returns them: SEEDCORE_PG_TASK_COLUMNS,
/// no result, and the turn. $1 now, $2 owner, $3 lease end.
extern const char kBeginChosen[];

/// A claim while limits or pauses are in force, in a transaction of several statements.
[[nodiscard]] Result<std::vector<TaskRow>> ClaimUnderLimits(WriteContext& context, const ClaimRequest& request);

/// A claim of types of which only this transaction has tasks. Nothing else is touched, be it late or due.
[[nodiscard]] Result<std::vector<TaskRow>> ClaimOwn(WriteContext& context, const ClaimRequest& request);

/// The rows of kBeginChosen, in the order of their turns.
[[nodiscard]] std::vector<TaskRow> ReadChosen(const Rows& rows);

}  // namespace seedcore::store::postgres
