#include "store/postgres/connection.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <libpq-fe.h>
#include <poll.h>
#include <utility>

#include <fmt/format.h>

#include "base/env.h"
#include "store/postgres/errors.h"
#include "store/postgres/hosts.h"

namespace seedcore::store::postgres {
namespace {

constexpr int kBinary = 1;
constexpr int kOldestServer = 130'000;

/// The arrays libpq wants; they point into `params`.
struct Values {
  explicit Values(const Params& params) {
    for (const auto& value : params.values()) {
      pointers.push_back(value ? value->data() : nullptr);
      lengths.push_back(value ? static_cast<int>(value->size()) : 0);
      formats.push_back(kBinary);
    }
  }
  [[nodiscard]] int count() const { return static_cast<int>(pointers.size()); }
  std::vector<const char*> pointers;
  std::vector<int> lengths;
  std::vector<int> formats;
};

std::string Place(const PGconn* connection) {
  const auto text = [](const char* value) { return value != nullptr ? value : ""; };
  return fmt::format("{}:{}/{}", text(PQhost(connection)), text(PQport(connection)), text(PQdb(connection)));
}

/// Whether a password with a special character has moved the rest of the URL: libpq then takes parts of it for the port
/// or the database, and messages would show them.
bool IsTorn(std::string_view dsn, const PQconninfoOption* options) {
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (std::string_view(option->keyword) != "port" || option->val == nullptr) continue;
    if (std::string_view(option->val).find_first_not_of("0123456789,") != std::string_view::npos) return true;
  }
  const std::size_t scheme = dsn.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::size_t path = std::min(dsn.find_first_of("/?", scheme + 3), dsn.size());
  return dsn.substr(path, std::min(dsn.find('?'), dsn.size()) - path).find('@') != std::string_view::npos;
}

/// libpq's own message is not shown: it may quote a part of the password.
Result<void> CheckDsn(const std::string& dsn) {
  char* message = nullptr;
  PQconninfoOption* const options = PQconninfoParse(dsn.c_str(), &message);
  PQfreemem(message);
  const bool good = options != nullptr && !IsTorn(dsn, options);
  PQconninfoFree(options);
  if (good) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "not a PostgreSQL connection string; expected postgresql://user:password@host:port/database or "
              "keyword=value pairs (special characters of a password are percent-encoded)",
              "store.pg_dsn");
}

/// Of a DSN that CheckDsn has found good.
Hosts HostsOf(const std::string& dsn) {
  std::string names, addresses, ports;
  PQconninfoOption* const options = PQconninfoParse(dsn.c_str(), nullptr);
  for (const PQconninfoOption* option = options; option != nullptr && option->keyword != nullptr; ++option) {
    const std::string_view keyword = option->keyword;
    if (option->val == nullptr) continue;
    if (keyword == "host") names = option->val;
    if (keyword == "hostaddr") addresses = option->val;
    if (keyword == "port") ports = option->val;
  }
  PQconninfoFree(options);
  return {names, addresses, ports};
}

/// Begins to connect; null when memory runs out.
PGconn* Start(const std::string& dsn, const Hosts& hosts) {
  // What stands before the DSN is a default that it may override; what stands after it and is not empty counts.
  constexpr std::array kKeywords = {"fallback_application_name",
                                    "keepalives_idle",
                                    "keepalives_interval",
                                    "tcp_user_timeout",
                                    "dbname",
                                    "client_encoding",
                                    "host",
                                    "hostaddr",
                                    "port",
                                    static_cast<const char*>(nullptr)};
  const std::string names = hosts.names(), addresses = hosts.addresses(), ports = hosts.ports();
  const std::array values = {"seedcore",    "30",
                             "10",          "30000",
                             dsn.c_str(),   "UTF8",
                             names.c_str(), addresses.c_str(),
                             ports.c_str(), static_cast<const char*>(nullptr)};
  return PQconnectStartParams(kKeywords.data(), values.data(), 1);
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

std::string_view Field(const PGresult* result, int field) {
  const char* const value = PQresultErrorField(result, field);
  return value != nullptr ? value : "";
}

}  // namespace

/// The time that connecting to one server may take. libpq goes from one address to the next by itself; each has all of
/// it. Real time, whatever the clock of a test says: it is the network that is waited for.
class ConnectWatch {
 public:
  ConnectWatch(PGconn* connection, std::chrono::milliseconds timeout)
      : connection_(connection), timeout_(TimeoutOf(connection, timeout)) {}

  /// Until the socket is ready for `events`.
  Result<void> Await(short events) {
    Env& env = RealEnv();
    if (std::string server = Server(); server != server_) {
      server_ = std::move(server);
      until_ = env.Now() + timeout_;
    }
    for (;;) {  // a signal may end the wait
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(until_ - env.Now());
      if (left.count() <= 0) break;
      if (AwaitSocket(connection_, events, left)) return {};
    }
    silent_ = true;
    return std::unexpected(ConnectError(fmt::format("no answer within {} ms", timeout_.count()), Place(connection_)));
  }
  /// Whether somebody did not answer in time.
  [[nodiscard]] bool silent() const { return silent_; }

