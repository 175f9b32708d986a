#include "queue/measure.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>

#include "queue/dispatcher.h"

namespace seedcore::queue {
namespace {

using namespace std::chrono_literals;

constexpr auto kIdle = 3ms;          // between two latency samples, so that each finds an idle dispatcher
constexpr auto kStartLimit = 5s;     // a task that has not begun by then never will
constexpr auto kLookInterval = 1ms;  // how often the progress of a drain is looked at

store::NewTask SampleTask(bool run_immediately) {
  store::NewTask task{.type = "bench", .description = "what is the average of the last 48 readings?"};
  task.params = {{"series", "nyc_taxi"}, {"window", 48}, {"threshold", 0.75}};
  task.run_immediately = run_immediately;
  return task;
}

json::value SampleResult() { return {{"success", true}, {"answer", 42}}; }

/// Time and commits between its construction and Stop.
class Watch {
 public:
  Watch(Env& env, Metrics& metrics)
      : env_(env),
        commits_(metrics.GetCounter("seedcore_store_transactions_total", "Write transactions committed")),
        commits_before_(commits_.Value()),
        started_(env.Now()) {}

  [[nodiscard]] Instant Deadline(std::chrono::milliseconds limit) const { return started_ + limit; }
  [[nodiscard]] Rate Stop(std::int64_t tasks) const {
    return {.tasks = tasks,
            .seconds = std::chrono::duration<double>(env_.Now() - started_).count(),
            .commits = commits_.Value() - commits_before_};
  }

 private:
  Env& env_;
  Counter& commits_;
  const double commits_before_;
  const Instant started_;
};

/// Work that several threads do in rounds: until it is used up, somebody fails, or time is up.
class Rounds {
 public:
  /// `round` returns how many tasks it did; 0 ends its thread.
  void Run(Env& env, int threads, Instant deadline, const std::function<Result<std::int64_t>(int thread)>& round) {
    std::vector<std::jthread> workers;
    workers.reserve(static_cast<std::size_t>(threads));
    for (int i = 0; i < threads; ++i) {
      workers.emplace_back([&, i] {
        while (!failed_ && env.Now() < deadline) {
          const auto did = round(i);
          if (!did) {
            Fail(did.error());
            return;
          }
          if (*did == 0) return;
          done_ += *did;
        }
      });
    }
  }

  [[nodiscard]] Result<Rate> Finish(const Watch& watch) const {
    if (error_) return std::unexpected(*error_);
    return watch.Stop(done_);
  }

 private:
  void Fail(const Error& error) {
    const std::lock_guard lock(mutex_);
    failed_ = true;
    error_ = error;
  }

