#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/env.h"
#include "store/tables.h"

namespace seedcore::store::sqlite {

struct TablesSettings {
  std::string path;            ///< database file
  std::int64_t max_pages = 0;  ///< the database grows no larger than this many pages; 0: no limit of ours
};

/// kNotFound: no such file (except kCopyTo, which creates it). kCorrupt: not a store.
[[nodiscard]] Result<std::unique_ptr<Tables>> OpenTables(const TablesSettings& settings, TablesUse use, Env& env);

/// Which versions a migration went from and to.
struct Migrated {
  int from = 0;
  int to = 0;
};
/// Brings the file to the newest schema; creates it when it is missing. kUnavailable: a process has it open.
[[nodiscard]] Result<Migrated> MigrateFile(const std::string& path, Env& env);

}  // namespace seedcore::store::sqlite
