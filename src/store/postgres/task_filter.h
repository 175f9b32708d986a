#pragma once

#include <cstdint>
#include <vector>

#include "store/postgres/connection.h"
#include "store/postgres/task_row.h"

namespace seedcore::store::postgres {

/// Tasks that match, newest first, with seq below `before` (0: from the newest).
[[nodiscard]] Result<std::vector<TaskRow>> QueryTasks(Connection& connection, const TaskFilter& filter,
                                                      std::int64_t before, int limit);

/// Matching dead letters, oldest first, with seq above `after`.
[[nodiscard]] Result<std::vector<TaskName>> QueryDeadLetters(Connection& connection, const TaskFilter& filter,
                                                             std::int64_t after, int limit);

}  // namespace seedcore::store::postgres
