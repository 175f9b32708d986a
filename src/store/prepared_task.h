#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "store/task.h"

namespace seedcore::store {

/// What one task may have, in bytes where they are texts; seedcore_enqueue (postgres/schema/submit.cc) knows the same
/// numbers. Type and domain are part of index entries.
inline constexpr std::size_t kMaxTypeBytes = 128;
inline constexpr std::size_t kMaxDomainBytes = 255;
inline constexpr std::size_t kMaxKeyBytes = 255;
inline constexpr std::size_t kMaxDescriptionBytes = 65'536;
inline constexpr std::size_t kMaxDependencies = 100;
/// Of seedcore_enqueue alone: whoever sends more to the task API meets the limit of a body (server.max_body_size).
inline constexpr std::size_t kMaxEnqueuedParamsBytes = 8U << 20U;

/// A new task, checked and in the form in which it is stored; made on the caller's thread.
struct PreparedTask {
  const NewTask* task = nullptr;
  std::string params;
  std::string depends_on;                 ///< JSON; empty when there are none
  std::vector<std::string> dependencies;  ///< distinct
  std::int64_t content_hash = 0;
};

/// kInvalidArgument names the field that is wrong. `task` outlives what is returned.
[[nodiscard]] Result<PreparedTask> PrepareTask(const NewTask& task);

/// The task as it stands right after it was stored. `error`: why it could never run; empty when it can.
[[nodiscard]] Task TaskFromNew(const NewTask& task, std::string id, TaskStatus status, std::string error, WallTime at);

}  // namespace seedcore::store
