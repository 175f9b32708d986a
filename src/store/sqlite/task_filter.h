#pragma once

#include <cstdint>
#include <string>

#include "store/sqlite/database.h"
#include "store/task.h"

namespace seedcore::store::sqlite {

/// Rows of SEEDCORE_TASK_COLUMNS that match, newest first, with seq below `before` (0: from the newest).
[[nodiscard]] Result<Statement> QueryTasks(Database& database, const TaskFilter& filter, std::int64_t before,
                                           int limit);

/// Task heads of matching dead letters, oldest first, with seq above `after`.
[[nodiscard]] Result<Statement> QueryDeadLetters(Database& database, const TaskFilter& filter, std::int64_t after,
                                                 int limit);

/// `text` as a LIKE pattern for "contains", with `\` as the escape character.
[[nodiscard]] std::string ContainsPattern(std::string_view text);

}  // namespace seedcore::store::sqlite
