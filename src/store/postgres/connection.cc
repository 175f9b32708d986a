#include "store/postgres/connection.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>
#include <utility>

#include <fmt/format.h>

#include "store/postgres/errors.h"
#include "store/postgres/hosts.h"
#include "store/postgres/server_wait.h"

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

/// Whether a password with a special character has moved the rest of the URL: libpq then takes parts of it for the
/// host, the port or the database, and messages would show them.
bool IsTorn(std::string_view dsn, const PQconninfoOption* options) {
  for (const PQconninfoOption* option = options; option->keyword != nullptr; ++option) {
    if (std::string_view(option->keyword) != "port" || option->val == nullptr) continue;
    if (std::string_view(option->val).find_first_not_of("0123456789,") != std::string_view::npos) return true;
  }
  const std::size_t scheme = dsn.find("://");
  if (scheme == std::string_view::npos) return false;
  const std::size_t path = std::min(dsn.find_first_of("/?", scheme + 3), dsn.size());
  if (std::ranges::count(dsn.substr(0, path), '@') > 1) return true;
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

std::string_view Field(const PGresult* result, int field) {
  const char* const value = PQresultErrorField(result, field);
  return value != nullptr ? value : "";
}

/// The server ends the session instead of answering, and what was not committed never will be. Only PostgreSQL itself
/// knows that, and names a place in its source; a pooler may have passed the statement on.
bool IsEndOfSession(const PGresult* result) {
  const std::string_view state = Field(result, PG_DIAG_SQLSTATE);  // by somebody, or because it stood idle for too long
  return (state == "57P01" || state == "57P05") && !Field(result, PG_DIAG_SOURCE_FUNCTION).empty();
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
    return std::unexpected(ConnectError(PQerrorMessage(connection), PlaceOf(connection)));
  }
  ConnectWatch watch(connection, settings.connect_timeout);
  auto connected = watch.AwaitConnected();
  if (connected) {
    PQsetErrorVerbosity(connection, PQERRORS_DEFAULT);
    place_ = PlaceOf(connection);
    connected = Setup(settings, watch);
    if (connected && PQsetnonblocking(connection, 1) != 0) connected = std::unexpected(ErrorOf(nullptr));
    if (settings.statement_timeout.count() > 0) answer_timeout_ = settings.answer_timeout;
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
  repeatable_ = blocked_ = false;
  if (PQstatus(connection_.get()) == CONNECTION_BAD) return ConnectionLost(PQerrorMessage(connection_.get()));
  if (result == nullptr) return ConnectionLost(PQerrorMessage(connection_.get()));
  const std::string_view state = Field(result, PG_DIAG_SQLSTATE);
  if (state.empty()) return ConnectionLost(PQresultErrorMessage(result));
  repeatable_ = IsRepeatable(state);
  blocked_ = IsLockTimeout(state);
  return ErrorFromSqlState(state, Field(result, PG_DIAG_MESSAGE_PRIMARY), Field(result, PG_DIAG_COLUMN_NAME));
}

Result<Rows> Connection::Take(pg_result* result) {
  Rows rows(result);
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return std::unexpected(ErrorOf(result));
  return rows;
}

Error Connection::GiveUp() {
  // The server learns of it, should it go on one day, and closing the connection waits for nobody.
  ::shutdown(PQsocket(connection_.get()), SHUT_RDWR);
  given_up_ = true;
  repeatable_ = blocked_ = false;
  return NoAnswer(answer_timeout_, place_);
}

Result<pg_result*> Connection::NextResult() {
  if (!AwaitAnswer(connection_.get(), answer_timeout_)) return std::unexpected(GiveUp());
  return PQgetResult(connection_.get());
}

Result<Rows> Connection::Answer(int sent) {
  if (sent == 0) return std::unexpected(ErrorOf(nullptr));
  std::optional<Result<Rows>> answer;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(pg_result* const result, NextResult());
    if (result == nullptr) break;
    if (!answer) NoteFirst(result);
    auto taken = Take(result);
    if (!answer || *answer) answer.emplace(std::move(taken));  // of several the last one, but the first error
  }
  if (!answer) return std::unexpected(ErrorOf(nullptr));
  return std::move(*answer);
}

void Connection::NoteFirst(const pg_result* result) {
  if (!sent_ || answered_) return;
  refused_ = IsEndOfSession(result);
  answered_ = !refused_ && !Field(result, PG_DIAG_SQLSTATE).empty();
  const ExecStatusType status = PQresultStatus(result);
  answered_ = answered_ || status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
}

bool Connection::BrokeUnanswered() const {
  return !given_up_ && !answered_ && PQstatus(connection_.get()) == CONNECTION_BAD;
}

Result<const char*> Connection::Prepare(const char* sql) {
  if (const auto known = statements_.find(sql); known != statements_.end()) return known->second.c_str();
  std::string name = fmt::format("s{}", statements_.size());
  SEEDCORE_RETURN_IF_ERROR(Answer(PQsendPrepare(connection_.get(), name.c_str(), sql, 0, nullptr)));
  return statements_.emplace(sql, std::move(name)).first->second.c_str();
}

bool Connection::Send(const Statement& statement, const char* name) {
  const Values values(*statement.params);
  return PQsendQueryPrepared(connection_.get(), name, values.count(), values.pointers.data(), values.lengths.data(),
                             values.formats.data(), kBinary) == 1;
}

Result<Rows> Connection::Run(const char* sql, const Params& params) {
  const Statement statement{sql, &params};
  if (beside_) {
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<Rows> rows, Exchange(std::span(&statement, 1)));
    return std::move(rows.front());
  }
  SEEDCORE_RETURN_IF_ERROR(Settle());
  SEEDCORE_ASSIGN_OR_RETURN(const char* const name, Prepare(sql));
  sent_ = true;
  return Answer(Send(statement, name) ? 1 : 0);
}

