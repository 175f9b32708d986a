#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <set>
#include <stop_token>
#include <string>
#include <thread>

#include "base/env.h"
#include "base/json_binding.h"
#include "base/metrics.h"
#include "queue/store_trouble.h"
#include "store/schedule_store.h"

namespace seedcore::queue {

struct SchedulerSettings {
  /// The longest sleep: a schedule that another process has stored, and a clock that was set, are noticed within it.
  std::chrono::milliseconds poll{5'000};
  int batch = 100;  ///< schedules read at a time
};

struct SchedulerStatus {
  bool running = false;
  std::int64_t submitted = 0;
  std::int64_t held_back = 0;
  std::string error;

  static constexpr auto kFields =
      Fields(Required("running", &SchedulerStatus::running, "False once it has been stopped"),
             Required("submitted", &SchedulerStatus::submitted, "Tasks submitted by this process"),
             Required("held_back", &SchedulerStatus::held_back, "Times at which an earlier task was not finished"),
             Optional("error", &SchedulerStatus::error, "What fails now; empty: nothing"));
};

/// What a scheduler does, without its thread: fires the schedules whose time has come.
class SchedulerRounds {
 public:
  SchedulerRounds(Env& env, store::ScheduleStore& store, Metrics& metrics, SchedulerSettings settings);

  /// One look at the store. Returns how long to wait before the next.
  [[nodiscard]] std::chrono::nanoseconds Round(const std::stop_token& stop);
  [[nodiscard]] SchedulerStatus Status() const;

 private:
  /// Whether all that is due could be fired.
  Result<bool> FireDue(const std::stop_token& stop);
  Result<void> FireOne(const store::Schedule& schedule);

  Env& env_;
  store::ScheduleStore& store_;
  const SchedulerSettings settings_;
  Counter& submitted_metric_;
  Counter& held_back_metric_;
  StoreTrouble trouble_;
  std::atomic<std::int64_t> submitted_{0};
  std::atomic<std::int64_t> held_back_{0};
  std::set<std::string> said_;  // what kept schedules from being fired at the last look
  mutable std::mutex mutex_;    // guards error_
  std::string error_;           // of a schedule that cannot be fired here
};

/// A thread that makes the rounds, from construction to Stop; it sleeps until the next time comes. Any number of
/// schedulers may share a store: each time of a schedule is fired once.
class Scheduler {
 public:
  Scheduler(Env& env, store::ScheduleStore& store, Metrics& metrics, SchedulerSettings settings = {});
  ~Scheduler();

  /// Returns once the transaction under way has ended. Idempotent.
  void Stop();
  [[nodiscard]] SchedulerStatus Status() const;

 private:
  void Loop(const std::stop_token& stop);

  Env& env_;
  SchedulerRounds rounds_;
  std::atomic<bool> running_{true};
  std::mutex mutex_;  // guards changed_
  std::condition_variable_any changed_cv_;
  bool changed_ = false;
  std::jthread thread_;
  store::Subscription schedules_;  // goes first: its listener uses the rest
};

}  // namespace seedcore::queue