 private:
  [[nodiscard]] std::string Server() const {
    const char* const address = PQhostaddr(connection_);
    return Place(connection_) + (address != nullptr ? address : "");
  }

  PGconn* const connection_;
  const std::chrono::milliseconds timeout_;
  std::string server_;
  Instant until_;
  bool silent_ = false;
};

namespace {

Result<void> AwaitConnected(PGconn* connection, ConnectWatch& watch) {
  PostgresPollingStatusType status = PGRES_POLLING_WRITING;
  while (status != PGRES_POLLING_OK) {
    if (status == PGRES_POLLING_FAILED) {
      return std::unexpected(ConnectError(PQerrorMessage(connection), Place(connection)));
    }
    SEEDCORE_RETURN_IF_ERROR(watch.Await(status == PGRES_POLLING_READING ? POLLIN : POLLOUT));
    status = PQconnectPoll(connection);
  }
  return {};
}

}  // namespace

int Rows::size() const { return PQntuples(result_.get()); }
int Rows::changed() const { return std::atoi(PQcmdTuples(result_.get())); }
int Rows::columns() const { return PQnfields(result_.get()); }
std::uint32_t Rows::Type(int column) const { return PQftype(result_.get(), column); }
bool Rows::IsNull(int row, int column) const { return PQgetisnull(result_.get(), row, column) != 0; }
std::string_view Rows::Text(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column), static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}
std::optional<WallTime> Rows::OptionalTime(int row, int column) const {
  if (IsNull(row, column)) return std::nullopt;
  return Time(row, column);
}
void Rows::Clear::operator()(pg_result* result) const { PQclear(result); }

void Connection::Close::operator()(pg_conn* connection) const { PQfinish(connection); }
Connection::~Connection() = default;

Result<std::unique_ptr<Connection>> Connection::Open(const ConnectSettings& settings) {
  SEEDCORE_RETURN_IF_ERROR(CheckDsn(settings.dsn));
  for (Hosts hosts = HostsOf(settings.dsn);;) {
    bool silent = false;
    std::unique_ptr<Connection> out(new Connection(Start(settings.dsn, hosts)));
    const Result<void> connected = out->Connect(settings, silent);
    if (connected) return out;
    PGconn* const connection = out->connection_.get();
    if (!silent || !hosts.DropThrough(PQhost(connection), PQport(connection))) {
      return std::unexpected(connected.error());
    }
  }
}

Result<void> Connection::Connect(const ConnectSettings& settings, bool& silent) {
  PGconn* const connection = connection_.get();
  if (connection == nullptr) return Fail(ErrorCode::kResourceExhausted, "out of memory");
  PQsetErrorVerbosity(connection, PQERRORS_VERBOSE);
  PQsetNoticeProcessor(connection, [](void*, const char*) {}, nullptr);
  if (PQstatus(connection) == CONNECTION_BAD) {
    return std::unexpected(ConnectError(PQerrorMessage(connection), Place(connection)));
  }
  ConnectWatch watch(connection, settings.connect_timeout);
  auto connected = AwaitConnected(connection, watch);
  if (connected) {
    PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
    place_ = Place(connection);
    connected = Setup(settings, watch);
  }
  silent = watch.silent();
  return connected;
}

Result<void> Connection::Setup(const ConnectSettings& settings, ConnectWatch& watch) {
  PGconn* const connection = connection_.get();
  if (PQserverVersion(connection) < kOldestServer) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("PostgreSQL {} at {} is too old; 13 or newer is needed",
                            PQserverVersion(connection) / 10'000, place_),
                "store.pg_dsn");
  }
  const char* const encoding = PQparameterStatus(connection, "server_encoding");
  if (encoding == nullptr || std::strcmp(encoding, "UTF8") != 0) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the database {} has the encoding {}; create one with ENCODING 'UTF8'", place_,
                            encoding != nullptr ? encoding : "?"),
                "store.pg_dsn");
  }
  const std::string script = fmt::format(
      "SET statement_timeout = {0}; SET lock_timeout = {1}; SET idle_in_transaction_session_timeout = {0}; "
      "SET client_min_messages = warning; {2}",
      settings.statement_timeout.count(), settings.lock_timeout.count(), settings.setup);
  // A pooler lets everybody in and answers when it has a server.
  if (PQsendQuery(connection, script.c_str()) == 0) return std::unexpected(ErrorOf(nullptr));
  Result<void> done;
  for (;;) {
    while (PQisBusy(connection) != 0) {
      SEEDCORE_RETURN_IF_ERROR(watch.Await(POLLIN));
      if (PQconsumeInput(connection) == 0) return std::unexpected(ErrorOf(nullptr));
    }
    pg_result* const result = PQgetResult(connection);
    if (result == nullptr) return done;
    if (const auto taken = Take(result); !taken && done) done = std::unexpected(taken.error());
  }
}

