#pragma once

#include <string>

#include "store/postgres/database.h"
#include "store/store.h"

namespace seedcore::store::postgres {

/// What a finished task or step leaves behind, inside its transaction.
[[nodiscard]] Result<void> WriteEffects(WriteContext& context, const std::string& task_id, const Effects& effects);

}  // namespace seedcore::store::postgres
