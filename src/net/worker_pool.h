#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "base/env.h"

namespace seedcore::net {

/// A fixed number of threads over one bounded queue. Thread-safe.
class WorkerPool {
 public:
  using Job = std::move_only_function<void()>;

  /// `env` outlives it.
  WorkerPool(unsigned threads, std::size_t max_queued, Env& env);
  ~WorkerPool() { Stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False when the queue is full, or the pool is stopping; `job` is then untouched. Jobs must not throw.
  [[nodiscard]] bool TrySubmit(Job& job);

  /// Whether every worker has been at one job for longer than `longest`, so that nothing that is queued will be run.
  [[nodiscard]] bool IsStuck(std::chrono::nanoseconds longest);

  /// Runs what is queued, then joins. Idempotent; one thread at a time.
  void Stop();

 private:
  void Run(Instant& begun);

  const std::size_t max_queued_;
  Env& env_;
  std::mutex mutex_;  // guards the three below
  std::deque<Job> queue_;
  bool stopping_ = false;
  std::vector<Instant> begun_;  // each worker's job; Instant::max(): it has none
  std::condition_variable work_;
  std::vector<std::jthread> threads_;
};

}  // namespace seedcore::net
