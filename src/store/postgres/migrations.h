#pragma once

#include <span>

#include "store/postgres/connection.h"
#include "store/postgres/schema.h"

namespace seedcore::store::postgres {

/// Brings the database to the newest of `migrations` in one transaction under an advisory lock, so that of several
/// starters one does it and the others find it done. Returns the version. kCorrupt: the database is not one of ours, or
/// has a newer schema (both versions are named). kPermissionDenied: the user may not create tables.
[[nodiscard]] Result<int> Migrate(Connection& connection, WallTime now, std::span<const Migration> migrations);

/// 0 for an empty database.
[[nodiscard]] Result<int> SchemaVersion(Connection& connection);

}  // namespace seedcore::store::postgres
