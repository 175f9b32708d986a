#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/postgres/params.h"

struct pg_conn;
struct pg_result;

/// A thin layer over libpq: owned connections, prepared statements by the address of their text, binary values, and
/// errors as values.
namespace seedcore::store::postgres {

class ConnectWatch;  // server_wait.h

/// The rows one statement returned. Rows and columns count from 0; views live as long as the Rows.
class Rows {
 public:
  explicit Rows(pg_result* result) : result_(result) {}

  [[nodiscard]] int size() const;
  [[nodiscard]] bool empty() const { return size() == 0; }
  /// Rows that an INSERT, UPDATE or DELETE touched.
  [[nodiscard]] int changed() const;

  [[nodiscard]] int columns() const;
  /// The type's number in pg_type.
  [[nodiscard]] std::uint32_t Type(int column) const;
  [[nodiscard]] bool IsNull(int row, int column) const;
  [[nodiscard]] std::string_view Text(int row, int column) const;  ///< empty for NULL
  [[nodiscard]] std::int64_t Int(int row, int column) const { return ReadInteger(Text(row, column)); }
  [[nodiscard]] bool Bool(int row, int column) const { return Int(row, column) != 0; }
  [[nodiscard]] double Double(int row, int column) const { return ReadDouble(Text(row, column)); }
  [[nodiscard]] WallTime Time(int row, int column) const { return ReadTime(Text(row, column)); }
  [[nodiscard]] std::optional<WallTime> OptionalTime(int row, int column) const;
  [[nodiscard]] std::string Id(int row, int column) const { return ReadUuid(Text(row, column)); }

