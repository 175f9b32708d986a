#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "base/env.h"
#include "store/tables.h"

namespace seedcore::store::postgres {

struct TablesSettings {
  std::string dsn;
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds lock_timeout{10'000};
};

/// kNotFound: no store in that database (except kCopyTo, which creates the tables). kCorrupt: tables of another
/// program.
[[nodiscard]] Result<std::unique_ptr<Tables>> OpenTables(const TablesSettings& settings, TablesUse use, Env& env);

/// Which versions a migration went from and to, and what a take-over of the earlier system's tables did.
struct Migrated {
  std::string place;
  int from = 0;
  int to = 0;
  std::vector<std::string> notes;
};
/// Brings the database to the newest schema, and takes over the tables of the earlier system (takeover.h).
[[nodiscard]] Result<Migrated> MigrateDatabase(const TablesSettings& settings, Env& env);

}  // namespace seedcore::store::postgres
