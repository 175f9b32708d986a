#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "store/sqlite/writer.h"
#include "store/step_rules.h"
#include "store/store.h"

/// What the two ways of ending tasks share: one by one, whatever the outcome (task_finish.cc), and many completions at
/// once (task_completions.cc). On the writer's thread, inside the transaction.
namespace seedcore::store::sqlite {

/// An outcome with its result already written as JSON, on the caller's thread.
struct PreparedFinish {
  const Finish* finish = nullptr;
  std::string result;  ///< empty: none
  Result<std::vector<PreparedStepWrite>> steps = std::vector<PreparedStepWrite>();

  /// Nothing but that the task is completed, under the lease of this owner.
  [[nodiscard]] bool IsPlain(const std::string& owner) const {
    return std::holds_alternative<Completed>(finish->outcome) && finish->steps.empty() &&
           finish->lease.owner_id == owner;
  }
};

/// The outer Result is of the transaction, the inner one is the answer to this element.
[[nodiscard]] Result<Result<void>> FinishOne(WriteContext& context, const PreparedFinish& prepared);

/// The plain completions at the beginning, of one owner, no task twice.
[[nodiscard]] std::span<const PreparedFinish> PlainCompletions(std::span<const PreparedFinish> prepared);
/// As FinishOne for each of them.
[[nodiscard]] Result<std::vector<Result<void>>> CompleteAll(WriteContext& context,
                                                            std::span<const PreparedFinish> prepared);

[[nodiscard]] Result<void> StoreResult(WriteContext& context, std::int64_t seq, const std::string& result);

}  // namespace seedcore::store::sqlite
