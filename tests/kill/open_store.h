#pragma once

#include <memory>
#include <string>

#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::test {

[[nodiscard]] inline bool IsDsn(const std::string& place) { return place.starts_with("postgresql://"); }

/// The store at a place: a PostgreSQL DSN, or a folder for SQLite. `shared`: other processes have the file open too.
[[nodiscard]] inline Result<std::unique_ptr<store::Store>> OpenStore(const std::string& place, Env& env,
                                                                     Metrics& metrics, bool shared = false) {
  if (IsDsn(place)) return store::postgres::OpenPostgresStore({.dsn = place}, env, metrics);
  return store::sqlite::OpenSqliteStore({.path = place + "/seedcore.db", .shared = shared}, env, metrics);
}

}  // namespace seedcore::test
