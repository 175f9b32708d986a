#include "store/prepared_task.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "store/queue_store.h"
#include "store/stored_task.h"

namespace seedcore::store {
namespace {

/// FNV-1a over everything that decides what the task does, so not over its trace.
std::int64_t ContentHash(const NewTask& task, const std::string& depends_on) {
  const auto micros = [](const std::optional<WallTime>& time) { return time ? ToUnixMicros(*time) : 0; };
  std::string text = WriteJsonCanonical(json::value(task.params));
  text += fmt::format("\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}\n{}", task.type, task.description, task.domain,
                      depends_on, task.drift_score, task.priority, micros(task.run_after), micros(task.deadline),
                      task.retry.max_attempts, task.retry.base.count(), task.retry.max.count(), task.run_immediately);
  // Only where they are used: the hashes of tasks without them are stored already.
  if (!task.concurrency_key.empty()) text += fmt::format("\nconcurrency_key {}", task.concurrency_key);
  if (!task.unique_key.empty()) text += fmt::format("\nunique_key {} {}", task.unique_key, task.unique_for.count());
  std::uint64_t hash = 0xcbf29ce484222325U;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
  return static_cast<std::int64_t>(hash);
}

constexpr std::chrono::milliseconds kLongestUniqueFor = std::chrono::hours(366 * 24);

Result<void> CheckSize(const std::string& text, std::size_t most, const char* field) {
  if (text.size() <= most) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("longer than {} bytes", most), field);
}

}  // namespace

Result<PreparedTask> PrepareTask(const NewTask& task) {
  if (task.type.empty()) return Fail(ErrorCode::kInvalidArgument, "a task needs a type", "type");
  if (task.priority < 1 || task.priority > 10) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to 10, got {}", task.priority), "priority");
  }
  if (task.retry.max_attempts < 1 || task.retry.max_attempts > 100) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to 100, got {}", task.retry.max_attempts),
                "max_attempts");
  }
  SEEDCORE_RETURN_IF_ERROR(CheckSize(task.type, kMaxTypeBytes, "type"));
  SEEDCORE_RETURN_IF_ERROR(CheckSize(task.domain, kMaxDomainBytes, "domain"));
  SEEDCORE_RETURN_IF_ERROR(CheckSize(task.description, kMaxDescriptionBytes, "description"));
  SEEDCORE_RETURN_IF_ERROR(CheckSize(task.idempotency_key, kMaxKeyBytes, "idempotency_key"));
  SEEDCORE_RETURN_IF_ERROR(CheckSize(task.concurrency_key, kMaxKeyBytes, "concurrency_key"));
  SEEDCORE_RETURN_IF_ERROR(CheckSize(task.unique_key, kMaxKeyBytes, "unique_key"));
  if (task.depends_on.size() > kMaxDependencies) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("more than {} dependencies", kMaxDependencies), "depends_on");
  }
  if (task.unique_for.count() < 0 || task.unique_for > kLongestUniqueFor) {
    return Fail(ErrorCode::kInvalidArgument, "expected 0 to 366 days", "unique_for");
  }
  if (task.unique_for.count() > 0 && task.unique_key.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "needs a unique_key", "unique_for");
  }
  if (task.concurrency_key == kEveryKey) {
    return Fail(ErrorCode::kInvalidArgument, "'*' stands for every key in limits", "concurrency_key");
  }
  PreparedTask prepared{.task = &task, .params = WriteObject(task.params)};
  if (!task.depends_on.empty()) {
    prepared.depends_on = WriteStrings(task.depends_on);
    prepared.dependencies = task.depends_on;
    std::ranges::sort(prepared.dependencies);
    const auto repeated = std::ranges::unique(prepared.dependencies);
    prepared.dependencies.erase(repeated.begin(), repeated.end());
  }
  if (!task.idempotency_key.empty()) prepared.content_hash = ContentHash(task, prepared.depends_on);
  return prepared;
}

Task TaskFromNew(const NewTask& task, std::string id, TaskStatus status, std::string error, WallTime at) {
  const bool failed = status == TaskStatus::kFailed;
  return {.id = std::move(id),
          .type = task.type,
          .description = task.description,
          .domain = task.domain,
          .params = task.params,
          .status = status,
          .priority = task.priority,
          .retry = task.retry,
          .drift_score = task.drift_score,
          .run_after = task.run_after,
          .deadline = task.deadline,
          .depends_on = task.depends_on,
          .idempotency_key = task.idempotency_key,
          .traceparent = task.traceparent,
          .concurrency_key = task.concurrency_key,
          .unique_key = task.unique_key,
          .error = std::move(error),
          .error_code = std::string(failed ? ToString(ErrorCode::kNonRetryable) : std::string_view()),
          .dead_letter = failed,
          .created_at = at,
          .updated_at = at,
          .finished_at = failed ? std::optional(at) : std::nullopt};
}

}  // namespace seedcore::store
