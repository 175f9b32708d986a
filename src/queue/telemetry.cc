#include "queue/telemetry.h"

namespace seedcore::queue {
namespace {

constexpr std::size_t kMaxTypes = 64;

Counter& TaskCounter(Metrics& metrics, const std::string& dispatcher, const std::string& what,
                     const std::string& help) {
  return metrics.GetCounter("seedcore_tasks_" + what + "_total", help, {{"dispatcher", dispatcher}});
}

}  // namespace

Telemetry::Telemetry(Metrics& metrics, const std::string& dispatcher)
    : claimed(TaskCounter(metrics, dispatcher, "claimed", "Tasks claimed from the store.")),
      completed(TaskCounter(metrics, dispatcher, "completed", "Tasks completed.")),
      failed(TaskCounter(metrics, dispatcher, "failed", "Tasks failed for good.")),
      retried(TaskCounter(metrics, dispatcher, "retried", "Executions that failed and will be repeated.")),
      held(TaskCounter(metrics, dispatcher, "held", "Tasks parked until somebody resumes them.")),
      handed_back(TaskCounter(metrics, dispatcher, "handed_back", "Tasks given back unfinished at shutdown.")),
      snoozed(TaskCounter(metrics, dispatcher, "snoozed", "Executions that put their task off.")),
      cancelled(
          TaskCounter(metrics, dispatcher, "cancelled", "Running tasks told to stop because they were cancelled.")),
      lease_lost(metrics.GetCounter("seedcore_lease_lost_total", "Results dropped because the lease was lost.",
                                    {{"dispatcher", dispatcher}})),
      unwritten(TaskCounter(metrics, dispatcher, "unwritten", "Results given up because the store did not take them.")),
      inflight(metrics.GetGauge("seedcore_dispatcher_inflight", "Tasks claimed and not yet finished.",
                                {{"dispatcher", dispatcher}})),
      metrics_(metrics),
      dispatcher_(dispatcher),
      wait_seconds_(metrics.GetHistogram("seedcore_task_wait_seconds", "From runnable to started.", DurationBuckets(),
                                         {{"dispatcher", dispatcher}})) {}

void Telemetry::ObserveWait(const store::Task& task, WallTime started) {
  if (!task.depends_on.empty()) return;
  const WallTime runnable = task.run_after ? std::max(*task.run_after, task.created_at) : task.created_at;
  if (started >= runnable) wait_seconds_.Observe(std::chrono::duration<double>(started - runnable).count());
}

void Telemetry::ObserveRun(const std::string& type, double seconds) {
  Histogram* histogram = nullptr;
  {
    const std::scoped_lock lock(mutex_);
    const auto known = run_seconds_.find(type);
    if (known != run_seconds_.end()) {
      histogram = known->second;
    } else {
      const std::string label = run_seconds_.size() < kMaxTypes ? type : "other";
      histogram = &metrics_.GetHistogram("seedcore_task_run_seconds", "Time in the handler.", DurationBuckets(),
                                         {{"dispatcher", dispatcher_}, {"type", label}});
      if (run_seconds_.size() < kMaxTypes) run_seconds_.emplace(type, histogram);
    }
  }
  histogram->Observe(seconds);
}

void Telemetry::NoteError(std::string error) {
  const std::scoped_lock lock(mutex_);
  last_error_ = std::move(error);
}

void Telemetry::NoteClaim(WallTime at) {
  const std::scoped_lock lock(mutex_);
  last_claim_ = at;
}

std::string Telemetry::LastError() const {
  const std::scoped_lock lock(mutex_);
  return last_error_;
}

std::optional<WallTime> Telemetry::LastClaim() const {
  const std::scoped_lock lock(mutex_);
  return last_claim_;
}

}  // namespace seedcore::queue
