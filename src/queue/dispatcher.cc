#include "queue/dispatcher.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"
#include "queue/claimer.h"
#include "queue/finisher.h"
#include "queue/in_flight.h"
#include "queue/lease_keeper.h"
#include "queue/progress_keeper.h"
#include "queue/telemetry.h"
#include "queue/worker.h"

namespace seedcore::queue {
namespace {

DispatcherSettings Completed(DispatcherSettings settings, Env& env) {
  settings.concurrency = std::clamp(settings.concurrency, 1, 1024);
  settings.claim_batch = std::max(settings.claim_batch, 1);
  if (settings.owner_id.empty()) settings.owner_id = fmt::format("{}-{}", settings.name, env.NewId());
  return settings;
}

}  // namespace

class Dispatcher::Impl {
 public:
  Impl(Env& env, store::TaskStore& store, Metrics& metrics, DispatcherSettings settings, TaskHandler handler)
      : env_(env),
        store_(store),
        settings_(Completed(std::move(settings), env)),
        telemetry_(metrics, settings_.name),
        in_flight_(env, {settings_.concurrency, 4 * settings_.concurrency}, telemetry_.inflight),
        claimer_(env, store, in_flight_, telemetry_, settings_),
        finisher_(env, store, in_flight_, telemetry_),
        keeper_(env, store, in_flight_, telemetry_, settings_.lease),
        progress_(env, store, metrics, [this] { keeper_.RenewNow(); }),
        worker_(env, in_flight_, keeper_, telemetry_, settings_.call_timeout, std::move(handler)) {
    worker_.ReportTo(progress_);
    keeper_.Start();
    finisher_.Start();
    runnable_ = store_.OnRunnable([this] { in_flight_.SignalRunnable(); });
    const std::scoped_lock lock(workers_mutex_);  // the first worker may want another at once
    workers_.emplace_back([this] { WorkLoop(); });
  }

  void Stop(Instant deadline) {
    const std::scoped_lock lock(stop_mutex_);
    if (stopped_) return;
    stop_.request_stop();
    in_flight_.Close();
    if (!in_flight_.AwaitIdle(deadline)) {
      for (const auto& execution : in_flight_.Active()) execution->Interrupt(Fate::kStopping);
    }
    JoinWorkers();
    progress_.Stop();
    finisher_.Stop(deadline);
    keeper_.Stop();
    stopped_ = true;
    log::Info("dispatcher stopped", {{"name", settings_.name},
                                     {"completed", telemetry_.completed.Count()},
                                     {"handed_back", telemetry_.handed_back.Count()}});
  }

  void RenewNow() {
    ++renewals_wanted_;
    keeper_.RenewNow();
  }

  DispatcherStatus Status() const {
    const InFlight::Counts counts = in_flight_.GetCounts();
    DispatcherStatus status;
    status.name = settings_.name;
    status.owner_id = settings_.owner_id;
    status.running = !stopped_;
    status.inflight = counts.waiting + counts.running;
    status.capacity = settings_.concurrency;
    status.unwritten = counts.unwritten;
    status.claimed = telemetry_.claimed.Count();
    status.completed = telemetry_.completed.Count();
    status.failed = telemetry_.failed.Count();
    status.retried = telemetry_.retried.Count();
    status.held = telemetry_.held.Count();
    status.handed_back = telemetry_.handed_back.Count();
    status.snoozed = telemetry_.snoozed.Count();
    status.cancelled = telemetry_.cancelled.Count();
    status.lease_lost = telemetry_.lease_lost.Count() + telemetry_.refused.load();
    status.last_claim = telemetry_.LastClaim();
    status.last_error = telemetry_.LastError();
    for (std::string trouble : {claimer_.Trouble(), finisher_.Trouble(), keeper_.Trouble()}) {
      if (status.store_error.empty()) status.store_error = std::move(trouble);
    }
    return status;
  }

 private:
  /// Threads are started as they are needed, and stay.
  void StartWorker() {
    const std::scoped_lock lock(workers_mutex_);
    try {
      if (!stop_.stop_requested()) {
        workers_.emplace_back([this] {
          in_flight_.WorkerCame();
          WorkLoop();
        });
        return;
      }
    } catch (const std::system_error& error) {
      if (!std::exchange(lacks_threads_, true)) {
        log::Warning("no more threads for a dispatcher", {{"name", settings_.name},
                                                          {"threads", std::ssize(workers_)},
                                                          {"wanted", settings_.concurrency},
                                                          {"error", error.what()}});
      }
    }
    in_flight_.NoWorkerComes();
  }

  void JoinWorkers() {
    std::vector<std::jthread> workers;
    {
      const std::scoped_lock lock(workers_mutex_);
      workers.swap(workers_);
    }
    workers.clear();
  }

  void WorkLoop() {
    for (;;) {
      const InFlight::Duty duty = in_flight_.AwaitDuty();
      if (duty.wants_worker) StartWorker();
      if (duty.execution != nullptr) {
        worker_.Execute(duty.execution);
      } else if (duty.claim > 0) {
        Lead(duty.claim);
        in_flight_.EndLead();
      } else {
        return;
      }
    }
  }

  void Lead(int free) {
    if (!in_flight_.TakeSignal()) in_flight_.AwaitRunnable(claimer_.NextLook());
    if (stop_.stop_requested()) return;
    const std::uint64_t wanted = renewals_wanted_;
    const auto pause = claimer_.Look(free);
    // A task that was cancelled right after it had been claimed was not among those whose leases were renewed then.
    if (renewals_wanted_ != wanted) keeper_.RenewNow();
    if (pause) env_.SleepFor(*pause, stop_.get_token());
  }

  Env& env_;
  store::TaskStore& store_;
  const DispatcherSettings settings_;
  Telemetry telemetry_;
  InFlight in_flight_;
  Claimer claimer_;
  Finisher finisher_;
  LeaseKeeper keeper_;
  ProgressKeeper progress_;
  Worker worker_;
  std::atomic<std::uint64_t> renewals_wanted_{0};
  std::stop_source stop_;
  std::mutex workers_mutex_;  // guards the two below; nobody starts after a stop was requested
  std::vector<std::jthread> workers_;
  bool lacks_threads_ = false;
  store::Subscription runnable_;  // goes first: its listener uses in_flight_
  std::mutex stop_mutex_;         // held while stopping
  std::atomic<bool> stopped_{false};
};

Dispatcher::Dispatcher(Env& env, store::TaskStore& store, Metrics& metrics, DispatcherSettings settings,
                       TaskHandler handler)
    : impl_(std::make_unique<Impl>(env, store, metrics, std::move(settings), std::move(handler))), env_(env) {}

Dispatcher::~Dispatcher() { impl_->Stop(env_.Now()); }

void Dispatcher::Stop(Instant deadline) { impl_->Stop(deadline); }

void Dispatcher::RenewNow() { impl_->RenewNow(); }

DispatcherStatus Dispatcher::Status() const { return impl_->Status(); }

}  // namespace seedcore::queue
