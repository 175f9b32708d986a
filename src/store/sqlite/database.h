#pragma once

#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/env.h"
#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

/// A thin layer over the C interface: owned connections, cached statements, and errors as values.
namespace seedcore::store::sqlite {

/// How SQLite holds a value.
enum class Storage { kNull, kInteger, kReal, kText, kBlob };

/// A prepared statement, borrowed from its connection's cache and reset on destruction. Parameters count from 1,
/// columns from 0. Text columns are valid until the next row.
class Statement {
 public:
  Statement(sqlite3* connection, sqlite3_stmt* statement, bool owned)
      : connection_(connection), statement_(statement), owned_(owned) {}
  ~Statement();
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;

  void Bind(int parameter, std::int64_t value);
  void Bind(int parameter, double value);
  void Bind(int parameter, std::nullopt_t);
  /// Copied; BindView is for text that outlives the statement's use.
  void Bind(int parameter, std::string_view value);
  void BindView(int parameter, std::string_view value);
  void Bind(int parameter, const char* value) { Bind(parameter, std::string_view(value)); }
  void Bind(int parameter, WallTime value) { Bind(parameter, ToUnixMicros(value)); }
  void Bind(int parameter, std::chrono::milliseconds value) { Bind(parameter, std::int64_t{value.count()}); }
  template <std::integral T>
  void Bind(int parameter, T value) {
    Bind(parameter, static_cast<std::int64_t>(value));
  }
  template <class T>
  void Bind(int parameter, const std::optional<T>& value) {
    if (value) {
      Bind(parameter, *value);
    } else {
      Bind(parameter, std::nullopt);
    }
  }

  /// Moves to the next row; false after the last.
  [[nodiscard]] Result<bool> Next();

  [[nodiscard]] int Columns() const;
  [[nodiscard]] Storage StorageOf(int column) const;
  [[nodiscard]] bool IsNull(int column) const;
  [[nodiscard]] std::int64_t Int(int column) const;
  [[nodiscard]] double Double(int column) const;
  [[nodiscard]] std::string_view Text(int column) const;  ///< empty for NULL
  [[nodiscard]] WallTime Time(int column) const { return FromUnixMicros(Int(column)); }
  [[nodiscard]] std::optional<WallTime> OptionalTime(int column) const;

 private:
  sqlite3* connection_;
  sqlite3_stmt* statement_;
  bool owned_;
};

enum class OpenMode { kReadWriteCreate, kReadOnly };

/// One connection, used by one thread at a time.
class Database {
 public:
  [[nodiscard]] static Result<Database> Open(const std::string& path, OpenMode mode,
                                             std::chrono::milliseconds busy_timeout);
  ~Database();
  Database(Database&&) noexcept;
  Database& operator=(Database&&) = delete;

  /// Runs `sql`, a constant with static storage: its address is the key of the statement cache.
  template <class... Args>
  [[nodiscard]] Result<Statement> Query(const char* sql, const Args&... args) {
    SEEDCORE_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
    int parameter = 0;
    (statement.Bind(++parameter, args), ...);
    return statement;
  }
  /// The same to the end; returns how many rows it changed.
  template <class... Args>
  [[nodiscard]] Result<int> Execute(const char* sql, const Args&... args) {
    SEEDCORE_ASSIGN_OR_RETURN(Statement statement, Prepare(sql));
    int parameter = 0;
    (BindForCall(statement, ++parameter, args), ...);
    return RunToEnd(statement);
  }
  /// For texts put together at run time; not cached.
  [[nodiscard]] Result<Statement> PrepareOnce(const std::string& sql);
  /// Several statements without parameters or results.
  [[nodiscard]] Result<void> ExecuteScript(const char* sql);
  [[nodiscard]] Result<std::int64_t> QueryInt(const char* sql);

  /// What to do after each commit, given the pages in the write-ahead log: true copies them into the database at once.
  /// Takes the place of SQLite's own checkpoints.
  using CommitListener = std::function<bool(int log_pages)>;
  void OnCommit(CommitListener listener);
  /// Copies as much of the write-ahead log into the database as no reader needs, and waits for nobody. Nothing is done
  /// while another connection is at it.
  [[nodiscard]] Result<void> Checkpoint();

  [[nodiscard]] std::int64_t LastInsertId() const;
  /// Rows changed since the connection was opened.
  [[nodiscard]] std::int64_t TotalChanges() const;
  [[nodiscard]] bool InTransaction() const;
  [[nodiscard]] bool IsReadOnly() const;

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };

  explicit Database(sqlite3* connection) : connection_(connection) {}
  [[nodiscard]] Result<Statement> Prepare(const char* sql);
  [[nodiscard]] Result<int> RunToEnd(Statement& statement);
  /// What Execute is given lives until it returns, so that text need not be copied.
  template <class T>
  static void BindForCall(Statement& statement, int parameter, const T& value) {
    if constexpr (std::convertible_to<const T&, std::string_view>) {
      statement.BindView(parameter, value);
    } else {
      statement.Bind(parameter, value);
    }
  }

  std::unique_ptr<CommitListener> on_commit_;  // SQLite holds its address
  std::unique_ptr<sqlite3, Close> connection_;
  std::unordered_map<const char*, std::unique_ptr<sqlite3_stmt, Finalize>> statements_;  // goes before its connection
};

}  // namespace seedcore::store::sqlite
