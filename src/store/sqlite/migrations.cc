#include "store/sqlite/migrations.h"

#include <array>

#include <fmt/format.h>

#include "base/log.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kCountTables[] = "SELECT count(*) FROM sqlite_schema WHERE type = 'table'";
constexpr char kHasVersionTable[] =
    "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'schema_version'";
constexpr char kNewestVersion[] = "SELECT coalesce(max(version), 0) FROM schema_version";
constexpr char kCreateVersionTable[] =
    "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, description TEXT NOT NULL, "
    "applied_at INTEGER NOT NULL)";
constexpr char kInsertVersion[] = "INSERT INTO schema_version (version, description, applied_at) VALUES (?1, ?2, ?3)";

Result<void> Apply(Database& database, WallTime now, const Migration& migration) {
  SEEDCORE_RETURN_IF_ERROR(database.ExecuteScript(kCreateVersionTable));
  SEEDCORE_RETURN_IF_ERROR(database.ExecuteScript(migration.script));
  SEEDCORE_RETURN_IF_ERROR(database.Execute(kInsertVersion, migration.version, migration.description, now));
  return database.ExecuteScript("COMMIT");
}

}  // namespace

std::span<const Migration> Migrations() {
  // Since 12 the versions are those of PostgreSQL, where a change of an index costs more than the row.
  static constexpr char kNothing[] = "";
  static constexpr std::array<Migration, 20> kMigrations = {{
      {1, "tasks, their events and dependencies", kSchemaTasks},
      {2, "facts, incidents, energy ledger and stream states", kSchemaKnowledge},
      {3, "cluster epoch, instances, organs, agents and routing rules", kSchemaRegistry},
      {4, "what instances serve, and at which address", kSchemaListeners},
      {5, "limits, pauses and unique keys of tasks", kSchemaDispatch},
      {6, "nodes, edges and embeddings of the graph", kSchemaGraph},
      {7, "steps of tasks", kSchemaSteps},
      {8, "schedules, and the progress of tasks", kSchemaSchedules},
      {9, "turns: fair order of claiming", kSchemaTurns},
      {10, "the history of tasks as a view", kSchemaHistory},
      {11, "streams by the time they were touched", kSchemaBounds},
      {12, "nothing; PostgreSQL has other tables since", kNothing},
      {13, "nothing; PostgreSQL has other functions since", kNothing},
      {14, "nothing; PostgreSQL has another table since", kNothing},
      {15, "nothing; PostgreSQL has other functions since", kNothing},
      {16, "versions of the rules", kSchemaRules},
      {17, "nothing; PostgreSQL has other functions since", kNothing},
      {18, "nothing; PostgreSQL has other functions since", kNothing},
      {19, "nothing; PostgreSQL has other functions since", kNothing},
      {20, "types left to workers outside", kSchemaExternal},
  }};
  return kMigrations;
}

Result<int> SchemaVersion(Database& database) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t has_table, database.QueryInt(kHasVersionTable));
  if (has_table == 0) {
    SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t tables, database.QueryInt(kCountTables));
    if (tables > 0) return Fail(ErrorCode::kCorrupt, "the file is an SQLite database of another program");
    return 0;
  }
  SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t version, database.QueryInt(kNewestVersion));
  return static_cast<int>(version);
}

Result<void> Migrate(Database& database, WallTime now, std::span<const Migration> migrations) {
  SEEDCORE_ASSIGN_OR_RETURN(const int current, SchemaVersion(database));
  const int newest = migrations.back().version;
  if (current > newest) {
    return Fail(ErrorCode::kCorrupt, fmt::format("the database has schema version {}, this program knows up to {}; use "
                                                 "the newer program or restore an older backup",
                                                 current, newest));
  }
  for (const Migration& migration : migrations) {
    if (migration.version <= current) continue;
    SEEDCORE_RETURN_IF_ERROR(database.ExecuteScript("BEGIN IMMEDIATE"));
    if (auto applied = Apply(database, now, migration); !applied) {
      if (database.InTransaction()) (void)database.ExecuteScript("ROLLBACK");
      return applied;
    }
  }
  if (current > 0 && current < newest) log::Info("store schema migrated", {{"from", current}, {"to", newest}});
  return {};
}

}  // namespace seedcore::store::sqlite
