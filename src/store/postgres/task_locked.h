#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "store/postgres/database.h"

namespace seedcore::store::postgres {

/// Places in `ids` of tasks that cannot end now, because another transaction has them locked, or one that waits for
/// them. All the others, and what waits for them, are locked from here to the end of the transaction. Waits for nobody.
[[nodiscard]] Result<std::vector<std::size_t>> LockWhatIsFree(WriteContext& context, std::span<const std::string> ids);

/// What is said of those.
[[nodiscard]] Error InOtherHands(std::string_view task_id);

}  // namespace seedcore::store::postgres
