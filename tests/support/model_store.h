#pragma once

#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/env.h"
#include "base/metrics.h"
#include "store/admission.h"
#include "store/signal.h"
#include "store/store.h"

namespace seedcore::test {

/// A mistake built into the model on purpose, to prove that whoever watches it would notice.
enum class Defect {
  kNone,
  kTokenNotChecked,      ///< a result is taken from whoever brings it while the task runs
  kTokenNotGrown,        ///< a second claim of a task carries the token of the first
  kAttemptsNotBounded,   ///< an expired lease always goes to retry
  kLeaseNeverExpires,    ///< the reaper finds nothing
  kSubmitForgotten,      ///< now and then a task is acknowledged and not kept
  kEffectsOfTheRefused,  ///< the effects of a refused result are written all the same
  kLimitNotHeld,         ///< now and then a claim looks away from max_running
  kUniqueKeyForgotten,   ///< now and then a second task gets a unique key that is taken
};

/// The rules of store::TaskStore written in the plainest way: one list of tasks, every operation a loop over it, one
/// lock. In memory; passes the conformance suite. Thread-safe.
class ModelStore final : public store::TaskStore, public store::QueueStore {
 public:
  struct Row {
    store::Task task;
    std::int64_t seq = 0;                ///< order of submission
    std::set<std::string> dependencies;  ///< those that still exist
    bool queued_as_due = true;           ///< false while the task waits for its run_after
    store::NewTask given;
    std::optional<std::int64_t> turn;  ///< store/turn.h; given once it can run
  };
  using WriteEffects = std::function<Result<void>(const store::Effects& effects)>;

  /// `write_effects` takes what completed tasks leave behind; may be empty.
  ModelStore(Env& env, Metrics& metrics, WriteEffects write_effects, Defect defect = Defect::kNone);

  Result<std::vector<store::SubmitResult>> Submit(std::span<const store::NewTask> tasks) override;
  Result<std::vector<store::Claim>> ClaimTasks(const store::ClaimRequest& request) override;
  Result<std::vector<store::RenewResult>> Renew(std::span<const store::Lease> leases,
                                                std::chrono::milliseconds lease) override;
  Result<std::vector<Result<void>>> FinishTasks(std::span<const store::Finish> finishes) override;
  Result<int> Reap(int limit) override;
  Result<store::Task> Cancel(const std::string& id) override;
  Result<store::Task> Run(const std::string& id) override;
  Result<int> Redrive(const store::TaskFilter& filter, int limit) override;
  Result<store::Task> Get(const std::string& id_or_prefix) override;
  Result<store::TaskPage> List(const store::TaskFilter& filter, int limit, const std::string& cursor) override;
  Result<std::vector<store::TaskEvent>> Events(const std::string& task_id) override;
  Result<std::vector<store::TaskEvent>> EventsAfter(std::int64_t after, int limit) override;
  Result<store::TaskCounts> Counts() override;
  Result<std::optional<WallTime>> NextRunAfter() override;
  Result<int> DeleteFinished(WallTime before, int limit) override;
  store::Subscription OnRunnable(std::function<void()> listener) override { return runnable_.Connect(listener); }
  store::Subscription OnEvents(std::function<void()> listener) override { return events_signal_.Connect(listener); }

  Result<void> PutLimit(const store::QueueLimit& limit) override;
  Result<bool> DeleteLimit(store::LimitScope scope, const std::string& name) override;
  Result<std::vector<store::QueueLimit>> Limits() override;
  Result<store::QueuePause> Pause(const std::string& type, const std::string& reason) override;
  Result<bool> Resume(const std::string& type) override;
  Result<std::vector<store::QueuePause>> Pauses() override;
  Result<std::vector<store::QueueCounts>> Queues() override;

  /// In the order of submission. For a checker on the same thread.
  [[nodiscard]] const std::deque<Row>& rows() const { return rows_; }
  [[nodiscard]] const std::vector<store::TaskEvent>& history() const { return events_; }

 private:
  /// Locks, notes the time, and tells the listeners at the end.
  class Transaction;

  Row* FindExact(const std::string& id);
  Result<Row*> Find(const std::string& id_or_prefix);
  Result<store::SubmitResult> SubmitOne(const store::NewTask& task);
  Result<void> FinishOne(const store::Finish& finish);
  Result<void> Refuse(Row& row, const store::Finish& finish);
  void Append(const Row& row, std::string_view kind, std::string_view owner, std::string_view detail = {});
  void Release(Row& row, store::TaskStatus status);
  void End(Row& row, store::TaskStatus status);
  void Fail(Row& row, const Error& error);
  void FailDependants(const Row& cause);
  void ReleaseDependants(const Row& done);
  void ExpireLease(Row& row);
  Result<void> Requeue(Row& row, std::string_view event_kind);
  const Row* FailedDependency(const Row& row);
  bool DependenciesMet(const Row& row);
  bool Waiting(const Row& row);
  bool Claimable(const Row& row);
  void GiveTurns();
  void MoveClocks(const store::ClaimRequest& request, std::int64_t reached, std::int64_t claimed);
  const Row* UniqueHolder(const std::string& key);
  store::LimitState* LimitOf(store::LimitScope scope, const std::string& name);
  bool HasRoom(store::LimitScope scope, const std::string& name);
  bool IsAllowed(const store::Task& task);

  Env& env_;
  Counter& lease_lost_;
  const WriteEffects write_effects_;
  const Defect defect_;
  std::mutex mutex_;  // guards everything below
  WallTime now_;      // of the operation under way
  bool made_runnable_ = false;
  std::int64_t last_seq_ = 0;
  std::int64_t last_event_ = 0;
  std::deque<Row> rows_;
  std::vector<store::TaskEvent> events_;
  std::vector<store::LimitState> limits_;
  std::map<std::tuple<std::string, std::string, int>, std::int64_t> last_turns_;  // by type, domain, priority
  std::map<std::string, std::int64_t> clocks_;                                    // by type; "" for all
  std::map<std::string, store::QueuePause> pauses_;
  store::Signal runnable_;
  store::Signal events_signal_;
};

}  // namespace seedcore::test
