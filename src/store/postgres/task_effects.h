#pragma once

#include <cstdint>
#include <string>

#include "store/postgres/database.h"
#include "store/prepared_task.h"
#include "store/store.h"

/// Steps that operations of several kinds share, inside their transaction.
namespace seedcore::store::postgres {

/// What a finished task or step leaves behind.
[[nodiscard]] Result<void> WriteEffects(WriteContext& context, const std::string& task_id, const Effects& effects);
/// Stores a task without keys. Returns its seq.
[[nodiscard]] Result<std::int64_t> InsertTask(WriteContext& context, const PreparedTask& prepared);

}  // namespace seedcore::store::postgres
