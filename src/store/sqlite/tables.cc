#include "store/sqlite/tables.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "store/sqlite/database.h"
#include "store/sqlite/file_header.h"
#include "store/sqlite/file_lock.h"
#include "store/sqlite/migrations.h"

namespace seedcore::store::sqlite {
namespace {

constexpr auto kBusyTimeout = std::chrono::milliseconds(5000);
/// How many lines of one kind Integrity reports.
constexpr int kMaxLines = 10;

/// Not copied: derived from other tables, or about this file alone.
constexpr std::array<std::string_view, 5> kOwn = {"schema_version", "store_health", "task_count", "fact_tag",
                                                  kCopyTable};

// In PostgreSQL the payload carries type and domain, for the sake of its indexes; so it does here, to the outside.
constexpr char kPayloadRows[] = "(SELECT p.*, t.type, t.domain FROM task_payload p LEFT JOIN tasks t ON t.seq = p.seq)";
constexpr std::array<std::string_view, 2> kPayloadExtra = {"type", "domain"};

constexpr char kTableNames[] = "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name";
constexpr char kCountTasks[] =
    "DELETE FROM task_count; INSERT INTO task_count (status, n) SELECT s.value, count(t.seq) FROM "
    "json_each('[\"created\",\"queued\",\"running\",\"completed\",\"failed\",\"cancelled\",\"retry\"]') s LEFT JOIN "
    "tasks t ON t.status = s.value GROUP BY s.value";

bool IsOwn(std::string_view name) {
  return name.starts_with("sqlite_") || name.starts_with("facts_text") || std::ranges::find(kOwn, name) != kOwn.end();
}

bool IsExtra(const Table& table, std::string_view column) {
  return table.name == "task_payload" && std::ranges::find(kPayloadExtra, column) != kPayloadExtra.end();
}

Result<Value> ReadValue(const Statement& row, int column) {
  switch (row.StorageOf(column)) {
    case Storage::kNull: return Value();
    case Storage::kInteger: return Value(row.Int(column));
    case Storage::kReal: return Value(row.Double(column));
    case Storage::kText: return Value(std::string(row.Text(column)));
    case Storage::kBlob: break;
  }
  return Fail(ErrorCode::kCorrupt, "a column holds bytes where text belongs");
}

Result<std::vector<Row>> ReadAll(Statement statement) {
  std::vector<Row> out;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const bool more, statement.Next());
    if (!more) return out;
    Row& row = out.emplace_back();
    for (int column = 0; column < statement.Columns(); ++column) {
      SEEDCORE_ASSIGN_OR_RETURN(row.emplace_back(), ReadValue(statement, column));
    }
  }
}

void BindAll(Statement& statement, const Row& row) {
  int parameter = 0;
  for (const Value& value : row) {
    ++parameter;
    if (const auto* integer = std::get_if<std::int64_t>(&value))
      statement.Bind(parameter, *integer);
    else if (const auto* real = std::get_if<double>(&value))
      statement.Bind(parameter, *real);
    else if (const auto* text = std::get_if<std::string>(&value))
      statement.BindView(parameter, *text);
    else
      statement.Bind(parameter, std::nullopt);
  }
}

std::string Marks(std::size_t count) {
  std::string marks = "?";
  for (std::size_t i = 1; i < count; ++i) marks += ", ?";
  return marks;
}

std::vector<std::filesystem::path> MissingFoldersOf(const std::filesystem::path& path) {
  std::vector<std::filesystem::path> missing;
  std::error_code error;
  for (auto folder = path.parent_path(); !folder.empty() && !std::filesystem::exists(folder, error);
       folder = folder.parent_path()) {
    missing.push_back(folder);
  }
  return missing;
}

