#include "store/postgres/tables.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <map>
#include <set>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "store/postgres/connection.h"
#include "store/postgres/migrations.h"
#include "store/postgres/table_values.h"
#include "store/postgres/task_history.h"

namespace seedcore::store::postgres {
namespace {

/// Not copied: derived from other tables, about this database alone, or shown as rows of another table.
constexpr std::array<std::string_view, 9> kOwn = {"schema_version",   "store_health", "task_count",
                                                  "task_event_batch", "task_ready",   "lease_batch",
                                                  "finished_batch",   "ready_batch",  kCopyTable};

// In SQLite the domain stands in tasks; so it does here, to the outside.
constexpr char kTaskRows[] = "(SELECT t.*, p.domain FROM tasks t LEFT JOIN task_payload p ON p.seq = t.seq) t";

constexpr char kColumns[] =
    "SELECT c.relname::text, a.attname::text, y.typname::text, y.typtype = 'e', "
    "coalesce(array_position(i.indkey::int2[], a.attnum), -1)::int4 FROM pg_class c "
    "JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' "
    "JOIN pg_type y ON y.oid = a.atttypid LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary "
    "WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace "
    // Where in task_event_batch a task's events are; to the outside they are in task_event.
    "AND a.attname NOT IN ('submit_event', 'claim_event', 'end_event') ORDER BY c.relname, a.attname";
constexpr char kReferences[] =
    "SELECT DISTINCT c.relname::text, f.relname::text FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN "
    "pg_class f ON f.oid = k.confrelid WHERE k.contype = 'f' AND c.relnamespace = current_schema()::regnamespace";
constexpr char kHasTable[] =
    "SELECT count(*) FROM pg_class WHERE relname = $1::text AND relnamespace = current_schema()::regnamespace";
// Processes of SeedCore name themselves to the server; connections of this process are not counted.
constexpr char kOthers[] =
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name ~ '^seedcore( |$)'";
constexpr char kIdentities[] =
    "SELECT c.relname::text, a.attname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid WHERE "
    "a.attidentity <> '' AND c.relnamespace = current_schema()::regnamespace ORDER BY 1";
constexpr char kBrokenIndexes[] =
    "SELECT format('the index %s of %s is not valid', i.indexrelid::regclass, i.indrelid::regclass), c.relname::text "
    "FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.relnamespace = current_schema()::regnamespace AND "
    "NOT i.indisvalid";

bool IsOwn(std::string_view name) { return std::ranges::find(kOwn, name) != kOwn.end(); }

struct TypedTable {
  Table table;
  std::map<std::string, ColumnType> types;  ///< by column
};

class PostgresTables final : public Tables {
 public:
  explicit PostgresTables(std::unique_ptr<Connection> connection)
      : connection_(std::move(connection)), place_("postgresql://" + connection_->place()) {}

  const std::string& place() const override { return place_; }
  Result<int> SchemaVersion() override { return postgres::SchemaVersion(*connection_); }
  int NewestVersion() const override { return Migrations().back().version; }

  Result<std::vector<Table>> Describe() override {
    SEEDCORE_RETURN_IF_ERROR(Load());
    std::vector<Table> tables;
    for (const auto& [name, typed] : tables_) tables.push_back(typed.table);
    return tables;
  }

  Result<std::vector<std::string>> Foreign() override {
    SEEDCORE_RETURN_IF_ERROR(Load());
    return std::vector<std::string>(foreign_.begin(), foreign_.end());
  }

  Result<void> Begin() override {
    if (connection_->InTransaction()) return {};
    return connection_->Script("BEGIN ISOLATION LEVEL READ COMMITTED");
  }
  Result<void> Commit() override { return connection_->Script("COMMIT"); }
  void Rollback() override {
    if (connection_->IsUsable() && connection_->InTransaction()) (void)connection_->Script("ROLLBACK");
  }

  Result<std::vector<Row>> Read(const Table& table, const Row& after, int limit) override {
    const TypedTable& typed = tables_.at(table.name);
    std::vector<std::string> key, marks;
    Params params;
    for (const std::string& column : table.key) {
      const ColumnType& type = typed.types.at(column);
      key.push_back(type.name == "text" ? column + " COLLATE \"C\"" : column);
      marks.push_back(fmt::format("${}::{}", marks.size() + 1, type.name));
    }
    for (std::size_t i = 0; i < after.size(); ++i) AddValue(params, typed.types.at(table.key[i]), after[i]);
    const std::string where =
        after.empty() ? "" : fmt::format("WHERE ({}) > ({}) ", fmt::join(key, ", "), fmt::join(marks, ", "));
    std::string from = table.name == "tasks" ? kTaskRows : table.name;
    if (table.name == "task_event") {
      from = fmt::format("seedcore_history_after({}, {}, {})", after.empty() ? "-1" : "$1",
                         std::numeric_limits<std::int64_t>::max() - kEventBlock, limit);
    }
    return Run(fmt::format("SELECT {} FROM {} {}ORDER BY {} LIMIT {}", fmt::join(table.columns, ", "), from, where,
                           fmt::join(key, ", "), limit),
               params);
  }

