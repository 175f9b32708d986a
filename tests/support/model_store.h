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
#include "store/step_rules.h"
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
  kSnoozeNotWaited,      ///< a task that is put off can be claimed at once
  kSnoozeCounted,        ///< an execution that puts its task off counts as an attempt
  kNewestFirst,          ///< a claim takes the newest task instead of the one whose turn it is
  kFlowsForgotten,       ///< the tasks of a flow all get one turn
  kClocksStand,          ///< claims move no clock
  kStepsLost,            ///< with the lease of a task its steps are lost, too
  kStepLeaseNotChecked,  ///< a step is written by whoever brings it while the task runs
  kPlanAnew,             ///< whoever saves a plan is told that nothing of it is done
};

/// The rules of store::TaskStore written in the plainest way: one list of tasks, every operation a loop over it, one
/// lock. In memory; passes the conformance suite. Thread-safe.
class ModelStore final : public store::TaskStore,
                         public store::QueueStore,
                         public store::ScheduleStore,
                         public store::StepStore {
 public:
  struct Row {
    store::Task task;
    std::int64_t seq = 0;                ///< order of submission
    std::set<std::string> dependencies;  ///< those that still exist
    bool queued_as_due = true;           ///< false while the task waits for its run_after
    store::NewTask given;
    std::vector<store::StepRow> steps{};
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
  Result<std::vector<store::ProgressAnswer>> ReportProgress(std::span<const store::ProgressReport> reports) override;
  Result<std::map<std::string, store::StoredProgress>> ProgressOf(std::span<const std::string> ids) override;
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
  Result<bool> HasFinished(WallTime before) override;
  store::Subscription OnRunnable(std::function<void()> listener) override { return runnable_.Connect(listener); }
  store::Subscription OnEvents(std::function<void()> listener) override { return events_signal_.Connect(listener); }

  Result<void> PutLimit(const store::QueueLimit& limit) override;
  Result<bool> DeleteLimit(store::LimitScope scope, const std::string& name) override;
  Result<std::vector<store::QueueLimit>> Limits() override;
  Result<store::QueuePause> Pause(const std::string& type, const std::string& reason) override;
  Result<bool> Resume(const std::string& type) override;
  Result<std::vector<store::QueuePause>> Pauses() override;
  Result<void> AddExternalTypes(std::span<const std::string> types) override;
  Result<bool> RemoveExternalType(const std::string& type) override;
  Result<std::vector<store::ExternalType>> ExternalTypes() override;
  Result<std::vector<store::QueueCounts>> Queues() override;

  Result<std::vector<store::TaskStep>> SavePlan(const store::Lease& lease, const store::NewPlan& plan) override;
  Result<void> WriteSteps(const store::Lease& lease, std::span<const store::StepWrite> writes,
                          const store::Effects& effects) override;
  Result<std::vector<store::TaskStep>> Steps(const std::string& task_id) override;
  Result<store::Task> Answer(const std::string& task_id, const std::string& step,
                             const store::StepAnswer& answer) override;
  Result<store::Task> Replay(const std::string& task_id, const std::string& from_step) override;
  Result<store::Task> Fork(const std::string& task_id, const std::string& from_step) override;
  Result<store::Schedule> PutSchedule(const store::Schedule& schedule) override;
  Result<bool> DeleteSchedule(const std::string& name) override;
  Result<store::Schedule> GetSchedule(const std::string& name) override;
  Result<std::vector<store::Schedule>> Schedules() override;
  Result<store::Schedule> MoveSchedule(const std::string& name, std::optional<WallTime> next) override;
  Result<std::vector<store::Schedule>> DueSchedules(WallTime now, int limit) override;
  Result<std::optional<WallTime>> NextFiring() override;
  Result<store::Fired> Fire(const store::Firing& firing) override;
  store::Subscription OnSchedules(std::function<void()> listener) override {
    return schedules_signal_.Connect(listener);
  }

  /// In the order of submission. For a checker on the same thread.
  [[nodiscard]] const std::deque<Row>& rows() const { return rows_; }
  [[nodiscard]] const std::vector<store::TaskEvent>& history() const { return events_; }

 private:
  /// Locks, notes the time, and tells the listeners at the end.
  class Transaction;

  Row* FindExact(const std::string& id);
  Result<Row*> Find(const std::string& id_or_prefix);
  Result<std::vector<store::SubmitResult>> SubmitAll(std::span<const store::NewTask> tasks);
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
  Result<Row*> UnderLease(const store::Lease& lease);
  void Apply(Row& row, const store::StepChanges& changes);
  Result<void> WriteStepsOf(Row& row, std::span<const store::StepWrite> writes, std::int64_t token);
  int ExpireWaits(int limit);
  Result<void> Requeue(Row& row, std::string_view event_kind);
  const Row* FailedDependency(const Row& row);
  bool DependenciesMet(const Row& row);
  bool Waiting(const Row& row);
  bool Claimable(const Row& row);
  bool SnoozedEnough(const Row& row, WallTime run_after);
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
  std::vector<store::ExternalType> external_types_;  // by type
  std::map<std::string, store::Schedule> schedules_;
  store::Signal runnable_;
  store::Signal schedules_signal_;
  store::Signal events_signal_;
};

}  // namespace seedcore::test
