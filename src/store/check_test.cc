#include "store/check.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <sqlite3.h>

#include "store/conformance.h"
#include "store/location.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"
#include "store/random_store.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::store {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

/// A fault, and the rule that names it.
struct Fault {
  const char* sql;
  const char* rule;
};
const std::vector<Fault>& Faults() {
  static const std::vector<Fault> faults{
      {"UPDATE tasks SET owner_id = NULL WHERE status = 'running'", "a running task has an owner"},
      {"UPDATE tasks SET lease_expires_at = created_at WHERE status = 'queued'", "only a running task has a lease"},
      {"UPDATE tasks SET finished_at = NULL WHERE status = 'completed'", "finished_at exactly when"},
      {"UPDATE tasks SET runnable = 0 WHERE status = 'queued'", "can become runnable"},
      {"UPDATE tasks SET blockers = 7, runnable = 3 WHERE status = 'queued'", "count of a task's dependencies"},
      {"DELETE FROM task_payload", "every task has its payload"},
      {"UPDATE tasks SET status = 'cancelled' WHERE status = 'completed'", "history of a task ends in its state"},
      {"UPDATE tasks SET fencing_token = fencing_token + 1 WHERE status = 'running'", "token of a task"},
      {"UPDATE task_count SET n = n + 1 WHERE status = 'queued'", "number of tasks in each state"},
      {"UPDATE energy_ledger SET balance_after = balance_after + 1", "each balance of the energy ledger"},
      {"UPDATE tasks SET seq = seq + 1000 WHERE status = 'completed'", "every result belongs to a task"},
  };
  return faults;
}

/// One running, one completed, one queued task, and an entry of the ledger.
void Fill(Store& store) {
  Must(store.tasks().Submit(std::vector<NewTask>(3, {.type = "a"})));
  const auto claims = Must(store.tasks().ClaimTasks({.owner_id = "w", .limit = 2}));
  Must(Must(store.tasks().FinishTasks(
                std::vector<Finish>{{claims[0].lease(),
                                     Completed{{{"n", 1}}},
                                     {.ledger = {{.scope = "agent", .scope_id = "a", .cost = 1.0}}}}}))
           .front());
}

std::vector<std::string> RulesBroken(const std::string& place, Env& env) {
  const auto tables = Must(OpenTables(place, TablesUse::kInspect, env));
  std::vector<std::string> rules;
  for (const Finding& finding : Must(CheckStore(*tables)).findings) rules.push_back(finding.rule);
  return rules;
}

TEST(CheckSqlite, EachFaultIsNamed) {
  SimEnv env;
  Metrics metrics;
  for (const Fault& fault : Faults()) {
    SCOPED_TRACE(fault.sql);
    const TempDirectory directory;
    const std::string file = directory.path() + "/seedcore.db";
    Fill(*Must(sqlite::OpenSqliteStore({.path = file}, env, metrics)));
    EXPECT_THAT(RulesBroken(file, env), IsEmpty());
    sqlite3* connection = nullptr;
    ASSERT_EQ(sqlite3_open(file.c_str(), &connection), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(connection, fault.sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(connection);
    sqlite3_close(connection);
    const auto rules = RulesBroken(directory.path(), env);
    // What refers to a row that is not there is found by SQLite itself, and then nothing else is looked at.
    EXPECT_THAT(rules, testing::Contains(testing::AnyOf(HasSubstr(fault.rule), HasSubstr("the database is sound"))));
  }
}

TEST(CheckPostgres, EachFaultIsNamed) {
  postgres::TestServer& server = postgres::TestServer::Shared();
  SimEnv env;
  Metrics metrics;
  server.CreateDatabase("check_template");
  Fill(*Must(postgres::OpenPostgresStore({.dsn = server.Dsn("check_template")}, env, metrics)));
  EXPECT_THAT(RulesBroken(server.Dsn("check_template"), env), IsEmpty());
  int made = 0;
  for (const Fault& fault : Faults()) {
    SCOPED_TRACE(fault.sql);
    const std::string database = fmt::format("check_{}", ++made);
    server.CreateDatabase(database, "check_template");
    server.Execute(database, fault.sql);
    EXPECT_THAT(RulesBroken(server.Dsn(database), env), testing::Contains(HasSubstr(fault.rule)));
  }
}

TEST(CheckSqlite, AStoreInUseCanBeChecked) {
  SimEnv env;
  Metrics metrics;
  const TempDirectory directory;
  const auto store = Must(sqlite::OpenSqliteStore({.path = directory.path() + "/seedcore.db"}, env, metrics));
  RandomStore(*store, env, 5).Live(200);
  const auto tables = Must(OpenTables(directory.path(), TablesUse::kInspect, env));
  const CheckReport report = Must(CheckStore(*tables));
  EXPECT_THAT(report.findings, IsEmpty());
  const TaskCounts counts = Must(store->tasks().Counts());
  for (const auto& [status, count] : report.tasks) {
    bool known = true;
    for (const auto& [value, name] : EnumNames(TaskStatus{})) {
      if (name == status) known = counts.by_status.at(value) == count;
    }
    EXPECT_TRUE(known) << status;
  }
  EXPECT_EQ(report.dead_letters, counts.dead_letters);
}

TEST(CheckSqlite, ADamagedFileIsNotSound) {
  SimEnv env;
  Metrics metrics;
  const TempDirectory directory;
  const std::string file = directory.path() + "/seedcore.db";
  {
    const auto store = Must(sqlite::OpenSqliteStore({.path = file}, env, metrics));
    Must(store->tasks().Submit(std::vector<NewTask>(300, {.type = "a", .description = std::string(300, 'x')})));
  }
  std::fstream out(file, std::ios::binary | std::ios::in | std::ios::out);
  const auto size = static_cast<std::streamoff>(std::filesystem::file_size(file));
  for (std::streamoff at = 3 * 4096 + 1000; at + 4096 < size; at += 8192) {
    out.seekp(at);
    out << std::string(2000, '\x5a');
  }
  out.close();
  const auto tables = OpenTables(file, TablesUse::kInspect, env);
  if (!tables) return;  // the damage was met at once
  const auto report = CheckStore(**tables);
  EXPECT_TRUE(!report || !report->findings.empty());
}

}  // namespace
}  // namespace seedcore::store
