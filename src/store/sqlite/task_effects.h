#pragma once

#include <string>

#include "store/sqlite/writer.h"
#include "store/store.h"

namespace seedcore::store::sqlite {

/// What a finished task or step leaves behind, inside its transaction.
[[nodiscard]] Result<void> WriteEffects(WriteContext& context, const std::string& task_id, const Effects& effects);

}  // namespace seedcore::store::sqlite