Error Connection::ErrorOf(const pg_result* result) {
  repeatable_ = false;
  if (PQstatus(connection_.get()) == CONNECTION_BAD) return ConnectionLost(PQerrorMessage(connection_.get()));
  if (result == nullptr) return ConnectionLost(PQerrorMessage(connection_.get()));
  const std::string_view state = Field(result, PG_DIAG_SQLSTATE);
  if (state.empty()) return ConnectionLost(PQresultErrorMessage(result));
  repeatable_ = IsRepeatable(state);
  return ErrorFromSqlState(state, Field(result, PG_DIAG_MESSAGE_PRIMARY), Field(result, PG_DIAG_COLUMN_NAME));
}

Result<Rows> Connection::Take(pg_result* result) {
  Rows rows(result);
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return std::unexpected(ErrorOf(result));
  return rows;
}

Result<const char*> Connection::Prepare(const char* sql) {
  if (const auto known = statements_.find(sql); known != statements_.end()) return known->second.c_str();
  std::string name = fmt::format("s{}", statements_.size());
  SEEDCORE_RETURN_IF_ERROR(Take(PQprepare(connection_.get(), name.c_str(), sql, 0, nullptr)));
  return statements_.emplace(sql, std::move(name)).first->second.c_str();
}

Result<Rows> Connection::Run(const char* sql, const Params& params) {
  SEEDCORE_ASSIGN_OR_RETURN(const char* const name, Prepare(sql));
  const Values values(params);
  return Take(PQexecPrepared(connection_.get(), name, values.count(), values.pointers.data(), values.lengths.data(),
                             values.formats.data(), kBinary));
}

Result<Rows> Connection::RunOnce(const std::string& sql, const Params& params) {
  const Values values(params);
  return Take(PQexecParams(connection_.get(), sql.c_str(), values.count(), nullptr, values.pointers.data(),
                           values.lengths.data(), values.formats.data(), kBinary));
}

Result<void> Connection::Script(const char* sql) {
  SEEDCORE_RETURN_IF_ERROR(Take(PQexec(connection_.get(), sql)));
  return {};
}

Result<std::vector<Rows>> Connection::Pipeline(std::span<const Call> calls) {
  PGconn* const connection = connection_.get();
  std::vector<const char*> names;
  for (const Call& call : calls) {
    SEEDCORE_ASSIGN_OR_RETURN(names.emplace_back(), Prepare(call.sql));
  }
  if (PQenterPipelineMode(connection) == 0) return std::unexpected(ErrorOf(nullptr));
  bool sent = true;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    const Values values(calls[i].params);
    sent = sent && PQsendQueryPrepared(connection, names[i], values.count(), values.pointers.data(),
                                       values.lengths.data(), values.formats.data(), kBinary) == 1;
  }
  sent = sent && PQpipelineSync(connection) == 1;
  if (!sent) return std::unexpected(ErrorOf(nullptr));

  // A failed statement makes the server skip the rest; an error of the commit comes after the last result.
  std::vector<Rows> rows;
  std::optional<Error> error;
  for (bool synced = false; !synced;) {
    pg_result* const result = PQgetResult(connection);
    if (result == nullptr) {
      if (PQstatus(connection) == CONNECTION_BAD) return std::unexpected(ErrorOf(nullptr));
      continue;  // the end of one statement's results
    }
    Rows taken(result);
    switch (PQresultStatus(result)) {
      case PGRES_PIPELINE_SYNC: synced = true; break;
      case PGRES_PIPELINE_ABORTED: break;
      case PGRES_TUPLES_OK:
      case PGRES_COMMAND_OK: rows.push_back(std::move(taken)); break;
      default:
        if (!error) error = ErrorOf(result);
        if (PQstatus(connection) == CONNECTION_BAD) return std::unexpected(std::move(*error));
    }
  }
  if (PQexitPipelineMode(connection) == 0) return std::unexpected(ErrorOf(nullptr));
  if (error) return std::unexpected(std::move(*error));
  if (rows.size() != calls.size()) return std::unexpected(ConnectionLost("answers are missing"));
  return rows;
}

bool Connection::IsUsable() {
  PGconn* const connection = connection_.get();
  // A server that has gone away has closed the socket, which makes it readable.
  if (PQstatus(connection) == CONNECTION_OK && AwaitSocket(connection, POLLIN, std::chrono::milliseconds(0))) {
    PQconsumeInput(connection);
  }
  return PQstatus(connection) == CONNECTION_OK && PQpipelineStatus(connection) == PQ_PIPELINE_OFF;
}

bool Connection::InTransaction() const { return PQtransactionStatus(connection_.get()) != PQTRANS_IDLE; }

std::vector<Connection::Notification> Connection::TakeNotifications() {
  std::vector<Notification> out;
  PQconsumeInput(connection_.get());
  while (PGnotify* const notification = PQnotifies(connection_.get())) {
    out.push_back({notification->extra, notification->be_pid == PQbackendPID(connection_.get())});
    PQfreemem(notification);
  }
  return out;
}

int Connection::socket() const { return PQsocket(connection_.get()); }

}  // namespace seedcore::store::postgres
