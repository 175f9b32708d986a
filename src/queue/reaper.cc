#include "queue/reaper.h"

#include <algorithm>

#include "base/log.h"

namespace seedcore::queue {

ReaperRounds::ReaperRounds(Env& env, store::TaskStore& store, Metrics& metrics, ReaperSettings settings)
    : env_(env),
      store_(store),
      settings_(settings),
      reaped_metric_(metrics.GetCounter("seedcore_tasks_reaped_total",
                                        "Tasks taken from dead workers, or failed because their deadline passed.")),
      deleted_metric_(metrics.GetCounter("seedcore_tasks_deleted_total", "Finished tasks deleted by retention.")),
      trouble_(env, "reaper", "reap"),
      delete_at_(env.Now()) {}

std::chrono::nanoseconds ReaperRounds::Round(const std::stop_token& stop) {
  auto done = Reap(stop);
  if (done && env_.Now() >= delete_at_) {
    const auto all_deleted = DeleteOld(stop);
    if (!all_deleted) done = std::unexpected(all_deleted.error());
    if (all_deleted && *all_deleted) delete_at_ = env_.Now() + settings_.retention_period;
  }
  const auto pause =
      std::chrono::duration_cast<std::chrono::nanoseconds>(settings_.period * (0.75 + 0.5 * env_.RandomUnit()));
  if (!done) return std::max<std::chrono::nanoseconds>(pause, trouble_.Failed(done.error()));
  trouble_.Succeeded();
  return pause;
}

Result<void> ReaperRounds::Reap(const std::stop_token& stop) {
  int touched = settings_.batch;
  while (touched == settings_.batch && !stop.stop_requested()) {
    SEEDCORE_RETURN_IF_ERROR(env_.Fault("reaper.reap"));
    SEEDCORE_ASSIGN_OR_RETURN(touched, store_.Reap(settings_.batch));
    if (touched == 0) break;
    reaped_ += touched;
    reaped_metric_.Increment(touched);
    log::Warning("tasks reaped: their lease or deadline had passed", {{"count", touched}});
  }
  return {};
}

Result<bool> ReaperRounds::DeleteOld(const std::stop_token& stop) {
  const Instant until = env_.Now() + settings_.period / 2;
  while (!stop.stop_requested() && env_.Now() < until) {
    // Where tasks are kept for ever, the look is for what the store keeps beside them.
    const WallTime before = settings_.keep_finished ? env_.WallNow() - *settings_.keep_finished : WallTime{};
    SEEDCORE_ASSIGN_OR_RETURN(const int deleted, store_.DeleteFinished(before, settings_.batch));
    deleted_ += deleted;
    deleted_metric_.Increment(deleted);
    if (deleted == settings_.batch) continue;
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, store_.HasFinished(before));
    return !more;
  }
  return false;
}

Reaper::Reaper(Env& env, store::TaskStore& store, Metrics& metrics, ReaperSettings settings)
    : rounds_(env, store, metrics, settings), thread_([this, &env](const std::stop_token& stop) {
        while (!stop.stop_requested() && env.SleepFor(rounds_.Round(stop), stop)) {
        }
      }) {}

Reaper::~Reaper() { Stop(); }

void Reaper::Stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
  running_ = false;
}

ReaperStatus Reaper::Status() const {
  ReaperStatus status = rounds_.Status();
  status.running = running_;
  return status;
}

}  // namespace seedcore::queue