  std::atomic<std::int64_t> done_{0};
  std::atomic<bool> failed_{false};
  std::mutex mutex_;  // guards error_ while threads run
  std::optional<Error> error_;
};

}  // namespace

Result<Rate> MeasureSubmit(Env& env, store::TaskStore& store, Metrics& metrics, int threads, MeasureLimits limits,
                           bool run_immediately) {
  const store::NewTask task = SampleTask(run_immediately);
  std::atomic<std::int64_t> left{limits.tasks};
  Rounds rounds;
  const Watch watch(env, metrics);
  rounds.Run(env, threads, watch.Deadline(limits.time), [&](int) -> Result<std::int64_t> {
    if (left.fetch_sub(1) <= 0) return 0;
    SEEDCORE_RETURN_IF_ERROR(store.Submit(std::span(&task, 1)));
    return 1;
  });
  return rounds.Finish(watch);
}

Result<Rate> MeasureSubmitBatches(Env& env, store::TaskStore& store, Metrics& metrics, std::size_t batch,
                                  std::int64_t tasks) {
  const std::vector<store::NewTask> some(batch, SampleTask(true));
  const Watch watch(env, metrics);
  std::int64_t done = 0;
  while (done < tasks) {
    const auto now = std::min(static_cast<std::int64_t>(batch), tasks - done);
    SEEDCORE_RETURN_IF_ERROR(store.Submit(std::span(some).first(static_cast<std::size_t>(now))));
    done += now;
  }
  return watch.Stop(done);
}

Result<Rate> MeasureExecute(Env& env, store::TaskStore& store, Metrics& metrics, int concurrency, int batch,
                            MeasureLimits limits) {
  const Watch watch(env, metrics);
  Dispatcher dispatcher(env, store, metrics, {.name = "measure", .concurrency = concurrency, .claim_batch = batch},
                        [](const store::Task&, const CallContext&) { return TaskOutcome::Complete(SampleResult()); });
  DispatcherStatus status = dispatcher.Status();
  const Instant deadline = watch.Deadline(limits.time);
  while (status.completed < limits.tasks && env.Now() < deadline) {
    env.SleepFor(kLookInterval, {});
    status = dispatcher.Status();
  }
  const Rate rate = watch.Stop(status.completed);
  if (!status.store_error.empty()) return Fail(ErrorCode::kUnavailable, status.store_error);
  if (status.failed + status.retried > 0) return Fail(ErrorCode::kInternal, status.last_error);
  return rate;
}

Result<Rate> MeasureClaimFinish(Env& env, store::TaskStore& store, Metrics& metrics, int threads, int batch,
                                MeasureLimits limits) {
  Rounds rounds;
  const Watch watch(env, metrics);
  rounds.Run(env, threads, watch.Deadline(limits.time), [&](int thread) -> Result<std::int64_t> {
    SEEDCORE_ASSIGN_OR_RETURN(
        const auto claims,
        store.ClaimTasks({.owner_id = "measure-" + std::to_string(thread), .limit = batch, .types = {}}));
    if (claims.empty()) return 0;
    std::vector<store::Finish> finishes;
    finishes.reserve(claims.size());
    for (const store::Claim& claim : claims) {
      finishes.push_back({claim.lease(), store::Completed{SampleResult()}, {}});
    }
    SEEDCORE_ASSIGN_OR_RETURN(const auto finished, store.FinishTasks(finishes));
    for (const auto& one : finished) SEEDCORE_RETURN_IF_ERROR(one);
    return static_cast<std::int64_t>(claims.size());
  });
  return rounds.Finish(watch);
}

Result<std::vector<double>> MeasureStartLatency(Env& env, store::TaskStore& store, Metrics& metrics,
                                                MeasureLimits limits) {
  std::mutex mutex;  // guards begun
  std::condition_variable_any begun_cv;
  std::optional<Instant> begun;
  Dispatcher dispatcher(env, store, metrics, {.name = "latency"}, [&](const store::Task&, const CallContext&) {
    const Instant now = env.Now();
    const std::lock_guard lock(mutex);
    begun = now;
    begun_cv.notify_all();
    return TaskOutcome::Complete(nullptr);
  });
  const store::NewTask task = SampleTask(true);
  std::vector<double> milliseconds;
  const Instant deadline = env.Now() + limits.time;
  while (static_cast<std::int64_t>(milliseconds.size()) < limits.tasks && env.Now() < deadline) {
    {
      const std::lock_guard lock(mutex);
      begun.reset();
    }
    const Instant started = env.Now();
    SEEDCORE_RETURN_IF_ERROR(store.Submit(std::span(&task, 1)));
    std::unique_lock lock(mutex);
    if (!env.WaitUntil(lock, begun_cv, started + kStartLimit, {}, [&] { return begun.has_value(); })) {
      return Fail(ErrorCode::kDeadlineExceeded, "a submitted task did not start within 5 s");
    }
    milliseconds.push_back(std::chrono::duration<double, std::milli>(*begun - started).count());
    lock.unlock();
    env.SleepFor(kIdle, {});
  }
  std::ranges::sort(milliseconds);
  return milliseconds;
}

double Quantile(const std::vector<double>& ascending, double share) {
  if (ascending.empty()) return 0.0;
  const double last = static_cast<double>(ascending.size() - 1);
  return ascending[static_cast<std::size_t>(std::lround(std::clamp(share, 0.0, 1.0) * last))];
}

}  // namespace seedcore::queue
