#pragma once

#include <cstdint>

/// How the history of tasks is kept: see schema/history.cc.
namespace seedcore::store::postgres {

/// The step of task_event_seq: how many numbers a batch of events has.
inline constexpr std::int64_t kEventBlock = 1024;
/// The most tasks in a batch; as large as a row can be without being stored elsewhere.
inline constexpr int kMostInBatch = 960;

}  // namespace seedcore::store::postgres
