#include "service/schedules.h"

#include <cmath>
#include <utility>

#include <fmt/format.h>

#include "base/strings.h"
#include "queue/schedule_times.h"
#include "service/members.h"

namespace seedcore::service {
namespace {

constexpr int kMaxTimes = 1000;
constexpr double kLongestPeriod = 366.0 * 86'400.0;

ScheduleRead ToScheduleRead(store::Schedule schedule) {
  ScheduleRead read{.name = std::move(schedule.name),
                    .cron = NonEmpty(std::move(schedule.cron)),
                    .time_zone = std::move(schedule.time_zone),
                    .every_s = {},
                    .task = std::move(schedule.task),
                    .catch_up = schedule.catch_up,
                    .max_catch_up = schedule.max_catch_up,
                    .overlap = schedule.overlap,
                    .paused = schedule.paused,
                    .next_run_at = schedule.next_run_at,
                    .last_run_at = schedule.last_run_at,
                    .last_task_id = NonEmpty(std::move(schedule.last_task_id)),
                    .last_error = NonEmpty(std::move(schedule.last_error)),
                    .created_at = schedule.created_at,
                    .updated_at = schedule.updated_at};
  if (schedule.every.count() != 0) read.every_s = static_cast<double>(schedule.every.count()) / 1000.0;
  return read;
}

Result<store::Schedule> ToSchedule(const SchedulePut& request) {
  store::Schedule schedule{.name = request.name,
                           .cron = std::string(Trim(request.cron.value_or(""))),
                           .time_zone = request.time_zone,
                           .task = request.task,
                           .catch_up = request.catch_up,
                           .max_catch_up = request.max_catch_up,
                           .overlap = request.overlap,
                           .paused = request.paused,
                           .next_run_at = {},
                           .last_run_at = {},
                           .last_task_id = {},
                           .last_error = {}};
  schedule.task.type = ToLower(Trim(schedule.task.type));
  if (request.every_s) {
    if (!(*request.every_s >= 1.0 && *request.every_s <= kLongestPeriod)) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("expected 1 to {} seconds, got {}", kLongestPeriod, *request.every_s), "every_s");
    }
    schedule.every = std::chrono::milliseconds(std::llround(*request.every_s * 1000.0));
  }
  return schedule;
}

bool SameTimes(const store::Schedule& a, const store::Schedule& b) {
  return a.cron == b.cron && a.every == b.every && a.time_zone == b.time_zone;
}

}  // namespace

Result<void> ScheduleNextRequest::Validate() const {
  if (count >= 1 && count <= kMaxTimes) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {}, got {}", kMaxTimes, count), "count");
}

Result<ScheduleList> ScheduleService::List(const Empty&, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(auto schedules, dependencies_.schedules->Schedules());
  ScheduleList list;
  list.items.reserve(schedules.size());
  for (store::Schedule& schedule : schedules) list.items.push_back(ToScheduleRead(std::move(schedule)));
  return list;
}

Result<ScheduleRead> ScheduleService::Get(const ScheduleName& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(auto schedule, dependencies_.schedules->GetSchedule(request.name));
  return ToScheduleRead(std::move(schedule));
}

Result<ScheduleRead> ScheduleService::Put(const SchedulePut& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(store::Schedule schedule, ToSchedule(request));
  SEEDCORE_RETURN_IF_ERROR(store::CheckSchedule(schedule));
  SEEDCORE_ASSIGN_OR_RETURN(const auto times, queue::ScheduleTimes::Of(schedule));
  if (dependencies_.check_task) {
    if (auto known = dependencies_.check_task(schedule.task.type, schedule.task.params); !known) {
      known.error().path.insert(0, "task.");
      return std::unexpected(std::move(known.error()));
    }
  }
  const auto earlier = dependencies_.schedules->GetSchedule(schedule.name);
  if (!earlier && earlier.error().code != ErrorCode::kNotFound) return std::unexpected(earlier.error());
  const bool goes_on = earlier && !earlier->paused && SameTimes(*earlier, schedule);
  schedule.next_run_at = goes_on ? earlier->next_run_at : times.After(dependencies_.env->WallNow());
  SEEDCORE_ASSIGN_OR_RETURN(auto put, dependencies_.schedules->PutSchedule(schedule));
  return ToScheduleRead(std::move(put));
}

Result<ScheduleDeleted> ScheduleService::Delete(const ScheduleName& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const bool deleted, dependencies_.schedules->DeleteSchedule(request.name));
  if (deleted) return ScheduleDeleted{true};
  return Fail(ErrorCode::kNotFound, fmt::format("there is no schedule '{}'", request.name));
}

Result<ScheduleRead> ScheduleService::Pause(const ScheduleName& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(auto paused, dependencies_.schedules->MoveSchedule(request.name, std::nullopt));
  return ToScheduleRead(std::move(paused));
}

Result<ScheduleRead> ScheduleService::Resume(const ScheduleName& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(store::Schedule schedule, dependencies_.schedules->GetSchedule(request.name));
  if (schedule.paused) {
    SEEDCORE_ASSIGN_OR_RETURN(const auto times, queue::ScheduleTimes::Of(schedule));
    const WallTime next = times.After(dependencies_.env->WallNow());
    SEEDCORE_ASSIGN_OR_RETURN(schedule, dependencies_.schedules->MoveSchedule(request.name, next));
  }
  return ToScheduleRead(std::move(schedule));
}

Result<TaskRead> ScheduleService::Run(const ScheduleName& request, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto schedule, dependencies_.schedules->GetSchedule(request.name));
  store::NewTask task = store::TaskOf(schedule, dependencies_.env->WallNow());
  task.idempotency_key = call.idempotency_key;
  SEEDCORE_ASSIGN_OR_RETURN(auto submitted, dependencies_.tasks->Submit({&task, 1}));
  return ToTaskRead(std::move(submitted.front().task));
}

Result<ScheduleTimesRead> ScheduleService::Next(const ScheduleNextRequest& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto schedule, dependencies_.schedules->GetSchedule(request.name));
  SEEDCORE_ASSIGN_OR_RETURN(const auto times, queue::ScheduleTimes::Of(schedule));
  ScheduleTimesRead out;
  WallTime at = schedule.next_run_at ? *schedule.next_run_at : times.After(dependencies_.env->WallNow());
  for (int i = 0; i < request.count; ++i) {
    out.times.push_back(at);
    // Of a period without an anchor, each time follows from the one before.
    at = times.After(at);
  }
  return out;
}

OperationTable<ScheduleService> ScheduleOperations() {
  return {"/api/v1",
          "Schedules: tasks submitted over and over",
          {
              Get<&ScheduleService::List>("/schedules", "Every schedule"),
              Get<&ScheduleService::Get>("/schedules/{name}", "One schedule"),
              Put<&ScheduleService::Put>("/schedules/{name}", "Adds or replaces a schedule"),
              Delete<&ScheduleService::Delete>("/schedules/{name}", "Deletes a schedule; its tasks stay"),
              Post<&ScheduleService::Pause>("/schedules/{name}/pause", "Stops a schedule"),
              Post<&ScheduleService::Resume>("/schedules/{name}/resume", "Lets a schedule go on with its next time"),
              Post<&ScheduleService::Run>("/schedules/{name}/run", "Submits its task now, beside its times"),
              Get<&ScheduleService::Next>("/schedules/{name}/next", "The times to come"),
          },
          ""};
}

}  // namespace seedcore::service
