#pragma once

#include <cstdint>
#include <ranges>
#include <string>
#include <string_view>

#include <fmt/ranges.h>

#include "store/sqlite/task_row.h"
#include "store/sqlite/writer.h"

/// The steps that several task operations share. All run on the writer's thread, inside the operation's transaction.
namespace seedcore::store::sqlite {

/// Values of tasks.runnable.
enum class Runnable { kNo = 0, kNow = 1, kAtRunAfter = 2, kAfterDependencies = 3, kParked = 4 };

struct NewEvent {
  std::int64_t task_seq = 0;
  std::string_view kind;
  TaskStatus status = TaskStatus::kCreated;
  int attempt = 0;
  std::int64_t fencing_token = 0;
  std::string_view owner_id;
  std::string_view detail;
};
[[nodiscard]] Result<void> AppendEvent(WriteContext& context, const NewEvent& event);

/// For json_each: what changes many tasks names them so.
template <std::ranges::input_range Seqs>
[[nodiscard]] std::string JsonOfSeqs(Seqs&& seqs) {
  return fmt::format("[{}]", fmt::join(seqs, ","));
}

/// Enough of a task to change its state.
struct TaskHead {
  std::int64_t seq = 0;
  std::string id;
  TaskStatus status = TaskStatus::kCreated;
  int attempts = 0;
  std::int64_t fencing_token = 0;
  std::string owner_id;
};
/// For `SELECT seq, id, status, attempts, fencing_token, owner_id`.
[[nodiscard]] Result<TaskHead> ReadTaskHead(const Statement& row);
/// Full id or unique prefix: kNotFound, kAmbiguous, kInvalidArgument when shorter than 4 characters.
[[nodiscard]] Result<TaskHead> FindTaskHead(Database& database, std::string_view id_or_prefix);
/// Whether a cancel has been asked for while `lease` was the task's.
[[nodiscard]] Result<bool> WasCancelled(WriteContext& context, const Lease& lease);
[[nodiscard]] Result<TaskRow> SelectTask(Database& database, std::int64_t seq);

[[nodiscard]] inline Error DeadlinePassed() {
  return {ErrorCode::kDeadlineExceeded, "the deadline of the task has passed", {}};
}
/// Fails an unfinished task for good, and everything that depends on it.
[[nodiscard]] Result<void> FailTask(WriteContext& context, const TaskHead& task, const Error& error);
/// Whether any task waits, or has waited, for another one.
[[nodiscard]] Result<bool> AnyDependsOnAnother(WriteContext& context);
/// Tasks that wait for `id` alone can run from now on.
[[nodiscard]] Result<void> ReleaseDependants(WriteContext& context, const std::string& id);
/// Tasks that wait for `id`, directly or not, fail.
[[nodiscard]] Result<void> FailDependants(WriteContext& context, const std::string& id, TaskStatus outcome);
/// Tasks whose run_after has come become claimable, at most `limit`. Returns how many.
[[nodiscard]] Result<int> PromoteDue(WriteContext& context, int limit);
/// created, failed, cancelled, retry -> queued, as if new. kConflict when a dependency has failed.
[[nodiscard]] Result<void> Requeue(WriteContext& context, const TaskHead& task, std::string_view event_kind);

}  // namespace seedcore::store::sqlite
