#include "store/postgres/server_wait.h"

#include <algorithm>
#include <cstdlib>
#include <libpq-fe.h>
#include <openssl/ssl.h>
#include <optional>
#include <poll.h>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "store/postgres/errors.h"

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
bool AwaitProgress(PGconn* connection, bool unsent, std::optional<Instant> until) {
  milliseconds wait = PQgssEncInUse(connection) != 0 ? kLongestPollWithGss : kLongestPoll;
  if (until) wait = std::clamp(std::chrono::ceil<milliseconds>(*until - RealEnv().Now()), milliseconds(0), wait);
  const short events = unsent ? POLLIN | POLLOUT : POLLIN;
  pollfd socket{.fd = PQsocket(connection), .events = events, .revents = 0};
  return ::poll(&socket, 1, static_cast<int>(wait.count())) > 0;
}

/// What the DSN or the environment says, in seconds; `otherwise` where that is nothing, or no limit at all.
std::chrono::milliseconds TimeoutOf(PGconn* connection, std::chrono::milliseconds otherwise) {
  constexpr int kLongest = 3600;
  int seconds = 0;
  PQconninfoOption* const options = PQconninfo(connection);
  for (const PQconninfoOption* option = options; option != nullptr && option->keyword != nullptr; ++option) {
    if (std::string_view(option->keyword) == "connect_timeout" && option->val != nullptr) {
      seconds = std::atoi(option->val);
    }
  }
  PQconninfoFree(options);
  return seconds > 0 ? std::chrono::seconds(std::min(seconds, kLongest)) : otherwise;
}

bool AwaitSocket(const PGconn* connection, short events, std::chrono::milliseconds timeout) {
  pollfd waiting{.fd = PQsocket(connection), .events = events, .revents = 0};
  return ::poll(&waiting, 1, static_cast<int>(timeout.count())) > 0;
}

}  // namespace

std::string PlaceOf(const pg_conn* connection) {
  const auto text = [](const char* value) { return value != nullptr ? value : ""; };
  return fmt::format("{}:{}/{}", text(PQhost(connection)), text(PQport(connection)), text(PQdb(connection)));
}

ConnectWatch::ConnectWatch(pg_conn* connection, milliseconds timeout)
    : connection_(connection), timeout_(TimeoutOf(connection, timeout)) {}

Result<void> ConnectWatch::AwaitConnected() {
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (status == PGRES_POLLING_FAILED) {
      return std::unexpected(ConnectError(PQerrorMessage(connection_), PlaceOf(connection_)));
    }
    SEEDCORE_RETURN_IF_ERROR(Await(status == PGRES_POLLING_READING ? POLLIN : POLLOUT));
    status = PQconnectPoll(connection_);
  }
  return {};
}

Result<void> ConnectWatch::Await(short events) {
  Env& env = RealEnv();
  if (std::string server = Server(); server != server_) {
    server_ = std::move(server);
    until_ = env.Now() + timeout_;
  }
  for (;;) {  // a signal may end the wait
    const auto left = std::chrono::ceil<milliseconds>(until_ - env.Now());
    if (left.count() <= 0) break;
    if (AwaitSocket(connection_, events, left)) return {};
  }
  silent_ = true;
  return std::unexpected(ConnectError(fmt::format("no answer within {} ms", timeout_.count()), PlaceOf(connection_)));
}

std::string ConnectWatch::Server() const {
  const char* const address = PQhostaddr(connection_);
  return PlaceOf(connection_) + (address != nullptr ? address : "");
}

bool AwaitAnswer(pg_conn* connection, milliseconds timeout) {
  // A server that no longer reads may have said why before that: what cannot be sent ends no wait.
  bool unsent = PQflush(connection) == 1;
  std::optional<Instant> until;
  while (PQisBusy(connection) != 0) {
    if (timeout.count() > 0 && !until) until = RealEnv().Now() + timeout;
    if (HoldsDecrypted(connection) || AwaitProgress(connection, unsent, until)) {
      until.reset();
    } else if (until && RealEnv().Now() >= *until) {
      return false;
    }
    if (PQconsumeInput(connection) == 0) return true;
    unsent = unsent && PQflush(connection) == 1;
  }
  return true;
}

bool IsReadable(const pg_conn* connection) { return AwaitSocket(connection, POLLIN, milliseconds(0)); }

}  // namespace seedcore::store::postgres
