#pragma once

#include <vector>

#include "store/postgres/database.h"
#include "store/postgres/task_row.h"
#include "store/store.h"

/// What the two ways of claiming share: task_claim.cc without limits and pauses, limited_claim.cc under them.
namespace seedcore::store::postgres {

/// Changes the tasks that this transaction has chosen (schema_claims.cc), and returns them: SEEDCORE_PG_TASK_COLUMNS,
/// no result, and the turn. $1 now, $2 owner, $3 lease end.
extern const char kBeginChosen[];

/// A claim while limits or pauses are in force, in a transaction of several statements.
[[nodiscard]] Result<std::vector<TaskRow>> ClaimUnderLimits(WriteContext& context, const ClaimRequest& request);

/// The rows of kBeginChosen, in the order of their turns.
[[nodiscard]] std::vector<TaskRow> ReadChosen(const Rows& rows);

}  // namespace seedcore::store::postgres
