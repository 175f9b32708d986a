#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

#include <fmt/format.h>

#include "base/result.h"

namespace seedcore::store::postgres {

/// Group commit without a thread of its own: while `leaders` callers are busy with the database, the jobs of further
/// callers pile up, and the next leader, one of those callers, does them all in one go. Thread-safe.
template <class Job>
class Combiner {
 public:
  /// `max_weight`: of the jobs done in one go, as `job.weight` says. `bound`: jobs waiting; one more is refused with
  /// kResourceExhausted.
  Combiner(int leaders, std::size_t max_weight, std::size_t bound)
      : max_leaders_(leaders), max_weight_(max_weight), bound_(bound) {}

  /// Returns when `execute(std::span<Job* const>)`, which must not throw, has done `job`, here or on another caller's
  /// thread. Every caller passes the same `execute`.
  template <class Execute>
  [[nodiscard]] Result<void> Run(Job& job, const Execute& execute) {
    std::unique_lock lock(mutex_);
    if (waiting_.size() >= bound_) {
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("the store already has {} writes waiting; try again later", waiting_.size()));
    }
    Entry entry{.job = &job};
    waiting_.push_back(&entry);
    entry.leads = leaders_ < max_leaders_;
    if (entry.leads) {
      ++leaders_;
    } else {
      entry.changed.wait(lock, [&] { return entry.done || entry.leads; });
    }
    if (!entry.leads) return {};
    // Another leader may have taken the job before this one got its turn.
    while (!entry.taken) DoBatch(lock, execute);
    PassOn();
    entry.changed.wait(lock, [&] { return entry.done; });
    return {};
  }

 private:
  struct Entry {
    Job* job;
    bool taken = false;
    bool done = false;
    bool leads = false;
    std::condition_variable changed{};
  };

  template <class Execute>
  void DoBatch(std::unique_lock<std::mutex>& lock, const Execute& execute) {
    std::vector<Entry*> entries;
    std::vector<Job*> jobs;
    std::size_t weight = 0;
    while (!waiting_.empty() && (jobs.empty() || weight + waiting_.front()->job->weight <= max_weight_)) {
      weight += waiting_.front()->job->weight;
      waiting_.front()->taken = true;
      entries.push_back(waiting_.front());
      jobs.push_back(waiting_.front()->job);
      waiting_.pop_front();
    }
    lock.unlock();
    execute(std::span<Job* const>(jobs));
    lock.lock();
    for (Entry* entry : entries) {
      entry->done = true;
      entry->changed.notify_one();
    }
  }

  /// The first who still waits leads next.
  void PassOn() {
    if (waiting_.empty()) {
      --leaders_;
      return;
    }
    // An entry that already leads has not had its turn at the lock yet; it will take what waits.
    for (Entry* entry : waiting_) {
      if (entry->leads) continue;
      entry->leads = true;
      entry->changed.notify_one();
      return;
    }
    --leaders_;
  }

  const int max_leaders_;
  const std::size_t max_weight_;
  const std::size_t bound_;
  std::mutex mutex_;  // guards everything below
  int leaders_ = 0;
  std::deque<Entry*> waiting_;
};

}  // namespace seedcore::store::postgres
