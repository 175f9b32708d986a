#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "base/env.h"
#include "base/metrics.h"
#include "store/store.h"

/// What a store and a dispatcher on it can do on this machine. Used by `seedcore bench` and bench/queue_bench.cc. Each
/// call works on a store that nobody else uses, and ends within its limits.
namespace seedcore::queue {

struct Rate {
  std::int64_t tasks = 0;
  double seconds = 0.0;
  double commits = 0.0;  ///< write transactions, each with one fsync
  [[nodiscard]] double PerSecond() const { return seconds > 0.0 ? static_cast<double>(tasks) / seconds : 0.0; }
  [[nodiscard]] double TasksPerCommit() const { return commits > 0.0 ? static_cast<double>(tasks) / commits : 0.0; }
};

struct MeasureLimits {
  std::int64_t tasks = 20'000;
  std::chrono::milliseconds time{5'000};  ///< what has been done by then counts
};

/// Tasks submitted one per call from `threads` threads, each call durable before the next. `metrics` is that of the
/// store. `run_immediately` false: they stay `created`.
[[nodiscard]] Result<Rate> MeasureSubmit(Env& env, store::TaskStore& store, Metrics& metrics, int threads,
                                         MeasureLimits limits, bool run_immediately = true);

/// Tasks submitted `batch` per call from one thread: how a queue is filled before it is drained.
[[nodiscard]] Result<Rate> MeasureSubmitBatches(Env& env, store::TaskStore& store, Metrics& metrics, std::size_t batch,
                                                std::int64_t tasks);

/// Tasks that are queued now, claimed, executed by a handler that does nothing and completed by a Dispatcher with
/// `concurrency` workers and claims of up to `batch`.
[[nodiscard]] Result<Rate> MeasureExecute(Env& env, store::TaskStore& store, Metrics& metrics, int concurrency,
                                          int batch, MeasureLimits limits);

/// The same without a dispatcher: `threads` threads that claim up to `batch` tasks and complete them, until none is
/// left.
[[nodiscard]] Result<Rate> MeasureClaimFinish(Env& env, store::TaskStore& store, Metrics& metrics, int threads,
                                              int batch, MeasureLimits limits);

/// Milliseconds from the call of Submit to the first statement of the handler, one task at a time on an idle
/// dispatcher, ascending; at most limits.tasks of them.
[[nodiscard]] Result<std::vector<double>> MeasureStartLatency(Env& env, store::TaskStore& store, Metrics& metrics,
                                                              MeasureLimits limits);

/// The value below which `share` (0..1) of the ascending values lie; 0 when there are none.
[[nodiscard]] double Quantile(const std::vector<double>& ascending, double share);

}  // namespace seedcore::queue
