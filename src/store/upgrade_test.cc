// A store that an earlier version of the program wrote, with tasks in flight, opened by this one.
#include <algorithm>
#include <map>
#include <regex>
#include <span>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/check.h"
#include "store/conformance.h"
#include "store/location.h"
#include "store/postgres/connection.h"
#include "store/postgres/migrations.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/sqlite_store.h"
#include "store/stored_rows.h"

namespace seedcore::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

/// What differs between the dialects.
struct Dialect {
  std::map<std::string, std::string> words;
  std::string (*time)(WallTime);
};

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (std::size_t at = 0; (at = text.find(from, at)) != std::string::npos; at += to.size()) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string Rows(const Dialect& dialect, WallTime start) {
  std::string text(kTasksInFlight);
  text += kKnowledge;
  text += kRegistry;
  for (const auto& [from, to] : dialect.words) text = Replaced(std::move(text), from, to);
  for (int second = 60; second >= 0; --second) {
    text = Replaced(std::move(text), fmt::format("@{}", second), dialect.time(start + std::chrono::seconds(second)));
  }
  return text;
}

std::string Id(int number) { return fmt::format("01900000-0000-7000-8000-{:012}", number); }

/// The migrations to `version`.
template <class Migration>
std::span<const Migration> UpTo(int version, std::span<const Migration> all) {
  return all.first(static_cast<std::size_t>(
      std::ranges::count_if(all, [&](const Migration& migration) { return migration.version <= version; })));
}

class UpgradePostgresAndSqlite : public testing::Test {
 protected:
  UpgradePostgresAndSqlite() : start_(env_.WallNow()) { env_.Advance(std::chrono::seconds(20)); }

  std::string WriteSqlite(int version) {
    const std::string path = fmt::format("{}/{}.db", directory_.path(), version);
    const Dialect dialect{
        {{" DOMAIN ", " domain, "}, {" TYPE ", " "}, {"TAGS", "'[\"animals\"]'"}, {"CONTENT_HASH", kHash}},
        [](WallTime time) { return std::to_string(ToUnixMicros(time)); }};
    auto database =
        Must(sqlite::Database::Open(path, sqlite::OpenMode::kReadWriteCreate, std::chrono::milliseconds(1000)));
    Must(sqlite::Migrate(database, start_, UpTo(version, sqlite::Migrations())));
    // The payload has no type and no domain here.
    std::string rows = Rows(dialect, start_);
    rows = std::regex_replace(rows, std::regex(R"(\n  \((\d), '(work|keyed)', '', ('[^']*', '\{))"), "\n  ($1, $3");
    Must(database.ExecuteScript(rows.c_str()));
    Must(database.ExecuteScript(std::string(kCountsOfSqlite).c_str()));
    return path;
  }

  std::string WritePostgres(int version) {
    static int made = 0;
    const std::string name = fmt::format("upgrade_{}", ++made);
    server_.CreateDatabase(name);
    const Dialect dialect{
        {{" DOMAIN ", " "}, {" TYPE ", " type, domain, "}, {"TAGS", "'{animals}'"}, {"CONTENT_HASH", kHash}},
        [](WallTime time) { return "'" + ToRfc3339(time) + "'"; }};
    const auto connection = Must(postgres::Connection::Open({.dsn = server_.Dsn(name), .setup = {}}));
    Must(postgres::Migrate(*connection, start_, UpTo(version, postgres::Migrations())));
    // Tasks have no domain here.
    std::string rows = Rows(dialect, start_);
    rows = std::regex_replace(rows, std::regex(R"(-(\d{12})', '(work|keyed)', '', )"), "-$1', '$2', ");
    Must(connection->Script(rows.c_str()));
    Must(connection->Script("SELECT setval(pg_get_serial_sequence('tasks', 'seq'), 7)"));
    return server_.Dsn(name);
  }

  Result<std::unique_ptr<Store>> Open(const std::string& place) {
    if (IsDsn(place)) return postgres::OpenPostgresStore({.dsn = place}, env_, metrics_);
    return sqlite::OpenSqliteStore({.path = place}, env_, metrics_);
  }

