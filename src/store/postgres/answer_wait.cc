#include "store/postgres/answer_wait.h"

#include <algorithm>
#include <libpq-fe.h>
#include <openssl/ssl.h>
#include <optional>
#include <poll.h>

#include "base/env.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::milliseconds;

/// Of a long wait: what libpq has decrypted, but not yet handed out, makes no socket readable.
constexpr milliseconds kLongestPoll{60'000};
constexpr milliseconds kLongestPollWithGss{20};

bool HoldsDecrypted(PGconn* connection) {
  auto* const tls = static_cast<SSL*>(PQsslStruct(connection, "OpenSSL"));
  return tls != nullptr && SSL_has_pending(tls) == 1;
}

/// Waits for the socket, for `until` at the latest. Returns whether something may have happened.
bool AwaitSocket(PGconn* connection, bool unsent, std::optional<Instant> until) {
  milliseconds wait = PQgssEncInUse(connection) != 0 ? kLongestPollWithGss : kLongestPoll;
  if (until) wait = std::clamp(std::chrono::ceil<milliseconds>(*until - RealEnv().Now()), milliseconds(0), wait);
  const short events = unsent ? POLLIN | POLLOUT : POLLIN;
  pollfd socket{.fd = PQsocket(connection), .events = events, .revents = 0};
  return ::poll(&socket, 1, static_cast<int>(wait.count())) > 0;
}

}  // namespace

bool AwaitAnswer(pg_conn* connection, milliseconds timeout) {
  // A server that no longer reads may have said why before that: what cannot be sent ends no wait.
  bool unsent = PQflush(connection) == 1;
  std::optional<Instant> until;
  while (PQisBusy(connection) != 0) {
    if (timeout.count() > 0 && !until) until = RealEnv().Now() + timeout;
    if (HoldsDecrypted(connection) || AwaitSocket(connection, unsent, until)) {
      until.reset();
    } else if (until && RealEnv().Now() >= *until) {
      return false;
    }
    if (PQconsumeInput(connection) == 0) return true;
    unsent = unsent && PQflush(connection) == 1;
  }
  return true;
}

}  // namespace seedcore::store::postgres
