#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "store/postgres/database.h"
#include "store/prepared_task.h"

namespace seedcore::store::postgres {

/// What seedcore_submit found or made of one new task.
struct Submitted {
  std::int64_t seq = 0;
  std::string id{};
  TaskStatus status = TaskStatus::kQueued;
  std::string error{};
  bool duplicate = false;
  WallTime at{};
};

/// A step of a transaction: tasks with everything a task can have, in one round trip. kConflict, kNotFound as
/// TaskStore::Submit.
[[nodiscard]] Result<std::vector<Submitted>> SubmitCalls(WriteContext& context, std::span<const PreparedTask> tasks);

}  // namespace seedcore::store::postgres
