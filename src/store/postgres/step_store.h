#pragma once

#include <string>
#include <vector>

#include "store/postgres/database.h"
#include "store/step_rules.h"
#include "store/store.h"

namespace seedcore::store::postgres {

class PostgresStepStore final : public StepStore {
 public:
  explicit PostgresStepStore(Database& database) : database_(database) {}

  Result<std::vector<TaskStep>> SavePlan(const Lease& lease, const NewPlan& plan) override;
  Result<void> WriteSteps(const Lease& lease, std::span<const StepWrite> writes, const Effects& effects) override;
  Result<std::vector<TaskStep>> Steps(const std::string& task_id) override;
  Result<Task> Answer(const std::string& task_id, const std::string& step, const StepAnswer& answer) override;
  Result<Task> Replay(const std::string& task_id, const std::string& from_step) override;
  Result<Task> Fork(const std::string& task_id, const std::string& from_step) override;

 private:
  Database& database_;
};

/// In the transaction that will end the task, before its state changes: locks the task and writes the steps. kLeaseLost
/// and the other refusals of WriteSteps have written nothing.
[[nodiscard]] Result<void> WriteStepsOf(WriteContext& context, const Lease& lease,
                                        std::span<const PreparedStepWrite> writes);
/// After a task was parked for a step: queued again if nothing waits any more.
[[nodiscard]] Result<void> AfterHold(WriteContext& context, const std::string& task_id);
/// Steps that nobody has answered in time fail, of at most `limit` tasks. Returns of how many.
[[nodiscard]] Result<int> ExpireWaits(WriteContext& context, int limit);

}  // namespace seedcore::store::postgres
