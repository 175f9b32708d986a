#pragma once

#include <string>
#include <vector>

#include "base/env.h"
#include "store/postgres/connection.h"

/// A database made by migrations 001 to 012 of the earlier system becomes one of ours. All steps run in the transaction
/// of the migration, so that it happens as a whole, once.
///
/// Nothing is lost: the earlier tables, views, functions and types move, as they are, into the schema
/// `seedcore_legacy`. What has a place in our tables is copied into them:
/// * tasks in every state, with a history that agrees with it. One that was running keeps its owner and lease, so that
///   it runs again once that has ended. The earlier default of three attempts and its backoff apply.
/// * task_depends_on_task: where the other task is older. One whose dependency has failed is held for a person to
/// decide.
/// * facts and what produced them, agents, organs and their members (an agent belongs to one organ here: the latest),
///   instances and the cluster epoch.
namespace seedcore::store::postgres {

/// Whether this is such a database. A partly migrated one, without leases in its tasks, is not.
[[nodiscard]] Result<bool> IsEarlierSystem(Connection& connection);
/// Moves everything of the earlier system into `seedcore_legacy`. kPermissionDenied: the user owns not all of it, or
/// may not create a schema.
[[nodiscard]] Result<void> MoveAside(Connection& connection);
/// Fills our empty tables. Returns a line for each earlier table: how many rows were taken over, how many kept.
[[nodiscard]] Result<std::vector<std::string>> TakeOver(Connection& connection, WallTime now);

extern const char kTakeOverMove[];
extern const char kTakeOverTasks[];
extern const char kTakeOverRest[];
extern const char kTakeOverGraph[];

}  // namespace seedcore::store::postgres
