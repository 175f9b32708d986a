#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "store/tables.h"

/// Stores by what a person calls them: a path, or a DSN.
namespace seedcore::store {

/// The file of a store in its folder: what `up --data-dir` opens.
inline constexpr char kStoreFile[] = "seedcore.db";

/// A URL of the scheme postgresql or postgres, or libpq's keyword=value pairs. Everything else is a path.
[[nodiscard]] bool IsDsn(const std::string& text);

/// `place`: a DSN, a database file, or a folder with the file seedcore.db. A path that is not there yet is such a
/// folder, unless its name ends in .db, .sqlite or .sqlite3. kInvalidArgument, kNotFound, kUnavailable,
/// kUnauthenticated, kPermissionDenied, kCorrupt: as the stores say.
[[nodiscard]] Result<std::unique_ptr<Tables>> OpenTables(const std::string& place, TablesUse use, Env& env);

struct MigrateReport {
  std::string place;  ///< without user and password
  int from = 0;       ///< 0: there was none
  int to = 0;
  std::vector<std::string> notes;  ///< what was taken over from the earlier system, and what was not
};
/// Brings the store to the newest schema; makes an empty one where there is none. kCorrupt: a newer schema (both
/// versions are named), or data of another program.
[[nodiscard]] Result<MigrateReport> MigrateStore(const std::string& place, Env& env);

}  // namespace seedcore::store
