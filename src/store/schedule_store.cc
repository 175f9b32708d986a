#include "store/schedule_store.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "store/prepared_task.h"

namespace seedcore::store {
namespace {

constexpr std::size_t kMaxScheduleNameBytes = 100;
constexpr int kMaxCatchUp = 1000;
constexpr double kLongestWait = 366.0 * 86'400.0;
constexpr std::chrono::milliseconds kShortestPeriod{1000};
constexpr std::chrono::milliseconds kLongestPeriod = std::chrono::hours(366 * 24);

std::unexpected<Error> Invalid(std::string message, std::string path) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message), std::move(path));
}

/// The name stands in URLs and in keys of tasks.
bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMaxScheduleNameBytes && std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
           c == '.';
  });
}

Result<void> CheckSeconds(double value, const char* field) {
  if (value >= 0.0 && value <= kLongestWait) return {};
  return Invalid(fmt::format("expected 0 to {} seconds, got {}", kLongestWait, value), field);
}

std::chrono::milliseconds Milliseconds(double seconds) {
  return std::chrono::milliseconds(std::llround(seconds * 1000.0));
}

}  // namespace

Result<void> CheckSchedule(const Schedule& schedule) {
  if (!IsName(schedule.name)) {
    return Invalid(fmt::format("expected 1 to {} letters, digits, '-', '_' and '.'", kMaxScheduleNameBytes), "name");
  }
  const bool periodic = schedule.every.count() != 0;
  if (schedule.cron.empty() != periodic) return Invalid("a schedule needs either cron or every_s", "cron");
  if (periodic && (schedule.every < kShortestPeriod || schedule.every > kLongestPeriod)) {
    return Invalid(fmt::format("expected 1 second to 366 days, got {} ms", schedule.every.count()), "every_s");
  }
  if (schedule.max_catch_up < 1 || schedule.max_catch_up > kMaxCatchUp) {
    return Invalid(fmt::format("expected 1 to {}, got {}", kMaxCatchUp, schedule.max_catch_up), "max_catch_up");
  }
  SEEDCORE_RETURN_IF_ERROR(CheckSeconds(schedule.task.retry_base_s, "task.retry_base_s"));
  SEEDCORE_RETURN_IF_ERROR(CheckSeconds(schedule.task.retry_max_s, "task.retry_max_s"));
  SEEDCORE_RETURN_IF_ERROR(CheckSeconds(schedule.task.deadline_s, "task.deadline_s"));
  if (schedule.task.retry_max_s < schedule.task.retry_base_s) {
    return Invalid("expected at least retry_base_s", "task.retry_max_s");
  }
  const NewTask task = TaskOf(schedule, WallTime{});
  if (const auto prepared = PrepareTask(task); !prepared) {
    Error error = prepared.error();
    error.path = "task." + error.path;
    return std::unexpected(std::move(error));
  }
  return {};
}

NewTask TaskOf(const Schedule& schedule, WallTime now) {
  const ScheduledTask& from = schedule.task;
  NewTask task{.type = from.type,
               .description = from.description,
               .domain = from.domain,
               .params = from.params,
               .priority = from.priority,
               .concurrency_key = from.concurrency_key,
               .unique_key = from.unique_key};
  task.retry = {.max_attempts = from.max_attempts,
                .base = Milliseconds(from.retry_base_s),
                .max = Milliseconds(from.retry_max_s)};
  if (from.deadline_s > 0.0) task.deadline = now + Milliseconds(from.deadline_s);
  if (schedule.overlap == Overlap::kSkip && task.unique_key.empty()) task.unique_key = "schedule:" + schedule.name;
  return task;
}

std::string FiringKey(const std::string& name, WallTime at) {
  return fmt::format("schedule:{}:{}", name, ToUnixMicros(at));
}

std::string WriteScheduledTask(const ScheduledTask& task) { return ToJsonText(task); }

Result<ScheduledTask> ReadScheduledTask(std::string_view text) {
  auto task = FromJsonText<ScheduledTask>(text);
  if (!task) return Fail(ErrorCode::kCorrupt, "the stored task of a schedule is damaged: " + ToString(task.error()));
  return task;
}

std::string ErrorAfter(const Firing& firing, const std::string& held_back_by) {
  if (!firing.error.empty() || held_back_by.empty()) return firing.error;
  return fmt::format("not submitted: task {} is not finished", held_back_by);
}

}  // namespace seedcore::store
