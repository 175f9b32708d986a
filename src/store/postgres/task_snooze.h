#pragma once

#include <span>
#include <vector>

#include "store/postgres/database.h"
#include "store/store.h"

namespace seedcore::store::postgres {

/// What became of a Snoozed in the transaction.
enum class SnoozeAnswer {
  kSnoozed,
  kEnough,   ///< put off too often or for too long: the task is still running and must fail
  kRefused,  ///< not under this lease; nothing is written
};
/// Puts the tasks of `finishes`, all Snoozed and with ids that are UUIDs, back into the queue.
[[nodiscard]] Result<std::vector<SnoozeAnswer>> SnoozeTasks(WriteContext& context,
                                                            std::span<const Finish* const> finishes);

}  // namespace seedcore::store::postgres
