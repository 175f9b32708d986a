#include "store/sqlite/database.h"

#include <utility>

#include <fmt/format.h>
#include <sqlite3.h>

#include "base/check.h"

namespace seedcore::store::sqlite {
namespace {

struct ErrorRow {
  int primary_code;
  ErrorCode code;
  const char* meaning;
};

constexpr ErrorRow kErrors[] = {
    {SQLITE_FULL, ErrorCode::kUnavailable, "the disk is full; nothing was stored, free space and try again"},
    {SQLITE_READONLY, ErrorCode::kUnavailable, "the database is read-only"},
    {SQLITE_PERM, ErrorCode::kUnavailable, "no permission to use the database"},
    {SQLITE_AUTH, ErrorCode::kUnavailable, "no permission to use the database"},
    {SQLITE_BUSY, ErrorCode::kUnavailable, "the database is locked by another program"},
    {SQLITE_LOCKED, ErrorCode::kUnavailable, "the database is locked by another program"},
    {SQLITE_IOERR, ErrorCode::kUnavailable, "the disk reported an error"},
    {SQLITE_CANTOPEN, ErrorCode::kUnavailable, "the database cannot be opened"},
    {SQLITE_CORRUPT, ErrorCode::kCorrupt, "the database is damaged"},
    {SQLITE_NOTADB, ErrorCode::kCorrupt, "the file is not a database, or its header is damaged"},
    {SQLITE_TOOBIG, ErrorCode::kPayloadTooLarge, "a value is larger than the database can hold"},
    {SQLITE_NOMEM, ErrorCode::kResourceExhausted, "out of memory"},
};

Error MakeError(sqlite3* connection, int code) {
  const char* detail = connection != nullptr ? sqlite3_errmsg(connection) : sqlite3_errstr(code);
  const char* file = connection != nullptr ? sqlite3_db_filename(connection, "main") : nullptr;
  const std::string path = file != nullptr ? file : "";
  for (const ErrorRow& row : kErrors) {
    if (row.primary_code == (code & 0xFF)) {
      return {row.code, fmt::format("{} (SQLite: {})", row.meaning, detail), path};
    }
  }
  return {ErrorCode::kInternal, fmt::format("SQLite error {}: {}", code, detail), path};
}

std::unexpected<Error> Failed(sqlite3* connection, int code) { return std::unexpected(MakeError(connection, code)); }

int CopyLog(sqlite3* connection) {
  const int code = sqlite3_wal_checkpoint_v2(connection, nullptr, SQLITE_CHECKPOINT_PASSIVE, nullptr, nullptr);
  return (code & 0xFF) == SQLITE_BUSY ? SQLITE_OK : code;
}

/// An error of this copy is no error of the commit: the log is complete.
int AfterCommit(void* listener, sqlite3* connection, const char* /*database*/, int log_pages) {
  if ((*static_cast<Database::CommitListener*>(listener))(log_pages)) CopyLog(connection);
  return SQLITE_OK;
}

}  // namespace

Statement::~Statement() {
  if (statement_ == nullptr) return;
  if (owned_) {
    sqlite3_finalize(statement_);
  } else {
    sqlite3_reset(statement_);
  }
}

Statement::Statement(Statement&& other) noexcept
    : connection_(other.connection_), statement_(std::exchange(other.statement_, nullptr)), owned_(other.owned_) {}

void Statement::Bind(int parameter, std::int64_t value) { sqlite3_bind_int64(statement_, parameter, value); }
void Statement::Bind(int parameter, double value) { sqlite3_bind_double(statement_, parameter, value); }
void Statement::Bind(int parameter, std::nullopt_t) { sqlite3_bind_null(statement_, parameter); }

void Statement::Bind(int parameter, std::string_view value) {
  const char* data = value.data() != nullptr ? value.data() : "";
  sqlite3_bind_text64(statement_, parameter, data, value.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
}

void Statement::BindView(int parameter, std::string_view value) {
  const char* data = value.data() != nullptr ? value.data() : "";
  sqlite3_bind_text64(statement_, parameter, data, value.size(), SQLITE_STATIC, SQLITE_UTF8);
}

Result<bool> Statement::Next() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return Failed(connection_, code);
}

int Statement::Columns() const { return sqlite3_column_count(statement_); }

Storage Statement::StorageOf(int column) const {
  switch (sqlite3_column_type(statement_, column)) {
    case SQLITE_INTEGER: return Storage::kInteger;
    case SQLITE_FLOAT: return Storage::kReal;
    case SQLITE_TEXT: return Storage::kText;
    case SQLITE_BLOB: return Storage::kBlob;
    default: return Storage::kNull;
  }
}

bool Statement::IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
std::int64_t Statement::Int(int column) const { return sqlite3_column_int64(statement_, column); }
double Statement::Double(int column) const { return sqlite3_column_double(statement_, column); }

std::string_view Statement::Text(int column) const {
  const void* text = sqlite3_column_text(statement_, column);
  if (text == nullptr) return {};
  return {static_cast<const char*>(text), static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::optional<WallTime> Statement::OptionalTime(int column) const {
  if (IsNull(column)) return std::nullopt;
  return Time(column);
}

Result<Database> Database::Open(const std::string& path, OpenMode mode, std::chrono::milliseconds busy_timeout) {
  // SQLite's count of its own memory costs a process-wide lock at every allocation, and nobody reads it.
  [[maybe_unused]] static const int once = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  // Each connection is used by one thread at a time, so that SQLite need not lock it.
  const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (mode == OpenMode::kReadOnly ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
  sqlite3* connection = nullptr;
  const int code = sqlite3_open_v2(path.c_str(), &connection, flags, nullptr);
  if (code != SQLITE_OK) {
    Error error = MakeError(connection, code);
    error.path = path;
    sqlite3_close_v2(connection);
    return std::unexpected(std::move(error));
  }
  // What a statement needs while it runs, the frames of its triggers among it, fits into these.
  constexpr int kSlotBytes = 4096, kSlots = 256;
  sqlite3_db_config(connection, SQLITE_DBCONFIG_LOOKASIDE, nullptr, kSlotBytes, kSlots);
  sqlite3_busy_timeout(connection, static_cast<int>(busy_timeout.count()));
  return Database(connection);
}

Database::~Database() = default;
Database::Database(Database&&) noexcept = default;

void Database::Close::operator()(sqlite3* connection) const { sqlite3_close_v2(connection); }
void Database::Finalize::operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }

Result<Statement> Database::Prepare(const char* sql) {
  auto& cached = statements_[sql];
  if (cached == nullptr) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v3(connection_.get(), sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
    if (code != SQLITE_OK) return Failed(connection_.get(), code);
    cached.reset(statement);
  }
  SEEDCORE_CHECK(sqlite3_stmt_busy(cached.get()) == 0, "a cached statement has one user at a time");
  return Statement(connection_.get(), cached.get(), /*owned=*/false);
}

Result<Statement> Database::PrepareOnce(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(connection_.get(), sql.c_str(), -1, 0, &statement, nullptr);
  if (code != SQLITE_OK) return Failed(connection_.get(), code);
  return Statement(connection_.get(), statement, /*owned=*/true);
}

Result<int> Database::RunToEnd(Statement& statement) {
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool row, statement.Next());
    if (!row) return sqlite3_changes(connection_.get());
  }
}

Result<void> Database::ExecuteScript(const char* sql) {
  const int code = sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return Failed(connection_.get(), code);
  return {};
}

Result<std::int64_t> Database::QueryInt(const char* sql) {
  SEEDCORE_ASSIGN_OR_RETURN(Statement statement, PrepareOnce(sql));
  SEEDCORE_ASSIGN_OR_RETURN(const bool row, statement.Next());
  return row ? statement.Int(0) : 0;
}

void Database::OnCommit(CommitListener listener) {
  auto held = std::make_unique<CommitListener>(std::move(listener));
  sqlite3_wal_hook(connection_.get(), AfterCommit, held.get());
  on_commit_ = std::move(held);
}

Result<void> Database::Checkpoint() {
  int code = CopyLog(connection_.get());
  // SQLite itself waits for the disk only when it has copied the whole log.
  sqlite3_file* file = nullptr;
  if (code == SQLITE_OK) code = sqlite3_file_control(connection_.get(), "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (code == SQLITE_OK) code = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
  if (code != SQLITE_OK) return Failed(connection_.get(), code);
  return {};
}

std::int64_t Database::LastInsertId() const { return sqlite3_last_insert_rowid(connection_.get()); }
std::int64_t Database::TotalChanges() const { return sqlite3_total_changes64(connection_.get()); }
bool Database::InTransaction() const { return sqlite3_get_autocommit(connection_.get()) == 0; }
bool Database::IsReadOnly() const { return sqlite3_db_readonly(connection_.get(), "main") != 0; }

}  // namespace seedcore::store::sqlite