  Result<std::int64_t> Count(const Table& table) override {
    const std::string from = table.name == "task_event" ? "task_history" : table.name;
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection_->RunOnce("SELECT count(*) FROM " + from, {}));
    return rows.Int(0, 0);
  }

  Result<void> Insert(const Table& table, std::span<const Row> rows) override {
    if (rows.empty()) return {};
    const TypedTable& typed = tables_.at(table.name);
    std::vector<std::string> columns, arrays, elements, values;
    Params params;
    for (std::size_t i = 0; i < table.columns.size(); ++i) {
      const std::string& column = table.columns[i];
      if (table.name == "tasks" && column == "domain") continue;
      const ColumnType& type = typed.types.at(column);
      columns.push_back(column);
      arrays.push_back(fmt::format("${}::{}[]", arrays.size() + 1, ElementType(type)));
      elements.push_back(fmt::format("e{}", elements.size()));
      values.push_back(FromElement(type, elements.back()));
      params.Add(ColumnOf(rows, i, type));
    }
    SEEDCORE_RETURN_IF_ERROR(connection_->RunOnce(
        fmt::format("INSERT INTO {} ({}) SELECT {} FROM unnest({}) AS r ({})", table.name, fmt::join(columns, ", "),
                    fmt::join(values, ", "), fmt::join(arrays, ", "), fmt::join(elements, ", ")),
        params));
    return {};
  }

  Result<std::vector<Row>> Query(const std::string& sql) override { return Run(sql, {}); }

  Result<bool> HasTable(const std::string& name) override {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection_->Query(kHasTable, name));
    return rows.Int(0, 0) > 0;
  }

  Result<std::int64_t> LastEvent() override {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection_->Query("SELECT last_value FROM task_event_seq"));
    return rows.Int(0, 0) + kEventBlock - 1;
  }

  Result<void> Settle(std::int64_t last_event) override {
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Row> identities, Query(kIdentities));
    std::string script = fmt::format("SELECT setval('task_event_seq', {}); ", last_event / kEventBlock * kEventBlock);
    for (const Row& row : identities) {
      const std::string &table = std::get<std::string>(row[0]), &column = std::get<std::string>(row[1]);
      if (!IsStoreTable(table)) continue;
      script += fmt::format(
          "SELECT setval(pg_get_serial_sequence('{0}', '{1}'), coalesce(max({1}), 1), max({1}) IS NOT NULL) FROM {0}; ",
          table, column);
    }
    return connection_->Script(script.c_str());
  }

  Result<std::vector<std::string>> Integrity() override {
    std::vector<std::string> lines;
    SEEDCORE_ASSIGN_OR_RETURN(const std::vector<Row> broken, Query(kBrokenIndexes));
    for (const Row& row : broken) {
      const std::string& table = std::get<std::string>(row[1]);
      if (IsStoreTable(table) || IsOwn(table)) lines.push_back(std::get<std::string>(row[0]));
    }
    // Reading every column of every row meets a page whose checksum is wrong, and a value that cannot be unpacked.
    SEEDCORE_RETURN_IF_ERROR(Load());
    for (const std::string& name : Names()) {
      const std::string sql = fmt::format("SELECT sum(length(x::text)) IS NULL FROM {} x", name);
      SEEDCORE_RETURN_IF_ERROR(connection_->RunOnce(sql, {}));
    }
    return lines;
  }

  /// From here on, one transaction that reads what is there now. `alone`: nobody changes it until the connection ends.
  Result<void> BeginReading(bool alone) {
    SEEDCORE_RETURN_IF_ERROR(Load());
    SEEDCORE_RETURN_IF_ERROR(connection_->Script("BEGIN ISOLATION LEVEL REPEATABLE READ"));
    if (!alone) return connection_->Script("SET TRANSACTION READ ONLY");
    // Locks come before the snapshot, which the first query takes.
    return connection_->Script(fmt::format("LOCK TABLE {} IN SHARE MODE", fmt::join(Names(), ", ")).c_str());
  }

  /// Makes the tables, or migrates them, in a transaction that the first Commit ends.
  Result<void> BeginWriting(WallTime now) {
    SEEDCORE_RETURN_IF_ERROR(MigrateUncommitted(*connection_, now, Migrations()));
    return {};
  }

  /// A process that has just ended may still be known to the server, so it looks again for two seconds.
  Result<void> RefuseOthers(std::int64_t ours) {
    constexpr int kLooks = 20;
    std::int64_t others = 0;
    for (int look = 0; look < kLooks; ++look) {
      if (look > 0) SEEDCORE_RETURN_IF_ERROR(connection_->Script("SELECT pg_sleep(0.1)"));
      SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection_->Query(kOthers));
      others = rows.Int(0, 0) - ours;
      if (others <= 0) return {};
    }
    return Fail(ErrorCode::kUnavailable,
                fmt::format("{} connections of running SeedCore processes use this store; stop them first", others),
                place_);
  }

 private:
  Result<void> Load() {
    if (!tables_.empty()) return {};
    SEEDCORE_ASSIGN_OR_RETURN(const Rows columns, connection_->Query(kColumns));
    std::map<std::string, std::map<std::int64_t, std::string>> keys;
    for (int i = 0; i < columns.size(); ++i) {
      const std::string name(columns.Text(i, 0)), column(columns.Text(i, 1));
      if (name == "task_event_batch") has_batches_ = true;
      if (IsOwn(name)) continue;
      if (!IsStoreTable(name)) {
        foreign_.insert(name);
        continue;
      }
      const ColumnType type{std::string(columns.Text(i, 2)), columns.Bool(i, 3)};
      if (!IsKnown(type)) {
        return Fail(ErrorCode::kInternal,
                    fmt::format("column {}.{} is of type {}, which is not handled", name, column, type.name), place_);
      }
      TypedTable& typed = tables_[name];
      typed.table.name = name;
      typed.table.columns.push_back(column);
      typed.types[column] = type;
      if (const std::int64_t at = columns.Int(i, 4); at >= 0) keys[name][at] = column;
    }
    for (auto& [name, columns_by_place] : keys) {
      for (auto& [at, column] : columns_by_place) tables_[name].table.key.push_back(column);
    }
    if (const auto tasks = tables_.find("tasks"); tasks != tables_.end()) {
      tasks->second.table.columns.emplace_back("domain");
      std::ranges::sort(tasks->second.table.columns);
    }
    SEEDCORE_ASSIGN_OR_RETURN(const Rows references, connection_->Query(kReferences));
    for (int i = 0; i < references.size(); ++i) {
      const auto found = tables_.find(std::string(references.Text(i, 0)));
      if (found != tables_.end()) found->second.table.references.emplace_back(references.Text(i, 1));
    }
    return {};
  }

  /// Of every table with data of its own.
  [[nodiscard]] std::vector<std::string> Names() const {
    std::vector<std::string> names;
    if (has_batches_) names.emplace_back("task_event_batch");
    for (const auto& [name, typed] : tables_) names.push_back(name);
    return names;
  }

  Result<std::vector<Row>> Run(const std::string& sql, const Params& params) {
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection_->RunOnce(sql, params));
    std::vector<Row> out;
    out.reserve(static_cast<std::size_t>(rows.size()));
    for (int i = 0; i < rows.size(); ++i) {
      Row& row = out.emplace_back();
      for (int column = 0; column < rows.columns(); ++column) row.push_back(ReadValue(rows, i, column));
    }
    return out;
  }

  std::unique_ptr<Connection> connection_;
  const std::string place_;
  std::map<std::string, TypedTable> tables_;  ///< empty until Load
  std::set<std::string> foreign_;
  bool has_batches_ = false;  ///< since schema 10
};

