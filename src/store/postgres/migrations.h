#pragma once

#include <span>
#include <string>
#include <vector>

#include "store/postgres/connection.h"
#include "store/postgres/schema/schema.h"

namespace seedcore::store::postgres {

/// What a migration did.
struct MigrationReport {
  int from = 0;
  int to = 0;
  std::vector<std::string> notes;  ///< of a take-over (takeover.h)
};

/// Brings the database to the newest of `migrations` in one transaction under an advisory lock, so that of several
/// starters one does it and the others find it done; takes over the tables of the earlier system. Returns the version;
/// `report` may be null. kCorrupt: the database is not one of ours, or has a newer schema or one from before the first
/// of `migrations` (both versions are named). kPermissionDenied: the user may not create tables.
[[nodiscard]] Result<int> Migrate(Connection& connection, WallTime now, std::span<const Migration> migrations,
                                  MigrationReport* report = nullptr);
/// The same, within a transaction that stays open: the caller commits it, or nothing has happened.
[[nodiscard]] Result<int> MigrateUncommitted(Connection& connection, WallTime now,
                                             std::span<const Migration> migrations, MigrationReport* report = nullptr);

/// 0 for an empty database.
[[nodiscard]] Result<int> SchemaVersion(Connection& connection);

}  // namespace seedcore::store::postgres
