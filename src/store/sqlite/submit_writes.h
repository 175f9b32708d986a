#pragma once

#include <cstdint>
#include <string>

#include "store/prepared_task.h"
#include "store/sqlite/writer.h"
#include "store/stored_task.h"

namespace seedcore::store::sqlite {

/// What the writer found or made of one new task.
struct Submitted {
  bool duplicate = false;
  TaskRow earlier{};  ///< when duplicate
  std::string id{};
  TaskStatus status = TaskStatus::kQueued;
  std::string error{};
  WallTime at{};
  std::int64_t seq = 0;  ///< of the new task
};

/// One step of a submission, on the writer's thread, inside its transaction. kConflict, kNotFound as TaskStore::Submit.
[[nodiscard]] Result<Submitted> InsertTask(WriteContext& context, const PreparedTask& prepared);

}  // namespace seedcore::store::sqlite
