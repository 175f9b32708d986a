#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/metrics.h"
#include "store/store.h"
#include "store/stream_retention.h"

namespace seedcore::store::postgres {

struct PostgresSettings {
  std::string dsn;  ///< postgresql://user:password@host:port/database, or keyword=value pairs; TLS as it says
  int writers = 8;  ///< connections that write, 1..64
  int readers = 4;  ///< connections that read, 1..64; one more listens
  /// Of the connections that write, how many are made when the store is opened, and go through the life of a task that
  /// is rolled back: otherwise the first tasks of a process take ten times as long as later ones.
  int rehearsed = 0;
  std::size_t queue_bound = 4096;              ///< submits, and results, waiting; one more is refused
  std::chrono::milliseconds max_wait{10'000};  ///< for a free connection
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds statement_timeout{30'000};
  std::chrono::milliseconds lock_timeout{10'000};
  std::chrono::milliseconds answer_timeout{40'000};  ///< as in ConnectSettings
  StreamRetention streams{};
};

/// Opens the store in a database that exists, and creates or migrates its tables; any number of processes at a time.
/// `env` and `metrics` outlive it. kUnavailable: nobody answers there. kUnauthenticated: user or password refused.
/// kNotFound: no such database. kPermissionDenied: the user may not create tables. kInvalidArgument: the DSN cannot be
/// read, the server is older than 13 or its database not in UTF-8. kCorrupt: a newer schema (both versions are named),
/// or tables of another program. No message holds the password.
[[nodiscard]] Result<std::unique_ptr<Store>> OpenPostgresStore(const PostgresSettings& settings, Env& env,
                                                               Metrics& metrics);

}  // namespace seedcore::store::postgres
