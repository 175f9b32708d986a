#include "net/worker_pool.h"

#include <algorithm>

namespace seedcore::net {

WorkerPool::WorkerPool(unsigned threads, std::size_t max_queued, Env& env)
    : max_queued_(max_queued), env_(env), begun_(std::max(1U, threads), Instant::max()) {
  for (Instant& begun : begun_) threads_.emplace_back([this, &begun] { Run(begun); });
}

bool WorkerPool::IsStuck(std::chrono::nanoseconds longest) {
  const Instant latest = env_.Now() - longest;
  const std::scoped_lock lock(mutex_);
  return std::ranges::all_of(begun_, [&](Instant begun) { return begun < latest; });
}

void WorkerPool::Stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
  }
  work_.notify_all();
  threads_.clear();
}

bool WorkerPool::TrySubmit(Job& job) {
  {
    const std::scoped_lock lock(mutex_);
    if (stopping_ || queue_.size() >= max_queued_) return false;
    queue_.push_back(std::move(job));
  }
  work_.notify_one();
  return true;
}

void WorkerPool::Run(Instant& begun) {
  std::unique_lock lock(mutex_);
  while (true) {
    work_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
    if (queue_.empty()) return;
    Job job = std::move(queue_.front());
    queue_.pop_front();
    begun = env_.Now();
    lock.unlock();
    job();
    job = nullptr;  // what it captured is released outside the lock
    lock.lock();
    begun = Instant::max();
  }
}

}  // namespace seedcore::net