  void ExpectThatWorkGoesOn(const std::string& place) {
    const auto store = Must(Open(place));
    TaskStore& tasks = store->tasks();
    const auto counts = Must(tasks.Counts()).by_status;
    EXPECT_EQ(counts.at(TaskStatus::kQueued), 3);
    EXPECT_EQ(counts.at(TaskStatus::kRunning), 1);
    EXPECT_EQ(Must(tasks.Get(Id(4))).result, (json::object{{"answer", 42}}));
    EXPECT_EQ(Must(tasks.Get(Id(1))).description, "in flight");
    const auto events = Must(tasks.EventsAfter(0, 100));
    ASSERT_THAT(events, SizeIs(14));

    // The key still says which task it was.
    const auto again =
        Must(tasks.Submit(std::vector<NewTask>{{.type = "keyed", .params = {{"n", 7}}, .idempotency_key = "once"}}));
    EXPECT_TRUE(again.front().duplicate);
    EXPECT_EQ(again.front().task.id, Id(7));

    // The worker that outlived the upgrade finishes its task, which releases the one that waits.
    Must(Must(tasks.FinishTasks(std::vector<Finish>{{{Id(1), "w", 1}, Completed{}, {}}})).front());
    Must(tasks.Run(Id(6)));
    env_.Advance(std::chrono::seconds(60));
    std::vector<std::string> ran;
    for (const Claim& claim : Must(tasks.ClaimTasks({.owner_id = "new", .limit = 10}))) {
      ran.push_back(claim.task.id);
      EXPECT_THAT(Must(store->steps().Steps(claim.task.id)), IsEmpty());
      EXPECT_THAT(Must(store->steps().SavePlan(claim.lease(), {.steps = {{"only", {}, {}}}, .note = {}})), SizeIs(1));
      Must(Must(tasks.FinishTasks(std::vector<Finish>{{claim.lease(), Completed{}, {}}})).front());
    }
    EXPECT_THAT(ran, UnorderedElementsAre(Id(2), Id(3), Id(5), Id(6), Id(7)));
    EXPECT_EQ(Must(tasks.EventsAfter(events.back().seq, 1)).front().kind, "completed");

    // What later versions brought works, too.
    Must(store->queues().AddExternalTypes(std::vector<std::string>{"outside"}));
    EXPECT_THAT(Must(store->queues().ExternalTypes()), SizeIs(1));
    Schedule schedule{.name = "daily", .cron = "@daily", .time_zone = "UTC"};
    schedule.task.type = "planned";
    schedule.next_run_at = env_.WallNow();
    const Schedule put = Must(store->schedules().PutSchedule(schedule));
    const Fired fired = Must(store->schedules().Fire({.name = put.name,
                                                      .revision = put.revision,
                                                      .due = *put.next_run_at,
                                                      .next = *put.next_run_at + std::chrono::hours(24),
                                                      .last_run = put.next_run_at,
                                                      .tasks = {TaskOf(put, env_.WallNow())},
                                                      .error = {}}));
    ASSERT_THAT(fired.task_ids, SizeIs(1));
    const Claim claim = Must(tasks.ClaimTasks({.owner_id = "new", .limit = 1})).at(0);
    for (const double fraction : {0.1, 0.2}) {
      EXPECT_TRUE(Must(tasks.ReportProgress(std::vector<ProgressReport>{{claim.lease(), {.fraction = fraction}}}))
                      .front()
                      .accepted);
    }
    Must(Must(tasks.FinishTasks(std::vector<Finish>{{claim.lease(), Snoozed{std::chrono::seconds(1), "later"}, {}}}))
             .front());

    EXPECT_THAT(Must(store->facts().Search({.text = "elephant", .tag = "animals"})), SizeIs(1));
    EXPECT_EQ(Must(store->ledger().Append({.scope = "agent", .scope_id = "a1", .delta_e = -1.0})).balance_after, 2.5);
    EXPECT_EQ(Must(store->streams().Load("ocps", "work")), (json::object{{"s", 0.25}}));
    EXPECT_THAT(Must(store->incidents().Search(0.5, 10)), SizeIs(1));
    EXPECT_THAT(Must(store->registry().Organs()).at(0).agent_ids, ElementsAre("a1"));
    EXPECT_THAT(Must(store->registry().RoutingRules()), SizeIs(1));
  }

  void ExpectSound(const std::string& place) {
    const auto tables = Must(OpenTables(place, TablesUse::kInspect, env_));
    std::vector<std::string> broken;
    for (const Finding& finding : Must(CheckStore(*tables)).findings) broken.push_back(finding.rule);
    EXPECT_THAT(broken, IsEmpty());
  }

  /// Of the keyed task, as the program computed it when there was no other schema.
  static constexpr char kHash[] = "-4792276783777773968";

  SimEnv env_;
  const WallTime start_;
  TempDirectory directory_;
  Metrics metrics_;
  postgres::TestServer& server_ = postgres::TestServer::Shared();
};

TEST_F(UpgradePostgresAndSqlite, WorkGoesOnAfterAnUpgradeFromEachVersion) {
  const auto versions = postgres::Migrations();
  ASSERT_GE(versions.size(), 2U) << "the version before is migrated";
  for (const postgres::Migration& earlier : versions.first(versions.size() - 1)) {
    for (const std::string& place : {WriteSqlite(earlier.version), WritePostgres(earlier.version)}) {
      SCOPED_TRACE(fmt::format("schema {} in {}", earlier.version, IsDsn(place) ? "PostgreSQL" : place));
      env_.JumpWall(start_ + std::chrono::seconds(20) - env_.WallNow());
      EXPECT_EQ(Must(MigrateStore(place, env_)).from, earlier.version);
      ExpectSound(place);
      ExpectThatWorkGoesOn(place);
      ExpectSound(place);
    }
  }
}

TEST_F(UpgradePostgresAndSqlite, BothStoresHaveTheSameVersions) {
  EXPECT_TRUE(std::ranges::equal(sqlite::Migrations(), postgres::Migrations(), {}, &sqlite::Migration::version,
                                 &postgres::Migration::version));
}

}  // namespace
}  // namespace seedcore::store