 private:
  struct Clear {
    void operator()(pg_result* result) const;
  };
  std::unique_ptr<pg_result, Clear> result_;
};

/// One statement of a pipeline. `sql` has static storage: its address is the key of the statement cache.
struct Call {
  const char* sql = nullptr;
  Params params;
};

struct ConnectSettings {
  std::string dsn;  ///< URL or keyword list, as libpq takes it; TLS as it says
  /// For one server, from the first packet to the end of `setup`, as libpq counts connect_timeout: for each address
  /// anew. A connect_timeout of the DSN (or PGCONNECT_TIMEOUT) counts instead.
  std::chrono::milliseconds connect_timeout{5'000};
  std::chrono::milliseconds statement_timeout{30'000};
  std::chrono::milliseconds lock_timeout{10'000};
  /// For the next byte of an answer, or for one more of a statement to be taken: for a server that has stopped, and a
  /// network that swallows. Longer than statement_timeout, and without that there is none.
  std::chrono::milliseconds answer_timeout{40'000};
  std::string setup;  ///< SET statements run once after connecting
};

/// One connection, used by one thread at a time.
class Connection {
 public:
  /// kInvalidArgument: the DSN cannot be read, the server is too old or its database not in UTF-8. Otherwise as
  /// ConnectError says. No message holds a password.
  [[nodiscard]] static Result<std::unique_ptr<Connection>> Open(const ConnectSettings& settings);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  /// Runs `sql`, a constant with static storage, as a prepared statement.
  template <class... Args>
  [[nodiscard]] Result<Rows> Query(const char* sql, const Args&... args) {
    return Run(sql, MakeParams(args...));
  }
  [[nodiscard]] Result<Rows> Run(const char* sql, const Params& params);
  /// For texts put together at run time; not cached.
  [[nodiscard]] Result<Rows> RunOnce(const std::string& sql, const Params& params);
  /// All statements in one round trip and one transaction of their own.
  [[nodiscard]] Result<std::vector<Rows>> Pipeline(std::span<const Call> calls);
  /// Several statements without parameters or results.
  [[nodiscard]] Result<void> Script(const char* sql);
  enum class Beside { kAhead, kBehind };
  /// The next Run or Pipeline sends `call` right ahead of its own transaction, or behind it, as another transaction
  /// and without waiting for an answer in between. Nobody learns what becomes of it; for what is behind only the next
  /// statement of this connection waits.
  void SendBeside(Call call, Beside place) { beside_ = {std::move(call), place}; }
  /// Takes back what has not been sent; whether there was something.
  bool TakeBackBeside() { return std::exchange(beside_, std::nullopt).has_value(); }

  /// Instead of that of the settings; 0: as long as it takes.
  void set_answer_timeout(std::chrono::milliseconds timeout) { answer_timeout_ = timeout; }
  [[nodiscard]] std::chrono::milliseconds answer_timeout() const { return answer_timeout_; }

  /// Reads what has arrived and says whether the connection can still be used. Does not block.
  [[nodiscard]] bool IsUsable();
  /// The same for one that has stood idle and does not listen, strictly: what a server says unasked is that it ends the
  /// session. One poll, which reads nothing.
  [[nodiscard]] bool IsUsableUnasked();
  [[nodiscard]] bool InTransaction();
  void ForgetLastError() { repeatable_ = blocked_ = sent_ = answered_ = refused_ = false; }
  /// Whether the last error since then says that the same transaction can pass when it is repeated at once.
  [[nodiscard]] bool LastErrorIsRepeatable() const { return repeatable_; }
  /// Whether it says that a lock was not free in time.
  [[nodiscard]] bool LastErrorIsOfALock() const { return blocked_; }
  /// Whether the connection broke before any statement since then was answered: what only reads, or only begins a
  /// transaction, can be repeated over another. Not when it was given up after answer_timeout.
  [[nodiscard]] bool BrokeUnanswered() const;
  /// Whether moreover nothing since then has been done, or will be: nothing was sent, or the server answered to it that
  /// it ends the session.
  [[nodiscard]] bool BrokeUndone() const { return BrokeUnanswered() && (!sent_ || refused_); }

  struct Notification {
    std::string payload;
    bool own = false;  ///< sent over this connection
  };
  /// The notifications that have arrived, in the order in which every listener is given them.
  [[nodiscard]] std::vector<Notification> TakeNotifications();
  [[nodiscard]] int socket() const;
  /// "host:port/database".
  [[nodiscard]] const std::string& place() const { return place_; }

 private:
  explicit Connection(pg_conn* connection) : connection_(connection) {}
  /// A statement with its values, which belong to somebody else.
  struct Statement {
    const char* sql;
    const Params* params;
  };
  [[nodiscard]] Result<const char*> Prepare(const char* sql);
  [[nodiscard]] Result<std::vector<Rows>> Exchange(std::span<const Statement> statements);
  [[nodiscard]] bool Send(const Statement& statement, const char* name);
  /// Before anything is sent: the answers to what was sent behind.
  [[nodiscard]] Result<void> Settle();
  /// Reads them as far as they have come; whether none is missing.
  [[nodiscard]] bool ReadBehind();
  /// The only result of what was just sent, or an error.
  [[nodiscard]] Result<Rows> Answer(int sent);
  /// What the first result of a statement says about its fate.
  void NoteFirst(const pg_result* result);
  [[nodiscard]] Result<pg_result*> NextResult();
  [[nodiscard]] Error GiveUp();
  [[nodiscard]] Result<Rows> Take(pg_result* result);
  [[nodiscard]] Error ErrorOf(const pg_result* result);
  [[nodiscard]] Result<void> Setup(const ConnectSettings& settings, ConnectWatch& watch);
  /// `silent`: whether it failed because nobody has answered in time.
  Result<void> Connect(const ConnectSettings& settings, bool& silent);

  struct Close {
    void operator()(pg_conn* connection) const;
  };
  std::unique_ptr<pg_conn, Close> connection_;
  std::string place_;
  std::unordered_map<const char*, std::string> statements_;
  std::chrono::milliseconds answer_timeout_{0};
  std::optional<std::pair<Call, Beside>> beside_;
  bool awaits_behind_ = false;  // something was sent behind, and its answers have not all been read
  bool given_up_ = false;       // an answer did not come in time
  bool repeatable_ = false;
  bool blocked_ = false;
  // Since ForgetLastError:
  bool sent_ = false;      // a statement, other than to be prepared
  bool answered_ = false;  // and something came back
  bool refused_ = false;   // namely that the server ends the session
};

}  // namespace seedcore::store::postgres
