#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "service/operation.h"
#include "service/tasks.h"
#include "store/store.h"

/// The schedule API, `/api/v1/schedules`: tasks that are submitted over and over.
namespace seedcore::service {

struct SchedulePut {
  std::string name;
  std::optional<std::string> cron;
  std::string time_zone = "UTC";
  std::optional<double> every_s;
  store::ScheduledTask task;
  store::CatchUp catch_up = store::CatchUp::kOne;
  int max_catch_up = 10;
  store::Overlap overlap = store::Overlap::kAllow;
  bool paused = false;
  static constexpr auto kFields = Fields(
      Required("name", &SchedulePut::name, "Letters, digits, '-', '_' and '.', up to 100"),
      Sparse("cron", &SchedulePut::cron, "Five fields as in crontab(5), or @hourly and the like; instead of every_s"),
      Optional("time_zone", &SchedulePut::time_zone, "Of the cron expression, for example Europe/Berlin"),
      Sparse("every_s", &SchedulePut::every_s, "A period in seconds, 1 to 366 days; instead of cron"),
      Required("task", &SchedulePut::task, "What is submitted each time"),
      Optional("catch_up", &SchedulePut::catch_up,
               "Times that passed while nothing ran: skip them, make up for one, or for all up to max_catch_up"),
      Optional("max_catch_up", &SchedulePut::max_catch_up, "With all: the newest so many, 1 to 1000"),
      Optional("overlap", &SchedulePut::overlap,
               "skip: nothing is submitted while the task of an earlier time is not finished"),
      Optional("paused", &SchedulePut::paused, "Stored, and not fired until it is resumed"));
};

struct ScheduleRead {
  std::string name;
  std::optional<std::string> cron;
  std::string time_zone;
  std::optional<double> every_s;
  store::ScheduledTask task;
  store::CatchUp catch_up = store::CatchUp::kOne;
  int max_catch_up = 10;
  store::Overlap overlap = store::Overlap::kAllow;
  bool paused = false;
  std::optional<WallTime> next_run_at;
  std::optional<WallTime> last_run_at;
  std::optional<std::string> last_task_id;
  std::optional<std::string> last_error;
  WallTime created_at;
  WallTime updated_at;
  static constexpr auto kFields =
      Fields(Required("name", &ScheduleRead::name, "Its name"), Optional("cron", &ScheduleRead::cron, "Or null"),
             Required("time_zone", &ScheduleRead::time_zone, "Of the cron expression"),
             Optional("every_s", &ScheduleRead::every_s, "Or null"),
             Required("task", &ScheduleRead::task, "What is submitted each time"),
             Required("catch_up", &ScheduleRead::catch_up, "What becomes of times that were missed"),
             Required("max_catch_up", &ScheduleRead::max_catch_up, "With all: at most so many"),
             Required("overlap", &ScheduleRead::overlap, "allow or skip"),
             Required("paused", &ScheduleRead::paused, "Not fired"),
             Optional("next_run_at", &ScheduleRead::next_run_at, "The time to come; null while paused"),
             Optional("last_run_at", &ScheduleRead::last_run_at, "The newest time that was fired"),
             Optional("last_task_id", &ScheduleRead::last_task_id, "The newest task it submitted"),
             Optional("last_error", &ScheduleRead::last_error, "Why the last time brought no new task"),
             Required("created_at", &ScheduleRead::created_at, "First put"),
             Required("updated_at", &ScheduleRead::updated_at, "Last put, pause or resumption"));
};

struct ScheduleName {
  std::string name;
  static constexpr auto kFields = Fields(Required("name", &ScheduleName::name, "Of the schedule"));
};

struct ScheduleList {
  std::vector<ScheduleRead> items;
  static constexpr auto kFields = Fields(Required("items", &ScheduleList::items, "By name"));
};

struct ScheduleDeleted {
  bool deleted = false;
  static constexpr auto kFields =
      Fields(Required("deleted", &ScheduleDeleted::deleted, "Always true; 404 otherwise. Its tasks stay"));
};

struct ScheduleNextRequest {
  std::string name;
  int count = 10;
  static constexpr auto kFields = Fields(Required("name", &ScheduleNextRequest::name, "Of the schedule"),
                                         Optional("count", &ScheduleNextRequest::count, "How many, 1 to 1000"));
  [[nodiscard]] Result<void> Validate() const;
};

struct ScheduleTimesRead {
  std::vector<WallTime> times;
  static constexpr auto kFields =
      Fields(Required("times", &ScheduleTimesRead::times, "Beginning with the next one, also while paused"));
};

/// Thread-safe; everything it knows is in the store.
class ScheduleService {
 public:
  struct Dependencies {
    Env* env = nullptr;
    store::ScheduleStore* schedules = nullptr;
    store::TaskStore* tasks = nullptr;
    /// Whether anybody can ever execute such a task, or why not; may be empty.
    std::function<Result<void>(const std::string& type, const json::object& params)> check_task;
  };
  explicit ScheduleService(Dependencies dependencies) : dependencies_(std::move(dependencies)) {}

  Result<ScheduleList> List(const Empty& request, const CallContext& call);
  Result<ScheduleRead> Get(const ScheduleName& request, const CallContext& call);
  /// A schedule whose times are the same as before keeps the next of them.
  Result<ScheduleRead> Put(const SchedulePut& request, const CallContext& call);
  Result<ScheduleDeleted> Delete(const ScheduleName& request, const CallContext& call);
  Result<ScheduleRead> Pause(const ScheduleName& request, const CallContext& call);
  /// What passed meanwhile is not made up for. Resuming one that is not paused changes nothing.
  Result<ScheduleRead> Resume(const ScheduleName& request, const CallContext& call);
  /// Submits its task now, beside its times and whether it is paused or not.
  Result<TaskRead> Run(const ScheduleName& request, const CallContext& call);
  Result<ScheduleTimesRead> Next(const ScheduleNextRequest& request, const CallContext& call);

 private:
  Dependencies dependencies_;
};

[[nodiscard]] OperationTable<ScheduleService> ScheduleOperations();

}  // namespace seedcore::service
