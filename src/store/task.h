#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "base/result.h"

/// The task as it is stored. Column names equal field names; the JSON of the task API is made from these in `service`.
namespace seedcore::store {

/// Lower-case names are stored and shown. `created` is stored but not runnable: submitted without run_immediately,
/// waiting for its dependencies' author to `/run` it, or held (then `hold_reason` is set).
enum class TaskStatus { kCreated, kQueued, kRunning, kCompleted, kFailed, kCancelled, kRetry };

constexpr std::array<std::pair<TaskStatus, std::string_view>, 7> EnumNames(TaskStatus) {
  return {{{TaskStatus::kCreated, "created"},
           {TaskStatus::kQueued, "queued"},
           {TaskStatus::kRunning, "running"},
           {TaskStatus::kCompleted, "completed"},
           {TaskStatus::kFailed, "failed"},
           {TaskStatus::kCancelled, "cancelled"},
           {TaskStatus::kRetry, "retry"}}};
}

[[nodiscard]] constexpr bool IsTerminal(TaskStatus status) {
  return status == TaskStatus::kCompleted || status == TaskStatus::kFailed || status == TaskStatus::kCancelled;
}

/// Exponential backoff: the k-th retry waits min(base * 2^(k-1), max) times a factor uniform in [0.5, 1].
struct RetryPolicy {
  int max_attempts = 3;  ///< executions in all, 1..100
  std::chrono::milliseconds base{10'000};
  std::chrono::milliseconds max{300'000};
};

struct NewTask {
  std::string type;  ///< required, stripped and lower case
  std::string description;
  std::string domain;
  json::object params;
  double drift_score = 0.0;
  int priority = 5;                     ///< 1 (low) .. 10 (urgent)
  std::optional<WallTime> run_after;    ///< not before
  std::optional<WallTime> deadline;     ///< not after: an unfinished task fails with deadline_exceeded
  std::vector<std::string> depends_on;  ///< full ids; runs once all are completed, fails when one cannot be
  RetryPolicy retry;
  std::string idempotency_key;  ///< empty: none. Same key and content: the first task is returned
  std::string traceparent;
  bool run_immediately = true;  ///< false: stays `created` until Run
  std::string concurrency_key;  ///< empty: none. Tasks of one key share a limit of scope key, see queue_store.h
  /// Empty: none. While a task of this key is unfinished, submitting another one returns it as a duplicate, whatever
  /// its content.
  std::string unique_key;
  std::chrono::milliseconds unique_for{0};  ///< and for so long after its submission, finished or not
};

struct Task {
  std::string id;
  std::string type;
  std::string description;
  std::string domain;
  json::object params;
  TaskStatus status = TaskStatus::kCreated;
  int priority = 5;
  int attempts = 0;  ///< executions begun
  RetryPolicy retry;
  double drift_score = 0.0;
  std::optional<WallTime> run_after;
  std::optional<WallTime> deadline;
  std::vector<std::string> depends_on;
  std::string idempotency_key;
  std::string traceparent;
  std::string concurrency_key;
  std::string unique_key;
  json::value result;      ///< null until there is one
  std::string error;       ///< the last failure, empty when none
  std::string error_code;  ///< ErrorCode name of it
  std::string hold_reason;
  bool dead_letter = false;  ///< failed for good: attempts used up, not retryable, or past deadline
  bool cancel_requested = false;
  std::string owner_id;            ///< the worker holding the lease
  std::int64_t fencing_token = 0;  ///< grows at each claim
  std::optional<WallTime> lease_expires_at;
  WallTime created_at;
  WallTime updated_at;
  std::optional<WallTime> started_at;  ///< of the last execution
  std::optional<WallTime> finished_at;
};

/// What a later write about a running task must present.
struct Lease {
  std::string task_id;
  std::string owner_id;
  std::int64_t fencing_token = 0;
};

/// A claimed task. Valid until task.lease_expires_at.
struct Claim {
  Task task;
  [[nodiscard]] Lease lease() const { return {task.id, task.owner_id, task.fencing_token}; }
};

/// One line of a task's append-only history.
struct TaskEvent {
  std::int64_t seq = 0;  ///< grows over the whole store; the cursor of the event stream
  std::string task_id;
  WallTime at;
  std::string kind;  ///< submitted, queued (run again), claimed, completed, retry, failed, cancelled, held, resumed,
                     ///< redriven, lease_lost, lease_expired, handed_back, released (dependencies met), snoozed,
                     ///< planned, step_completed, step_failed, step_waiting, replayed, forked,
                     ///< progress (the newest report alone; its detail is JSON)
  TaskStatus status = TaskStatus::kCreated;  ///< after the event
  int attempt = 0;
  std::int64_t fencing_token = 0;
  std::string owner_id;
  std::string detail;  ///< error or reason; may be empty
};

struct TaskFilter {
  std::optional<TaskStatus> status;
  std::string type;    ///< empty: any
  std::string domain;  ///< empty: any
  std::optional<WallTime> created_since;
  std::string text;  ///< substring of id, type, description or result; empty: any
  std::optional<bool> dead_letter;
};

/// Newest first, in the order of submission. `cursor` is the opaque `next_cursor` of the page before.
struct TaskPage {
  std::vector<Task> items;
  std::string next_cursor;  ///< empty: this was the last page
};

}  // namespace seedcore::store
