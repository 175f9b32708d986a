#include "queue/scheduler.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "queue/schedule_times.h"

namespace seedcore::queue {
namespace {

/// The answer to some firings will be the same however often they are tried.
bool IsHopeless(ErrorCode code) {
  return code == ErrorCode::kConflict || code == ErrorCode::kInvalidArgument || code == ErrorCode::kNonRetryable;
}

}  // namespace

SchedulerRounds::SchedulerRounds(Env& env, store::ScheduleStore& store, Metrics& metrics, SchedulerSettings settings)
    : env_(env),
      store_(store),
      settings_(settings),
      submitted_metric_(metrics.GetCounter("seedcore_schedule_tasks_total", "Tasks submitted by schedules.")),
      held_back_metric_(metrics.GetCounter("seedcore_schedule_held_back_total",
                                           "Times of schedules at which an earlier task was not finished.")),
      trouble_(env, "scheduler", "fire") {}

std::chrono::nanoseconds SchedulerRounds::Round(const std::stop_token& stop) {
  const auto fired = FireDue(stop);
  if (!fired) return trouble_.Failed(fired.error());
  trouble_.Succeeded();
  // What cannot be fired here stays due; it is not a reason to look again at once.
  if (!*fired) return settings_.poll;
  const auto next = store_.NextFiring();
  if (!next) return trouble_.Failed(next.error());
  if (!*next) return settings_.poll;
  const std::chrono::nanoseconds left = **next - env_.WallNow();
  return std::clamp<std::chrono::nanoseconds>(left, std::chrono::nanoseconds(0), settings_.poll);
}

Result<bool> SchedulerRounds::FireDue(const std::stop_token& stop) {
  std::string error;
  std::set<std::string> troubles;
  int due_count = settings_.batch;
  while (due_count == settings_.batch && error.empty() && !stop.stop_requested()) {
    SEEDCORE_RETURN_IF_ERROR(env_.Fault("scheduler.fire"));
    SEEDCORE_ASSIGN_OR_RETURN(const auto due, store_.DueSchedules(env_.WallNow(), settings_.batch));
    due_count = static_cast<int>(due.size());
    for (const store::Schedule& schedule : due) {
      const auto fired = FireOne(schedule);
      if (fired) continue;
      if (fired.error().path != "time_zone" && fired.error().path != "cron") return std::unexpected(fired.error());
      // Another machine may know the time zone. It stays due and is met at every look; that is said once.
      error = schedule.name + ": " + ToString(fired.error());
      if (!said_.contains(error)) {
        log::Warning("a schedule cannot be fired here",
                     {{"schedule", schedule.name}, {"error", ToString(fired.error())}});
      }
      troubles.insert(error);
    }
  }
  said_ = std::move(troubles);
  const std::scoped_lock lock(mutex_);
  error_ = error;
  return error.empty();
}

Result<void> SchedulerRounds::FireOne(const store::Schedule& schedule) {
  SEEDCORE_ASSIGN_OR_RETURN(const ScheduleTimes times, ScheduleTimes::Of(schedule));
  const WallTime now = env_.WallNow();
  const Due due = DueTimes(schedule, times, now);
  store::Firing firing{.name = schedule.name,
                       .revision = schedule.revision,
                       .due = *schedule.next_run_at,
                       .next = due.next,
                       .last_run = {},
                       .tasks = {},
                       .error = {}};
  for (const WallTime at : due.fire) {
    store::NewTask& task = firing.tasks.emplace_back(store::TaskOf(schedule, now));
    task.idempotency_key = store::FiringKey(schedule.name, at);
  }
  if (due.fire.empty()) {
    firing.error = "missed, and skipped";
  } else {
    firing.last_run = due.fire.back();
  }
  auto fired = store_.Fire(firing);
  if (!fired && IsHopeless(fired.error().code)) {
    // The schedule must go on.
    log::Error("a scheduled task could not be submitted",
               {{"schedule", schedule.name}, {"error", ToString(fired.error())}});
    firing.tasks.clear();
    firing.error = ToString(fired.error());
    fired = store_.Fire(firing);
  }
  if (!fired) return std::unexpected(Error{fired.error().code, fired.error().message, {}});
  if (!fired->ours) return {};
  const auto count = static_cast<std::int64_t>(fired->task_ids.size());
  submitted_ += count;
  submitted_metric_.Increment(static_cast<double>(count));
  held_back_ += fired->held_back;
  held_back_metric_.Increment(fired->held_back);
  log::Debug("a schedule was fired", {{"schedule", schedule.name}, {"tasks", count}});
  return {};
}

SchedulerStatus SchedulerRounds::Status() const {
  SchedulerStatus status{.submitted = submitted_, .held_back = held_back_, .error = trouble_.Current()};
  const std::scoped_lock lock(mutex_);
  if (status.error.empty()) status.error = error_;
  return status;
}

Scheduler::Scheduler(Env& env, store::ScheduleStore& store, Metrics& metrics, SchedulerSettings settings)
    : env_(env), rounds_(env, store, metrics, settings), schedules_(store.OnSchedules([this] {
        const std::scoped_lock lock(mutex_);
        changed_ = true;
        changed_cv_.notify_all();
      })) {
  thread_ = std::jthread([this](const std::stop_token& stop) { Loop(stop); });
}

Scheduler::~Scheduler() { Stop(); }

void Scheduler::Loop(const std::stop_token& stop) {
  while (!stop.stop_requested()) {
    const Instant until = env_.Now() + rounds_.Round(stop);
    std::unique_lock lock(mutex_);
    env_.WaitUntil(lock, changed_cv_, until, stop, [&] { return changed_; });
    changed_ = false;
  }
}

void Scheduler::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  running_ = false;
}

SchedulerStatus Scheduler::Status() const {
  SchedulerStatus status = rounds_.Status();
  status.running = running_;
  return status;
}

}  // namespace seedcore::queue
