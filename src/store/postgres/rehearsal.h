#pragma once

#include "store/postgres/database.h"

namespace seedcore::store::postgres {

/// The life of a task from its submission to its end, by the statements that nearly all tasks go through, in a
/// transaction that is to be rolled back. No other task is touched, and nobody is told.
[[nodiscard]] Result<void> RehearseTask(WriteContext& context);

}  // namespace seedcore::store::postgres