/// The file of a store that was not there before, with the folders made for it: gone with the object, unless it is
/// kept. Whoever has it holds the lock of the store.
class NewFile {
 public:
  NewFile(std::string path, std::vector<std::filesystem::path> folders)
      : path_(std::move(path)), folders_(std::move(folders)) {}
  ~NewFile() {
    if (kept_) return;
    std::error_code error;
    for (const char* suffix : {"", "-wal", "-shm", ".lock"}) std::filesystem::remove(path_ + suffix, error);
    for (const auto& folder : folders_) std::filesystem::remove(folder, error);  // only an empty one
  }
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;
  void Keep() { kept_ = true; }

 private:
  const std::string path_;
  const std::vector<std::filesystem::path> folders_;  // the innermost first
  bool kept_ = false;
};

class SqliteTables final : public Tables {
 public:
  SqliteTables(std::string path, std::optional<FileLock> lock, std::unique_ptr<NewFile> made, Database database)
      : path_(std::move(path)), lock_(std::move(lock)), made_(std::move(made)), database_(std::move(database)) {}

  const std::string& place() const override { return path_; }
  Result<int> SchemaVersion() override { return sqlite::SchemaVersion(database_); }
  int NewestVersion() const override { return Migrations().back().version; }

  Result<std::vector<Table>> Describe() override {
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Row> names, Query(kTableNames));
    std::vector<Table> tables;
    for (const Row& row : names) {
      const std::string& name = std::get<std::string>(row[0]);
      if (!IsStoreTable(name)) continue;
      SEEDCORE_ASSIGN_OR_RETURN(tables.emplace_back(), DescribeOne(name));
    }
    return tables;
  }

  Result<std::vector<std::string>> Foreign() override {
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Row> names, Query(kTableNames));
    std::vector<std::string> foreign;
    for (const Row& row : names) {
      const std::string& name = std::get<std::string>(row[0]);
      if (!IsStoreTable(name) && !IsOwn(name)) foreign.push_back(name);
    }
    return foreign;
  }

  Result<void> Begin() override { return database_.ExecuteScript("BEGIN IMMEDIATE"); }
  Result<void> Commit() override {
    SEEDCORE_RETURN_IF_ERROR(database_.ExecuteScript("COMMIT"));
    if (made_) made_->Keep();
    return {};
  }
  void Rollback() override {
    if (database_.InTransaction()) (void)database_.ExecuteScript("ROLLBACK");
  }

  Result<std::vector<Row>> Read(const Table& table, const Row& after, int limit) override {
    const std::string key = fmt::format("{}", fmt::join(table.key, ", "));
    const std::string where = after.empty() ? "" : fmt::format("WHERE ({}) > ({}) ", key, Marks(table.key.size()));
    SEEDCORE_ASSIGN_OR_RETURN(Statement statement,
                              database_.PrepareOnce(fmt::format(
                                  "SELECT {} FROM {} {}ORDER BY {} LIMIT {}", fmt::join(table.columns, ", "),
                                  table.name == "task_payload" ? kPayloadRows : table.name, where, key, limit)));
    BindAll(statement, after);
    return ReadAll(std::move(statement));
  }

  Result<std::int64_t> Count(const Table& table) override {
    return database_.QueryInt(("SELECT count(*) FROM " + table.name).c_str());
  }

  Result<void> Insert(const Table& table, std::span<const Row> rows) override {
    std::vector<std::string> columns;
    for (const std::string& column : table.columns) {
      if (!IsExtra(table, column)) columns.push_back(column);
    }
    const std::string sql =
        fmt::format("INSERT INTO {} ({}) VALUES ({})", table.name, fmt::join(columns, ", "), Marks(columns.size()));
    for (const Row& row : rows) {
      Row values;
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (!IsExtra(table, table.columns[i])) values.push_back(row[i]);
      }
      SEEDCORE_ASSIGN_OR_RETURN(Statement statement, database_.PrepareOnce(sql));
      BindAll(statement, values);
      SEEDCORE_RETURN_IF_ERROR(statement.Next());
    }
    return {};
  }

  Result<std::vector<Row>> Query(const std::string& sql) override {
    SEEDCORE_ASSIGN_OR_RETURN(Statement statement, database_.PrepareOnce(sql));
    return ReadAll(std::move(statement));
  }

  Result<bool> HasTable(const std::string& name) override {
    SEEDCORE_ASSIGN_OR_RETURN(
        const std::int64_t found,
        database_.QueryInt(
            fmt::format("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{}'", name).c_str()));
    return found > 0;
  }

  Result<std::int64_t> LastEvent() override {
    return database_.QueryInt("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'task_event'");
  }

  Result<void> Settle(std::int64_t last_event) override {
    SEEDCORE_RETURN_IF_ERROR(database_.ExecuteScript(kCountTasks));
    const std::string script = fmt::format(
        "DELETE FROM sqlite_sequence WHERE name = 'task_event'; INSERT INTO sqlite_sequence (name, seq) "
        "VALUES ('task_event', {})",
        last_event);
    return database_.ExecuteScript(script.c_str());
  }

  Result<std::vector<std::string>> Integrity() override {
    std::vector<std::string> lines;
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Row> found,
                              Query(fmt::format("PRAGMA integrity_check({})", kMaxLines)));
    for (const Row& row : found) {
      if (const auto* line = std::get_if<std::string>(row.data()); line != nullptr && *line != "ok") {
        lines.push_back(*line);
      }
    }
    SEEDCORE_ASSIGN_OR_RETURN(
        const std::vector<Row> dangling,
        Query(fmt::format("SELECT \"table\", \"parent\", count(*) FROM pragma_foreign_key_check GROUP BY 1, 2 LIMIT {}",
                          kMaxLines)));
    for (const Row& row : dangling) {
      lines.push_back(fmt::format("{} rows of {} refer to rows of {} that are not there",
                                  std::get<std::int64_t>(row[2]), std::get<std::string>(row[0]),
                                  std::get<std::string>(row[1])));
    }
    return lines;
  }

 private:
  Result<Table> DescribeOne(const std::string& name) {
    Table table{.name = name, .columns = {}, .key = {}, .references = {}};
    SEEDCORE_ASSIGN_OR_RETURN(
        const std::vector<Row> columns,
        Query(fmt::format("SELECT name, pk, type FROM pragma_table_xinfo('{}') WHERE hidden = 0 ORDER BY name", name)));
    std::vector<std::pair<std::int64_t, std::string>> key;
    for (const Row& row : columns) {
      const std::string& column = std::get<std::string>(row[0]);
      if (std::get<std::string>(row[2]) == "BLOB") {
        return Fail(ErrorCode::kInternal, fmt::format("column {}.{} holds bytes, which are not handled", name, column));
      }
      table.columns.push_back(column);
      if (const std::int64_t at = std::get<std::int64_t>(row[1]); at > 0) key.emplace_back(at, column);
    }
    if (name == "task_payload") {
      table.columns.insert(table.columns.end(), kPayloadExtra.begin(), kPayloadExtra.end());
      std::ranges::sort(table.columns);
    }
    std::ranges::sort(key);
    for (auto& [at, column] : key) table.key.push_back(std::move(column));
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Row> references,
                              Query(fmt::format("SELECT DISTINCT \"table\" FROM pragma_foreign_key_list('{}')", name)));
    for (const Row& row : references) table.references.push_back(std::get<std::string>(row[0]));
    return table;
  }

  const std::string path_;
  std::optional<FileLock> lock_;  // goes after the file, and this after the connection
  std::unique_ptr<NewFile> made_;
  Database database_;
};

