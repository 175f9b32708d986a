#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "store/postgres/combiner.h"
#include "store/postgres/database.h"
#include "store/prepared_task.h"
#include "store/store.h"
#include "store/stream_retention.h"

namespace seedcore::store::postgres {

/// The error of a task that nobody began in time.
inline constexpr std::string_view kDeadlinePassed = "the deadline of the task has passed";

/// What one caller of Submit wants stored, all plain tasks: without idempotency key, unique key and
/// dependencies.
struct SubmitJob {
  std::span<const PreparedTask> tasks;
  std::span<const std::string> ids;
  std::size_t weight = 0;  ///< bytes, roughly
  Result<WallTime> stored_at = WallTime{};
};

/// What one caller of FinishTasks reports.
struct FinishJob {
  std::span<const Finish> finishes;
  std::vector<std::string> results;  ///< as JSON, one for each; empty: none
  std::size_t weight = 0;            ///< bytes, roughly
  bool is_plain = true;              ///< takes one statement; otherwise a transaction of its own
  std::vector<Result<void>> answers;
  std::vector<bool> left;  ///< which of them are left alone, since another transaction has their tasks in its hands
  Result<void> outcome;
};

/// Tasks on PostgreSQL. One .cc file per group of operations: task_submit, task_claim, task_lease,
/// task_progress, task_finish (with task_outcomes), task_snooze, task_control, task_query. What takes several steps is
/// a function in the database (schema/control.cc), so that it is one round trip.
class PostgresTaskStore final : public TaskStore {
 public:
  PostgresTaskStore(Database& database, Env& env, std::size_t queue_bound);
  /// Before anything else is called.
  void Forget(const StreamRetention& streams) { streams_ = streams; }

  Result<std::vector<SubmitResult>> Submit(std::span<const NewTask> tasks) override;

  Result<std::vector<Claim>> ClaimTasks(const ClaimRequest& request) override;
  Result<std::vector<RenewResult>> Renew(std::span<const Lease> leases, std::chrono::milliseconds lease) override;
  Result<int> Reap(int limit) override;
  Result<std::vector<ProgressAnswer>> ReportProgress(std::span<const ProgressReport> reports) override;
  Result<std::map<std::string, StoredProgress>> ProgressOf(std::span<const std::string> ids) override;

  Result<std::vector<Result<void>>> FinishTasks(std::span<const Finish> finishes) override;

  Result<Task> Cancel(const std::string& id) override;
  Result<Task> Run(const std::string& id) override;
  Result<int> Redrive(const TaskFilter& filter, int limit) override;
  Result<int> DeleteFinished(WallTime before, int limit) override;
  Result<bool> HasFinished(WallTime before) override;

  Result<Task> Get(const std::string& id_or_prefix) override;
  Result<TaskPage> List(const TaskFilter& filter, int limit, const std::string& cursor) override;
  Result<std::vector<TaskEvent>> Events(const std::string& task_id) override;
  Result<std::vector<TaskEvent>> EventsAfter(std::int64_t after, int limit) override;
  Result<TaskCounts> Counts() override;
  Result<std::optional<WallTime>> NextRunAfter() override;

  Subscription OnRunnable(std::function<void()> listener) override;
  Subscription OnEvents(std::function<void()> listener) override;

 private:
  Result<std::vector<SubmitResult>> SubmitPlain(std::span<const PreparedTask> tasks);
  Result<std::vector<SubmitResult>> SubmitOneByOne(std::span<const PreparedTask> tasks);
  void StoreJobs(std::span<SubmitJob* const> jobs);
  void FinishJobs(std::span<FinishJob* const> jobs);
  Result<void> FinishTogether(std::span<FinishJob* const> jobs, bool& blocked);

  Database& database_;
  Env& env_;
  Combiner<SubmitJob> submits_;
  Combiner<FinishJob> finishes_;
  std::mutex cursor_mutex_;  // guards parked_cursor_
  std::string parked_cursor_;
  StreamRetention streams_;
  /// Somebody has lately kept tasks locked: until then no result waits for a lock, see task_finish.cc.
  std::atomic<Instant> wary_until_{};
};

}  // namespace seedcore::store::postgres
