#include "store/sqlite/migrations.h"

#include <array>

#include "base/log.h"
#include "store/schema_version.h"

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
  for (const char* script : migration.scripts) SEEDCORE_RETURN_IF_ERROR(database.ExecuteScript(script));
  SEEDCORE_RETURN_IF_ERROR(database.Execute(kInsertVersion, migration.version, migration.description, now));
  return database.ExecuteScript("COMMIT");
}

}  // namespace

std::span<const Migration> Migrations() {
  static constexpr std::array kWhole = {schema::kTasks,     schema::kLimits,    schema::kTurns,
                                        schema::kKnowledge, schema::kRegistry,  schema::kGraph,
                                        schema::kSteps,     schema::kSchedules, schema::kRules};
  static constexpr std::array kTypesLeft = {schema::kExternal};
  static constexpr std::array<Migration, 2> kMigrations = {{
      {19, "the whole schema", kWhole},
      {20, "types left to workers outside", kTypesLeft},
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
  SEEDCORE_RETURN_IF_ERROR(CheckSchemaVersion(current, migrations.front().version, newest));
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