/// Also creates the folder when it is missing, for its owner alone as `up` does; what cannot be created is reported by
/// the lock.
Result<FileLock> LockAlone(const std::string& path) {
  std::error_code error;
  if (const auto folder = std::filesystem::path(path).parent_path(); !folder.empty()) {
    const bool created = std::filesystem::create_directories(folder, error);
    if (created) std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
  }
  return FileLock::Acquire(path + ".lock", FileLock::Mode::kExclusive);
}

Result<Database> OpenForWriting(const TablesSettings& settings, Env& env) {
  SEEDCORE_ASSIGN_OR_RETURN(Database database, Database::Open(settings.path, OpenMode::kReadWriteCreate, kBusyTimeout));
  SEEDCORE_RETURN_IF_ERROR(database.ExecuteScript("PRAGMA journal_mode = WAL"));
  SEEDCORE_RETURN_IF_ERROR(database.ExecuteScript("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"));
  SEEDCORE_RETURN_IF_ERROR(Migrate(database, env.WallNow(), Migrations()));
  if (settings.max_pages > 0) {
    SEEDCORE_RETURN_IF_ERROR(
        database.ExecuteScript(fmt::format("PRAGMA max_page_count = {}", settings.max_pages).c_str()));
  }
  return database;
}

Result<std::unique_ptr<Tables>> Open(const TablesSettings& settings, TablesUse use, Env& env) {
  const std::string& path = settings.path;
  std::error_code error;
  const bool exists = std::filesystem::exists(path, error);
  if (use == TablesUse::kCopyTo) {
    auto folders = MissingFoldersOf(path);
    SEEDCORE_ASSIGN_OR_RETURN(FileLock lock, LockAlone(path));
    std::unique_ptr<NewFile> made;
    if (!std::filesystem::exists(path, error)) made = std::make_unique<NewFile>(path, std::move(folders));
    SEEDCORE_RETURN_IF_ERROR(CheckHeader(path));
    SEEDCORE_ASSIGN_OR_RETURN(Database database, OpenForWriting(settings, env));
    return std::make_unique<SqliteTables>(path, std::move(lock), std::move(made), std::move(database));
  }
  if (!exists) return Fail(ErrorCode::kNotFound, "there is no store", path);
  std::optional<FileLock> lock;
  if (use == TablesUse::kCopyFrom) {
    SEEDCORE_ASSIGN_OR_RETURN(FileLock alone, LockAlone(path));
    lock.emplace(std::move(alone));
  }
  SEEDCORE_ASSIGN_OR_RETURN(Database database, Database::Open(path, OpenMode::kReadOnly, kBusyTimeout));
  SEEDCORE_RETURN_IF_ERROR(database.ExecuteScript("PRAGMA query_only = ON; BEGIN"));
  SEEDCORE_ASSIGN_OR_RETURN(const int version, SchemaVersion(database));
  if (version == 0) return Fail(ErrorCode::kNotFound, "there is no store", path);
  return std::make_unique<SqliteTables>(path, std::move(lock), nullptr, std::move(database));
}

