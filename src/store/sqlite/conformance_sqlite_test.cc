#include "store/conformance.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::store {

SEEDCORE_STORE_CONFORMANCE(Sqlite, [](const std::string& directory, Env& env, Metrics& metrics) {
  return sqlite::OpenSqliteStore({.path = directory + "/seedcore.db"}, env, metrics);
});

// The same promises when other processes may have it open as well.
SEEDCORE_STORE_CONFORMANCE(SqliteShared, [](const std::string& directory, Env& env, Metrics& metrics) {
  return sqlite::OpenSqliteStore({.path = directory + "/seedcore.db", .shared = true}, env, metrics);
});

}  // namespace seedcore::store
