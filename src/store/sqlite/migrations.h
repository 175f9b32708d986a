#pragma once

#include <span>

#include "store/sqlite/database.h"
#include "store/sqlite/schema/schema.h"

namespace seedcore::store::sqlite {

/// Brings the database to the newest of `migrations`, one transaction per version, and does nothing when it is there.
/// kCorrupt: the file is not one of ours, or has a newer schema or one from before the first of `migrations` (both
/// versions are named).
[[nodiscard]] Result<void> Migrate(Database& database, WallTime now, std::span<const Migration> migrations);

/// 0 for a new file.
[[nodiscard]] Result<int> SchemaVersion(Database& database);

}  // namespace seedcore::store::sqlite
