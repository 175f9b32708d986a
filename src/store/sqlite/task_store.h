#pragma once

#include <map>
#include <span>
#include <string>
#include <vector>

#include "store/sqlite/readers.h"
#include "store/sqlite/writer.h"
#include "store/store.h"
#include "store/stream_retention.h"

namespace seedcore::store::sqlite {

/// Tasks on SQLite. One .cc file per group of operations: task_submit, task_claim, task_lease,
/// task_progress, task_finish, task_control, task_query.
class SqliteTaskStore final : public TaskStore {
 public:
  SqliteTaskStore(Writer& writer, Readers& readers, Env& env) : writer_(writer), readers_(readers), env_(env) {}
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
  Writer& writer_;
  Readers& readers_;
  Env& env_;
  std::string parked_cursor_;  // the writer's thread alone
  StreamRetention streams_;
};

}  // namespace seedcore::store::sqlite
