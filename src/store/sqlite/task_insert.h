#pragma once

#include "store/prepared_task.h"
#include "store/sqlite/task_writes.h"

namespace seedcore::store::sqlite {

/// Stores a task without keys, inside the transaction of another operation.
[[nodiscard]] Result<TaskHead> InsertTask(WriteContext& context, const PreparedTask& prepared);

}  // namespace seedcore::store::sqlite
