#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/env.h"
#include "base/json_binding.h"
#include "base/metrics.h"
#include "queue/handler.h"
#include "store/store.h"

namespace seedcore::queue {

/// Which types a dispatcher claims, as in store::ClaimRequest.
struct TypeChoice {
  std::vector<std::string> types{};   ///< empty: every type but those of `except`
  std::vector<std::string> except{};  ///< only where `types` names none
  friend bool operator==(const TypeChoice&, const TypeChoice&) = default;
};
using ChooseTypes = std::function<TypeChoice()>;

struct DispatcherSettings {
  std::string name = "dispatcher";          ///< in metrics, logs and health
  std::string owner_id;                     ///< of the leases; unique among all workers. Empty: made from the name
  int concurrency = 16;                     ///< the most tasks claimed at a time, and the most worker threads; 1..1024
  int claim_batch = 32;                     ///< the most tasks per claim
  std::chrono::milliseconds lease{30'000};  ///< renewed at a third
  std::chrono::milliseconds call_timeout{120'000};  ///< of one execution; a task's own deadline may end it sooner
  std::chrono::milliseconds poll{5'000};  ///< the longest sleep while idle, for changes that no signal announces
  /// Asked before each claim, by one thread at a time; no task starts before it has answered. None: every type.
  ChooseTypes choose_types{};
};

/// What a dispatcher is doing, for health and the command line. Counts are since its start.
struct DispatcherStatus {
  std::string name;
  std::string owner_id;
  bool running = false;
  int inflight = 0;
  int capacity = 0;
  int unwritten = 0;
  std::int64_t claimed = 0;
  std::int64_t completed = 0;
  std::int64_t failed = 0;
  std::int64_t retried = 0;
  std::int64_t held = 0;
  std::int64_t handed_back = 0;
  std::int64_t snoozed = 0;
  std::int64_t cancelled = 0;
  std::int64_t lease_lost = 0;
  std::optional<WallTime> last_claim;
  std::string last_error;
  std::string store_error;

  static constexpr auto kFields =
      Fields(Required("name", &DispatcherStatus::name, "Name of the dispatcher"),
             Required("owner_id", &DispatcherStatus::owner_id, "Owner of its leases"),
             Required("running", &DispatcherStatus::running, "False once it has been stopped"),
             Required("inflight", &DispatcherStatus::inflight, "Tasks claimed and not yet finished"),
             Required("capacity", &DispatcherStatus::capacity, "The most tasks in flight"),
             Required("unwritten", &DispatcherStatus::unwritten, "Results on their way to the store"),
             Required("claimed", &DispatcherStatus::claimed, "Executions claimed since the start"),
             Required("completed", &DispatcherStatus::completed, "Tasks completed"),
             Required("failed", &DispatcherStatus::failed, "Tasks failed for good"),
             Required("retried", &DispatcherStatus::retried, "Executions that failed and will be repeated"),
             Required("held", &DispatcherStatus::held, "Tasks parked until somebody resumes them"),
             Required("handed_back", &DispatcherStatus::handed_back,
                      "Tasks given back: at shutdown, or left to workers outside"),
             Required("snoozed", &DispatcherStatus::snoozed, "Executions that put their task off"),
             Required("cancelled", &DispatcherStatus::cancelled, "Running tasks told to stop by a cancellation"),
             Required("lease_lost", &DispatcherStatus::lease_lost, "Results dropped because the lease was lost"),
             Optional("last_claim", &DispatcherStatus::last_claim, "Time of the last successful claim of a task"),
             Optional("last_error", &DispatcherStatus::last_error, "The last error of the store or a handler"),
             Optional("store_error", &DispatcherStatus::store_error, "What the store fails with now; empty: it works"));
};

/// Takes runnable tasks from the store, executes them on its own threads and writes back what comes of it: claim,
/// execute, finish, each step batched over the one commit before. It claims no more than it has free workers for, is
/// woken by the store when a task becomes runnable, and bears with a store that fails for a while. Runs from
/// construction to Stop. Methods may be called from any thread. `env`, `store` and `metrics` must outlive it.
class Dispatcher {
 public:
  Dispatcher(Env& env, store::TaskStore& store, Metrics& metrics, DispatcherSettings settings, TaskHandler handler);
  /// Stops as Stop(now) does.
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  /// Claims nothing more, waits for running tasks until `deadline`, then tells them to stop and hands back those that
  /// did not finish; their attempts do not count. Returns once every handler has come back and the results are written
  /// (or given up, when the store fails past the deadline). A second call waits for the first and does nothing.
  void Stop(Instant deadline);

  /// Renews all leases now. Call after TaskStore::Cancel: a running task of this process then learns of it at once
  /// instead of within a third of a lease.
  void RenewNow();

  [[nodiscard]] DispatcherStatus Status() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
  Env& env_;
};

}  // namespace seedcore::queue
