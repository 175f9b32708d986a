#include "store/postgres/migrations.h"

#include <array>
#include <chrono>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/log.h"
#include "store/postgres/takeover.h"
#include "store/schema_version.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kHasVersionTable[] =
    "SELECT count(*) FROM pg_class c WHERE c.relname = 'schema_version' AND c.relnamespace = "
    "current_schema()::regnamespace";
constexpr char kHasForeignTasks[] =
    "SELECT count(*) FROM pg_class c WHERE c.relname = 'tasks' AND c.relnamespace = current_schema()::regnamespace";
constexpr char kNewestVersion[] = "SELECT coalesce(max(version), 0) FROM schema_version";
constexpr char kCreateVersionTable[] =
    "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER PRIMARY KEY, description TEXT NOT NULL, applied_at "
    "TIMESTAMPTZ NOT NULL)";
constexpr char kInsertVersion[] = "INSERT INTO schema_version (version, description, applied_at) VALUES ($1, $2, $3)";
constexpr char kLock[] = "SELECT pg_advisory_xact_lock(24300, 1)";
// Shards of server processes that have ended become one.
constexpr char kFoldCounts[] =
    "WITH ended AS (DELETE FROM task_count WHERE shard <> 0 AND shard NOT IN (SELECT pid FROM pg_stat_activity) "
    "RETURNING status, n) INSERT INTO task_count AS c (status, shard, n) SELECT status, 0, sum(n) FROM ended GROUP BY "
    "status ON CONFLICT (status, shard) DO UPDATE SET n = c.n + excluded.n";

/// Answers of this connection may take as long as they take.
class Patience {
 public:
  explicit Patience(Connection& connection) : connection_(connection), before_(connection.answer_timeout()) {
    connection_.set_answer_timeout(std::chrono::milliseconds(0));
  }
  ~Patience() { connection_.set_answer_timeout(before_); }
  Patience(const Patience&) = delete;
  Patience& operator=(const Patience&) = delete;

 private:
  Connection& connection_;
  const std::chrono::milliseconds before_;
};

Result<std::int64_t> QueryInt(Connection& connection, const char* sql) {
  SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(sql));
  return rows.Int(0, 0);
}

Result<int> MigrateLocked(Connection& connection, WallTime now, std::span<const Migration> migrations,
                          MigrationReport& report) {
  SEEDCORE_RETURN_IF_ERROR(connection.Query(kLock));
  SEEDCORE_ASSIGN_OR_RETURN(const bool takes_over, IsEarlierSystem(connection));
  if (takes_over) SEEDCORE_RETURN_IF_ERROR(MoveAside(connection));
  SEEDCORE_ASSIGN_OR_RETURN(const int current, SchemaVersion(connection));
  const int newest = migrations.back().version;
  SEEDCORE_RETURN_IF_ERROR(CheckSchemaVersion(current, migrations.front().version, newest));
  if (current < newest) SEEDCORE_RETURN_IF_ERROR(connection.Script(kCreateVersionTable));
  for (const Migration& migration : migrations) {
    if (migration.version <= current) continue;
    for (const char* script : migration.scripts) SEEDCORE_RETURN_IF_ERROR(connection.Script(script));
    SEEDCORE_RETURN_IF_ERROR(
        connection.Query(kInsertVersion, migration.version, std::string_view(migration.description), now));
  }
  if (takes_over) {
    SEEDCORE_ASSIGN_OR_RETURN(report.notes, TakeOver(connection, now));
    log::Info("store taken over from the earlier system",
              {{"tables", fmt::format("{}", fmt::join(report.notes, "; "))}});
  }
  SEEDCORE_RETURN_IF_ERROR(connection.Query(kFoldCounts));
  report.from = current;
  report.to = newest;
  if (current > 0 && current < newest) log::Info("store schema migrated", {{"from", current}, {"to", newest}});
  return newest;
}

}  // namespace

std::span<const Migration> Migrations() {
  static constexpr std::array kWhole = {
      schema::kTasks,    schema::kHistory, schema::kLine,   schema::kTurns,     schema::kLimits,  schema::kPlaces,
      schema::kSubmit,   schema::kClaims,  schema::kFinish, schema::kComplete,  schema::kControl, schema::kKnowledge,
      schema::kRegistry, schema::kGraph,   schema::kSteps,  schema::kSchedules, schema::kRules};
  static constexpr std::array kTypesLeft = {schema::kExternal};
  static constexpr std::array<Migration, 2> kMigrations = {{
      {19, "the whole schema", kWhole},
      {20, "types left to workers outside", kTypesLeft},
  }};
  return kMigrations;
}

Result<int> SchemaVersion(Connection& connection) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t has_table, QueryInt(connection, kHasVersionTable));
  if (has_table == 0) {
    SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t foreign, QueryInt(connection, kHasForeignTasks));
    if (foreign > 0) {
      return Fail(ErrorCode::kCorrupt,
                  fmt::format("the database {} has a table 'tasks' of another program", connection.place()));
    }
    return 0;
  }
  SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t version, QueryInt(connection, kNewestVersion));
  return static_cast<int>(version);
}

Result<int> MigrateUncommitted(Connection& connection, WallTime now, std::span<const Migration> migrations,
                               MigrationReport* report) {
  const Patience patience(connection);
  // READ COMMITTED whatever the server's default: after the wait for the lock, the version is read anew.
  SEEDCORE_RETURN_IF_ERROR(connection.Script(
      "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0"));
  MigrationReport unread;
  auto version = MigrateLocked(connection, now, migrations, report != nullptr ? *report : unread);
  if (!version && connection.InTransaction()) (void)connection.Script("ROLLBACK");
  return version;
}

Result<int> Migrate(Connection& connection, WallTime now, std::span<const Migration> migrations,
                    MigrationReport* report) {
  const Patience patience(connection);
  SEEDCORE_ASSIGN_OR_RETURN(const int version, MigrateUncommitted(connection, now, migrations, report));
  SEEDCORE_RETURN_IF_ERROR(connection.Script("COMMIT"));
  return version;
}

}  // namespace seedcore::store::postgres
