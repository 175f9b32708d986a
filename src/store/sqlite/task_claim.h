#pragma once

#include <set>
#include <span>
#include <string>
#include <vector>

#include "store/sqlite/task_row.h"
#include "store/sqlite/writer.h"
#include "store/store.h"

/// What the two ways of claiming share: task_claim.cc without limits and pauses, limited_claim.cc under them. All run
/// on the writer's thread, inside the transaction of the claim.
namespace seedcore::store::sqlite {

/// Tasks past their deadline may lie before the others, or such that have to be parked; each round removes those it
/// meets, so a few rounds suffice.
inline constexpr int kMaxClaimRounds = 8;

/// The types of which there are claimable tasks, the first 1,000 by name.
[[nodiscard]] Result<std::set<std::string>> RunnableTypes(Database& database);
/// The order of claiming.
[[nodiscard]] bool ClaimedBefore(const TaskRow& a, const TaskRow& b);
[[nodiscard]] Result<void> ReadCandidates(Statement rows, std::vector<TaskRow>& out);
/// Appends the first `limit` claimable tasks of `type`.
[[nodiscard]] Result<void> CandidatesOfType(Database& database, const std::string& type, int limit,
                                            std::vector<TaskRow>& out);
/// Whether the task is past its deadline; then it has been failed.
[[nodiscard]] Result<bool> FailIfLate(WriteContext& context, const TaskRow& row);
/// Claims all of `rows`, which this transaction has read as claimable, and makes them what they are now.
[[nodiscard]] Result<void> ClaimAll(WriteContext& context, const ClaimRequest& request, std::span<TaskRow> rows);

/// A claim while limits or pauses are in force.
[[nodiscard]] Result<std::vector<TaskRow>> ClaimUnderLimits(WriteContext& context, const ClaimRequest& request);

}  // namespace seedcore::store::sqlite