template <class T>
Result<T> WithPath(Result<T> result, const std::string& path) {
  if (!result && result.error().path.empty()) result.error().path = path;
  return result;
}

Result<Migrated> MigrateLocked(const std::string& path, Env& env) {
  SEEDCORE_ASSIGN_OR_RETURN(const FileLock lock, LockAlone(path));
  SEEDCORE_RETURN_IF_ERROR(CheckHeader(path));
  SEEDCORE_ASSIGN_OR_RETURN(Database database, Database::Open(path, OpenMode::kReadWriteCreate, kBusyTimeout));
  Migrated migrated;
  SEEDCORE_ASSIGN_OR_RETURN(migrated.from, SchemaVersion(database));
  SEEDCORE_RETURN_IF_ERROR(database.ExecuteScript("PRAGMA journal_mode = WAL"));
  SEEDCORE_RETURN_IF_ERROR(database.ExecuteScript("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON"));
  SEEDCORE_RETURN_IF_ERROR(Migrate(database, env.WallNow(), Migrations()));
  SEEDCORE_ASSIGN_OR_RETURN(migrated.to, SchemaVersion(database));
  return migrated;
}

}  // namespace

Result<std::unique_ptr<Tables>> OpenTables(const TablesSettings& settings, TablesUse use, Env& env) {
  return WithPath(Open(settings, use, env), settings.path);
}

Result<Migrated> MigrateFile(const std::string& path, Env& env) { return WithPath(MigrateLocked(path, env), path); }

}  // namespace seedcore::store::sqlite