/// No limit on how long a statement takes, or how long the transaction waits for the other store.
Result<std::unique_ptr<Connection>> Connect(const TablesSettings& settings) {
  return Connection::Open({.dsn = settings.dsn,
                           .connect_timeout = settings.connect_timeout,
                           .statement_timeout = std::chrono::milliseconds(0),
                           .lock_timeout = settings.lock_timeout,
                           .setup = "SET jit = off; SET extra_float_digits = 3;"});
}

}  // namespace

Result<std::unique_ptr<Tables>> OpenTables(const TablesSettings& settings, TablesUse use, Env& env) {
  SEEDCORE_ASSIGN_OR_RETURN(std::unique_ptr<Connection> connection, Connect(settings));
  const std::string place = "postgresql://" + connection->place();
  auto tables = std::make_unique<PostgresTables>(std::move(connection));
  if (use == TablesUse::kCopyTo) {
    SEEDCORE_RETURN_IF_ERROR(tables->RefuseOthers(1));
    SEEDCORE_RETURN_IF_ERROR(tables->BeginWriting(env.WallNow()));
    return tables;
  }
  SEEDCORE_ASSIGN_OR_RETURN(const int version, tables->SchemaVersion());
  if (version == 0) return Fail(ErrorCode::kNotFound, "there is no store in this database", place);
  if (use == TablesUse::kCopyFrom) SEEDCORE_RETURN_IF_ERROR(tables->RefuseOthers(1));
  SEEDCORE_RETURN_IF_ERROR(tables->BeginReading(use == TablesUse::kCopyFrom));
  return tables;
}

Result<Migrated> MigrateDatabase(const TablesSettings& settings, Env& env) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::unique_ptr<Connection> connection, Connect(settings));
  MigrationReport report;
  SEEDCORE_RETURN_IF_ERROR(Migrate(*connection, env.WallNow(), Migrations(), &report));
  return Migrated{"postgresql://" + connection->place(), report.from, report.to, std::move(report.notes)};
}

}  // namespace seedcore::store::postgres
