#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace seedcore::net {

/// A fixed number of threads over one bounded queue. Thread-safe.
class WorkerPool {
 public:
  using Job = std::move_only_function<void()>;

  WorkerPool(unsigned threads, std::size_t max_queued);
  ~WorkerPool() { Stop(); }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;

  /// False when the queue is full, or the pool is stopping; `job` is then untouched. Jobs must not throw.
  [[nodiscard]] bool TrySubmit(Job& job);

  /// Runs what is queued, then joins. Idempotent; one thread at a time.
  void Stop();

 private:
  void Run();

  const std::size_t max_queued_;
  std::mutex mutex_;  // guards queue_ and stopping_
  std::condition_variable work_;
  std::deque<Job> queue_;
  bool stopping_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace seedcore::net
