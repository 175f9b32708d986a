#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/json_binding.h"
#include "base/result.h"
#include "store/signal.h"
#include "store/task.h"

/// Schedules: which task is submitted when, over and over. The store keeps them and sees to it that each time is fired
/// once; which times those are is for queue/schedule_times.h.
namespace seedcore::store {

/// What becomes of the times that passed while nobody fired them.
enum class CatchUp { kSkip, kOne, kAll };
constexpr std::array<std::pair<CatchUp, std::string_view>, 3> EnumNames(CatchUp) {
  return {{{CatchUp::kSkip, "skip"}, {CatchUp::kOne, "one"}, {CatchUp::kAll, "all"}}};
}

/// What happens when a time comes while the task of an earlier one is not finished.
enum class Overlap { kAllow, kSkip };
constexpr std::array<std::pair<Overlap, std::string_view>, 2> EnumNames(Overlap) {
  return {{{Overlap::kAllow, "allow"}, {Overlap::kSkip, "skip"}}};
}

/// What is submitted at each time.
struct ScheduledTask {
  std::string type;
  std::string description;
  std::string domain;
  json::object params;
  int priority = 5;
  int max_attempts = 3;
  double retry_base_s = 10.0;
  double retry_max_s = 300.0;
  double deadline_s = 0.0;
  std::string concurrency_key;
  std::string unique_key;
  static constexpr auto kFields =
      Fields(Required("type", &ScheduledTask::type, "What to do: names the executor"),
             Optional("description", &ScheduledTask::description, "The task in words"),
             Optional("domain", &ScheduledTask::domain, "Tenant or subject"),
             Optional("params", &ScheduledTask::params, "Input of the executor, any JSON object"),
             Optional("priority", &ScheduledTask::priority, "1 (low) to 10 (urgent)"),
             Optional("max_attempts", &ScheduledTask::max_attempts, "Executions in all, 1 to 100"),
             Optional("retry_base_s", &ScheduledTask::retry_base_s, "Wait before the first retry; doubles at each"),
             Optional("retry_max_s", &ScheduledTask::retry_max_s, "Longest wait before a retry"),
             Optional("deadline_s", &ScheduledTask::deadline_s,
                      "Fails when not finished so many seconds after its submission; 0: no deadline"),
             Optional("concurrency_key", &ScheduledTask::concurrency_key, "Tasks of one key share a limit"),
             Optional("unique_key", &ScheduledTask::unique_key,
                      "While a task of this key is not finished, no second one is stored"));
};

struct Schedule {
  std::string name;
  std::string cron;                    ///< five fields or @name; empty when `every` is set
  std::string time_zone;               ///< of the IANA database; of `cron` alone
  std::chrono::milliseconds every{0};  ///< 0 when `cron` is set
  ScheduledTask task;
  CatchUp catch_up = CatchUp::kOne;
  int max_catch_up = 10;  ///< with kAll: the newest so many of the times missed
  Overlap overlap = Overlap::kAllow;
  bool paused = false;
  std::optional<WallTime> next_run_at;  ///< absent while paused
  // Kept by the store:
  std::int64_t revision = 0;            ///< grows at each change that is not a firing
  std::optional<WallTime> last_run_at;  ///< the newest time that was fired
  std::string last_task_id;
  std::string last_error;  ///< why the last time brought no new task; empty when it did
  WallTime created_at;
  WallTime updated_at;
};

/// Times of one schedule that have come, to be fired together.
struct Firing {
  std::string name;
  std::int64_t revision = 0;         ///< of the schedule that was read
  WallTime due;                      ///< its next_run_at
  std::optional<WallTime> next;      ///< what next_run_at becomes
  std::optional<WallTime> last_run;  ///< the newest time fired; absent when all were skipped
  std::vector<NewTask> tasks;        ///< one for each time fired
  std::string error;                 ///< why there are none, for last_error
};
struct Fired {
  bool ours = false;                  ///< false: another process was first, or the schedule has changed
  std::vector<std::string> task_ids;  ///< of new tasks; what a unique key held back is not among them
  int held_back = 0;
};

inline constexpr int kMaxSchedules = 10'000;

/// Thread-safe; every method is one transaction, durable on return.
class ScheduleStore {
 public:
  virtual ~ScheduleStore() = default;

  /// Adds or replaces; what is known of earlier firings stays. kResourceExhausted beyond kMaxSchedules.
  [[nodiscard]] virtual Result<Schedule> PutSchedule(const Schedule& schedule) = 0;
  /// Returns whether there was one. Its tasks stay.
  [[nodiscard]] virtual Result<bool> DeleteSchedule(const std::string& name) = 0;
  /// kNotFound.
  [[nodiscard]] virtual Result<Schedule> GetSchedule(const std::string& name) = 0;
  /// By name.
  [[nodiscard]] virtual Result<std::vector<Schedule>> Schedules() = 0;
  /// Pauses when `next` is absent, otherwise resumes with it. kNotFound.
  [[nodiscard]] virtual Result<Schedule> MoveSchedule(const std::string& name, std::optional<WallTime> next) = 0;

  /// Those whose next_run_at has come, the longest due first.
  [[nodiscard]] virtual Result<std::vector<Schedule>> DueSchedules(WallTime now, int limit) = 0;
  /// The earliest next_run_at.
  [[nodiscard]] virtual Result<std::optional<WallTime>> NextFiring() = 0;
  /// Submits the tasks and moves next_run_at on, both or neither, if the schedule still stands as `firing` says. Errors
  /// of TaskStore::Submit; then nothing has changed.
  [[nodiscard]] virtual Result<Fired> Fire(const Firing& firing) = 0;

  /// `listener` runs after each change by this process that may have moved NextFiring. It must only signal.
  [[nodiscard]] virtual Subscription OnSchedules(std::function<void()> listener) = 0;
};

/// kInvalidArgument names the field. Knows nothing of cron and time zones.
[[nodiscard]] Result<void> CheckSchedule(const Schedule& schedule);

/// The task for the time `at`, and the idempotency key it has.
[[nodiscard]] NewTask TaskOf(const Schedule& schedule, WallTime now);
[[nodiscard]] std::string FiringKey(const std::string& name, WallTime at);

/// What the stores share: a schedule's task as text, and what last_error says after a firing.
[[nodiscard]] std::string WriteScheduledTask(const ScheduledTask& task);
[[nodiscard]] Result<ScheduledTask> ReadScheduledTask(std::string_view text);
[[nodiscard]] std::string ErrorAfter(const Firing& firing, const std::string& held_back_by);

}  // namespace seedcore::store