Result<Rows> Connection::RunOnce(const std::string& sql, const Params& params) {
  SEEDCORE_RETURN_IF_ERROR(Settle());
  const Values values(params);
  sent_ = true;
  return Answer(PQsendQueryParams(connection_.get(), sql.c_str(), values.count(), nullptr, values.pointers.data(),
                                  values.lengths.data(), values.formats.data(), kBinary));
}

Result<void> Connection::Script(const char* sql) {
  SEEDCORE_RETURN_IF_ERROR(Settle());
  sent_ = true;
  SEEDCORE_RETURN_IF_ERROR(Answer(PQsendQuery(connection_.get(), sql)));
  return {};
}

Result<std::vector<Rows>> Connection::Pipeline(std::span<const Call> calls) {
  std::vector<Statement> statements;
  for (const Call& call : calls) statements.push_back({call.sql, &call.params});
  return Exchange(statements);
}

Result<std::vector<Rows>> Connection::Exchange(std::span<const Statement> statements) {
  PGconn* const connection = connection_.get();
  SEEDCORE_RETURN_IF_ERROR(Settle());
  std::vector<const char*> names;
  for (const Statement& statement : statements) {
    SEEDCORE_ASSIGN_OR_RETURN(names.emplace_back(), Prepare(statement.sql));
  }
  const auto beside = std::exchange(beside_, std::nullopt);
  const char* beside_name = nullptr;
  if (beside) {
    SEEDCORE_ASSIGN_OR_RETURN(beside_name, Prepare(beside->first.sql));
  }
  const auto send_beside = [&](Beside place) {
    if (!beside || beside->second != place) return false;
    return Send({beside->first.sql, &beside->first.params}, beside_name) && PQpipelineSync(connection) == 1;
  };
  if (PQenterPipelineMode(connection) == 0) return std::unexpected(ErrorOf(nullptr));
  sent_ = true;
  bool passed = !send_beside(Beside::kAhead);  // nobody wants to know what becomes of it
  bool sent = true;
  for (std::size_t i = 0; i < statements.size(); ++i) {
    sent = sent && Send(statements[i], names[i]);
    // Otherwise the server keeps its answers until the end, and looks as if it had stopped.
    constexpr std::size_t kSilentStatements = 16;
    if ((i + 1) % kSilentStatements == 0) sent = sent && PQsendFlushRequest(connection) == 1;
  }
  sent = sent && PQpipelineSync(connection) == 1;
  if (!sent) return std::unexpected(ErrorOf(nullptr));
  awaits_behind_ = send_beside(Beside::kBehind);

  // A failed statement makes the server skip the rest; an error of the commit comes after the last result.
  std::vector<Rows> rows;
  std::optional<Error> error;
  for (bool synced = false; !synced;) {
    SEEDCORE_ASSIGN_OR_RETURN(pg_result* const result, NextResult());
    if (result == nullptr) {
      if (PQstatus(connection) == CONNECTION_BAD) return std::unexpected(ErrorOf(nullptr));
      continue;  // the end of one statement's results
    }
    Rows taken(result);
    if (!passed) {
      passed = PQresultStatus(result) == PGRES_PIPELINE_SYNC;
      if (IsEndOfSession(result)) NoteFirst(result);
      if (PQstatus(connection) == CONNECTION_BAD) return std::unexpected(ErrorOf(result));
      continue;
    }
    if (!refused_) NoteFirst(result);
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
  if (!awaits_behind_ && PQexitPipelineMode(connection) == 0) return std::unexpected(ErrorOf(nullptr));
  if (error) return std::unexpected(std::move(*error));
  if (rows.size() != statements.size()) return std::unexpected(ConnectionLost("answers are missing"));
  return rows;
}

Result<void> Connection::Settle() {
  if (given_up_) return std::unexpected(NoAnswer(answer_timeout_, place_));
  while (!ReadBehind()) {
    if (!AwaitAnswer(connection_.get(), answer_timeout_)) return std::unexpected(GiveUp());
  }
  if (PQstatus(connection_.get()) == CONNECTION_BAD) return std::unexpected(ErrorOf(nullptr));
  return {};
}

bool Connection::ReadBehind() {
  PGconn* const connection = connection_.get();
  while (awaits_behind_ && PQstatus(connection) == CONNECTION_OK) {
    if (PQisBusy(connection) != 0) return false;
    pg_result* const result = PQgetResult(connection);
    const Rows read(result);
    if (PQresultStatus(result) != PGRES_PIPELINE_SYNC) continue;
    awaits_behind_ = false;
    PQexitPipelineMode(connection);
  }
  return true;
}

bool Connection::IsUsable() {
  PGconn* const connection = connection_.get();
  if (given_up_) return false;
  // A server that has gone away has closed the socket, which makes it readable.
  if (PQstatus(connection) == CONNECTION_OK && IsReadable(connection)) {
    PQconsumeInput(connection);
  }
  const bool settled = ReadBehind();
  return PQstatus(connection) == CONNECTION_OK && (!settled || PQpipelineStatus(connection) == PQ_PIPELINE_OFF);
}

bool Connection::IsUsableUnasked() {
  if (awaits_behind_ && !IsUsable()) return false;
  if (given_up_ || PQstatus(connection_.get()) != CONNECTION_OK) return false;
  return awaits_behind_ || !IsReadable(connection_.get());
}

bool Connection::InTransaction() {
  // What was sent behind follows a transaction that has ended.
  return !awaits_behind_ && PQtransactionStatus(connection_.get()) != PQTRANS_IDLE;
}

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
