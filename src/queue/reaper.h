#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>

#include "base/env.h"
#include "base/json_binding.h"
#include "base/metrics.h"
#include "queue/store_trouble.h"
#include "store/store.h"

namespace seedcore::queue {

struct ReaperSettings {
  /// Between two looks, times U[0.75, 1.25]. A crashed worker's task is thus claimable again within lease + 2 s.
  std::chrono::milliseconds period{1'000};
  int batch = 200;                                     ///< tasks per transaction
  std::optional<std::chrono::hours> keep_finished;     ///< older finished tasks are deleted; none: kept for ever
  std::chrono::milliseconds retention_period{60'000};  ///< between two looks for tasks to delete
};

struct ReaperStatus {
  bool running = false;
  std::int64_t reaped = 0;
  std::int64_t deleted = 0;
  std::string store_error;

  static constexpr auto kFields =
      Fields(Required("running", &ReaperStatus::running, "False once it has been stopped"),
             Required("reaped", &ReaperStatus::reaped, "Tasks taken from dead workers or past their deadline"),
             Required("deleted", &ReaperStatus::deleted, "Finished tasks deleted by retention"),
             Optional("store_error", &ReaperStatus::store_error, "What the store fails with now; empty: it works"));
};

/// What a reaper does, without its thread: brings back the tasks of workers that died, fails those past their deadline,
/// and deletes finished ones that are older than wanted.
class ReaperRounds {
 public:
  ReaperRounds(Env& env, store::TaskStore& store, Metrics& metrics, ReaperSettings settings);

  /// One look at the store. Returns how long to wait before the next.
  [[nodiscard]] std::chrono::nanoseconds Round(const std::stop_token& stop);
  [[nodiscard]] ReaperStatus Status() const { return {false, reaped_, deleted_, trouble_.Current()}; }

 private:
  Result<void> Reap(const std::stop_token& stop);
  /// Spends half a period at most, so that leases are not forgotten over it. Returns whether it got to the end; if not,
  /// the next round goes on.
  Result<bool> DeleteOld(const std::stop_token& stop);

  Env& env_;
  store::TaskStore& store_;
  const ReaperSettings settings_;
  Counter& reaped_metric_;
  Counter& deleted_metric_;
  StoreTrouble trouble_;
  Instant delete_at_;
  std::atomic<std::int64_t> reaped_{0};
  std::atomic<std::int64_t> deleted_{0};
};

/// A thread that makes the rounds, from construction to Stop. Any number of reapers may share a store.
class Reaper {
 public:
  Reaper(Env& env, store::TaskStore& store, Metrics& metrics, ReaperSettings settings);
  ~Reaper();

  /// Returns once the transaction under way has ended. Idempotent.
  void Stop();
  [[nodiscard]] ReaperStatus Status() const;

 private:
  ReaperRounds rounds_;
  std::atomic<bool> running_{true};
  std::jthread thread_;
};

}  // namespace seedcore::queue
