#pragma once

#include <chrono>
#include <string>

#include "base/env.h"
#include "base/result.h"

struct pg_conn;

/// Waiting for a server. Real time, whatever the clock of a test says: it is the network that is waited for.
namespace seedcore::store::postgres {

/// "host:port/database".
[[nodiscard]] std::string PlaceOf(const pg_conn* connection);

/// The time that connecting to one server may take. libpq goes from one address to the next by itself; each has all of
/// it.
class ConnectWatch {
 public:
  /// A connect_timeout of the DSN or the environment counts instead of `timeout`.
  ConnectWatch(pg_conn* connection, std::chrono::milliseconds timeout);

  /// Until the connection is made. As ConnectError says.
  [[nodiscard]] Result<void> AwaitConnected();
  /// Until the socket is ready for `events`, as poll has them.
  [[nodiscard]] Result<void> Await(short events);
  /// Whether somebody did not answer in time.
  [[nodiscard]] bool silent() const { return silent_; }

 private:
  [[nodiscard]] std::string Server() const;

  pg_conn* const connection_;
  const std::chrono::milliseconds timeout_;
  std::string server_;
  Instant until_;
  bool silent_ = false;
};

/// Sends what libpq holds and reads until its next result is complete, at most `timeout` without a byte in either
/// direction; 0: as long as it takes. Returns false when the time was up. A connection that breaks meanwhile counts as
/// a result: PQgetResult tells. The connection is in libpq's nonblocking mode.
[[nodiscard]] bool AwaitAnswer(pg_conn* connection, std::chrono::milliseconds timeout);

/// Whether something has arrived that was not read, or the server has closed the connection.
[[nodiscard]] bool IsReadable(const pg_conn* connection);

}  // namespace seedcore::store::postgres
