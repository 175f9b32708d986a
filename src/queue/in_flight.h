#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <stop_token>
#include <unordered_set>
#include <vector>

#include "base/env.h"
#include "base/metrics.h"
#include "queue/execution.h"

namespace seedcore::queue {

/// How claimed tasks move between a dispatcher's threads: claimed -> waiting -> running -> finished -> written. Waiting
/// and running tasks together never exceed the capacity; finished ones that the store has not taken yet are bounded
/// too, and hold up further claims. The workers take turns at claiming: one of those with nothing to execute leads,
/// which is to wait for tasks and claim them, and then executes the first itself, so that it waits for no other thread
/// to wake. There is one worker at first; others are wanted as there is work for them. Thread-safe; calls that wait are
/// marked.
class InFlight {
 public:
  struct Limits {
    int capacity = 16;       ///< waiting and running together
    int max_unwritten = 64;  ///< finished, not yet written: no claims at or above it
  };
  /// Results to write, index by index.
  struct Batch {
    std::vector<store::Finish> finishes;
    std::vector<std::shared_ptr<Execution>> executions;
  };
  struct Counts {
    int waiting = 0;
    int running = 0;
    int unwritten = 0;
  };

  /// `gauge` follows the number of waiting and running executions.
  InFlight(Env& env, Limits limits, Gauge& gauge) : env_(env), limits_(limits), gauge_(gauge) {}

  /// Some task may have become runnable. Never blocks for long: called on the store's writer thread.
  void SignalRunnable();

  // The workers.
  /// What a worker does next: execute, or lead and claim up to so many tasks. Neither: closed.
  struct Duty {
    std::shared_ptr<Execution> execution;
    int claim = 0;
    bool wants_worker = false;  ///< nobody else is there to execute what waits, or to lead: start one more
  };
  /// The worker that was wanted is there, before its first duty: waits while it is not needed. Or there will be none.
  /// The first one, which nobody wanted, says nothing.
  void WorkerCame();
  void NoWorkerComes();
  /// Waits for a duty. Nobody leads while a claimed task waits for a worker: a claim costs a commit, so it should be
  /// for all slots that are about to be free.
  [[nodiscard]] Duty AwaitDuty();
  /// The leader has claimed, or not, and takes its next duty.
  void EndLead();
  /// Without waiting a task to execute; null when there is none.
  [[nodiscard]] std::shared_ptr<Execution> TryTake();
  /// Ends a running execution with something to write.
  void Finish(const std::shared_ptr<Execution>& execution, store::Finish finish);
  /// Ends a running execution with nothing to write.
  void Drop(const std::shared_ptr<Execution>& execution);

  // Whoever claims.
  /// How many tasks there is room for; 0 also while a claimed task waits for a worker.
  [[nodiscard]] int Capacity() const;
  /// Waits for a signal, for `until`, or for Close. A signal is used up.
  void AwaitRunnable(Instant until);
  /// Uses up a signal; whether there was one.
  [[nodiscard]] bool TakeSignal();
  /// After Close the executions are handed back instead.
  void Admit(std::vector<std::shared_ptr<Execution>> executions);

  // The finisher.
  /// Waits for results, for `until` or for `stop`, and takes what is there, up to `limit`. Without an `until` it is
  /// empty once CloseFinished was called and all are taken.
  [[nodiscard]] Batch AwaitFinished(std::size_t limit, Instant until = Instant::max(),
                                    const std::stop_token& stop = {});
  /// The same without waiting; empty also when it is better to wait.
  [[nodiscard]] Batch TakeFinished(std::size_t limit);
  /// Whether TakeFinished would come back with something.
  [[nodiscard]] bool HasFinished(std::size_t limit) const;
  /// Of these nothing is to be written any more.
  void Written(std::span<const std::shared_ptr<Execution>> executions);

  /// Waiting and running executions.
  [[nodiscard]] std::vector<std::shared_ptr<Execution>> Active() const;
  /// These, and those that are finished and not yet written.
  [[nodiscard]] std::vector<std::shared_ptr<Execution>> Held() const;
  [[nodiscard]] Counts GetCounts() const;

  /// No more work starts: waiting executions are handed back, AwaitDuty and AwaitRunnable come back.
  void Close();
  /// Waits until nothing is running, or for `deadline`. Returns whether nothing is.
  bool AwaitIdle(Instant deadline);
  /// Nothing will be finished any more.
  void CloseFinished();

 private:
  void Ended();
  void HandBack(std::shared_ptr<Execution> execution);
  // Under mutex_, as the rest:
  [[nodiscard]] std::shared_ptr<Execution> StartFirst();
  [[nodiscard]] bool ReadyToWrite(std::size_t limit) const;
  [[nodiscard]] Batch CutFinished(std::size_t limit);
  [[nodiscard]] bool NeedsLeader() const;
  [[nodiscard]] bool WantWorker();
  void CallHelp();
  void MeasureFrom(Instant now);
  void StayAside(std::unique_lock<std::mutex>& lock);
  [[nodiscard]] std::optional<Instant> AsideUntil();
  void WakeWorker();
  void WakeFinisher();
  [[nodiscard]] int Free() const;

  Env& env_;
  const Limits limits_;
  Gauge& gauge_;
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable worker_cv_;
  std::condition_variable_any aside_cv_;
  std::condition_variable_any finished_cv_;
  std::condition_variable_any runnable_cv_;
  std::condition_variable_any idle_cv_;
  std::deque<std::shared_ptr<Execution>> waiting_;
  std::unordered_set<std::shared_ptr<Execution>> running_;
  Batch finished_;
  std::unordered_set<std::shared_ptr<Execution>> unwritten_;  // finished_ and what the finisher has in hand
  int workers_ = 1;  // with the one that is wanted, if any; at most the capacity
  int idle_workers_ = 0;
  bool waking_worker_ = false;        // or starting one, or it stays aside. One at a time: it wakes the next if need be
  bool keeps_up_ = true;              // as far as is known: those who execute take what waits soon enough without help
  std::uint64_t started_ = 0;         // executions so far
  std::uint64_t started_before_ = 0;  // when a worker was woken or wanted, or one that stays aside has last looked
  Instant measured_from_;             // that moment
  bool led_ = false;                  // somebody leads
  bool runnable_ = false;
  bool closed_ = false;
  bool finished_closed_ = false;
};

}  // namespace seedcore::queue
