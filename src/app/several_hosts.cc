#include "app/several_hosts.h"

#include <fmt/format.h>

#include "net/auth.h"

namespace seedcore::app {

Result<void> CheckStoreReaches(const settings::StoreSettings& settings, int hosts) {
  if (hosts <= 1 || !settings.pg_dsn.empty()) return {};
  return Fail(
      ErrorCode::kInvalidArgument,
      fmt::format("SQLite is the store of one host, and there are {}: set SEEDCORE_PG_DSN to a PostgreSQL that all of "
                  "them reach",
                  hosts),
      "store.pg_dsn");
}

bool IsLocalOnly(const settings::DirectSettings& settings, int hosts) {
  return hosts > 1 && net::IsLoopback(settings.listen.host);
}

}  // namespace seedcore::app
