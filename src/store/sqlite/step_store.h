#pragma once

#include <string>
#include <vector>

#include "store/sqlite/readers.h"
#include "store/sqlite/task_writes.h"
#include "store/sqlite/writer.h"
#include "store/step_rules.h"
#include "store/store.h"

namespace seedcore::store::sqlite {

class SqliteStepStore final : public StepStore {
 public:
  SqliteStepStore(Writer& writer, Readers& readers) : writer_(writer), readers_(readers) {}

  Result<std::vector<TaskStep>> SavePlan(const Lease& lease, const NewPlan& plan) override;
  Result<void> WriteSteps(const Lease& lease, std::span<const StepWrite> writes, const Effects& effects) override;
  Result<std::vector<TaskStep>> Steps(const std::string& task_id) override;
  Result<Task> Answer(const std::string& task_id, const std::string& step, const StepAnswer& answer) override;
  Result<Task> Replay(const std::string& task_id, const std::string& from_step) override;
  Result<Task> Fork(const std::string& task_id, const std::string& from_step) override;

 private:
  Writer& writer_;
  Readers& readers_;
};

enum class StepResults { kWithout, kWith };
[[nodiscard]] Result<std::vector<StepRow>> ReadSteps(Database& database, std::int64_t task_seq, StepResults results);
/// `task`: as it is when the events are written.
[[nodiscard]] Result<void> ApplyChanges(WriteContext& context, const TaskHead& task, const StepChanges& changes);
/// The writes of a finished task, before its state changes. The caller has checked the lease.
[[nodiscard]] Result<void> WriteStepsOf(WriteContext& context, const TaskHead& task,
                                        std::span<const PreparedStepWrite> writes, std::int64_t fencing_token);
/// After a task was parked for a step: queued again if nothing waits any more.
[[nodiscard]] Result<void> AfterHold(WriteContext& context, const TaskHead& task);
/// Steps that nobody has answered in time fail, of at most `limit` tasks. Returns of how many.
[[nodiscard]] Result<int> ExpireWaits(WriteContext& context, int limit);

}  // namespace seedcore::store::sqlite
