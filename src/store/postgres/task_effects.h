#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/postgres/database.h"
#include "store/store.h"

namespace seedcore::store::postgres {

/// What a finished task or step leaves behind, inside its transaction.
[[nodiscard]] Result<void> WriteEffects(WriteContext& context, const std::string& task_id, const Effects& effects);

/// Puts a task that has been created, has failed or waits back into the queue, with an event of `kind` if one is given.
/// kConflict when it cannot be; false when it is there already.
[[nodiscard]] Result<bool> Requeue(WriteContext& context, const std::string& task_id,
                                   std::optional<std::string_view> kind);

}  // namespace seedcore::store::postgres
