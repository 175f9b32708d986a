#pragma once

#include <chrono>

struct pg_conn;

namespace seedcore::store::postgres {

/// Sends what libpq holds and reads until its next result is complete, at most `timeout` without a byte in either
/// direction; 0: as long as it takes. Real time, whatever the clock of a test says: it is the network that is waited
/// for. Returns false when the time was up. A connection that breaks meanwhile counts as a result: PQgetResult tells.
/// The connection is in libpq's nonblocking mode.
[[nodiscard]] bool AwaitAnswer(pg_conn* connection, std::chrono::milliseconds timeout);

}  // namespace seedcore::store::postgres
