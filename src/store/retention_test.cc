// What the look of the retention removes beside tasks: the rows of flows that no turn depends on any more.

#include <algorithm>

#include <gtest/gtest.h>

#include "store/conformance.h"
#include "store/location.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"
#include "store/sqlite/sqlite_store.h"
#include "store/turn.h"

namespace seedcore::store {
namespace {

constexpr int kMostStreams = 20;

struct Place {
  std::unique_ptr<Store> store;
  std::string location;  // for OpenTables
};

std::int64_t Rows(const Place& place, Env& env, const std::string& table) {
  const auto tables = Must(OpenTables(place.location, TablesUse::kInspect, env));
  return std::get<std::int64_t>(Must(tables->Query("SELECT count(*) FROM " + table))[0][0]);
}

std::vector<Task> Claimed(Store& store, int limit, std::vector<std::string> types = {}) {
  std::vector<Task> out;
  for (Claim& claim : Must(store.tasks().ClaimTasks({.owner_id = "w", .limit = limit, .types = std::move(types)}))) {
    out.push_back(std::move(claim.task));
  }
  return out;
}

void Look(Store& store) { EXPECT_EQ(Must(store.tasks().DeleteFinished(WallTime{}, 10)), 0); }

/// 2,000 tenants with one task each come and are served; the rows of a few are kept, and the order of claims is what it
/// would be with all of them.
void FlowsAreForgotten(const Place& place, Env& env) {
  Store& store = *place.store;
  constexpr int kTenants = 2000;
  std::vector<NewTask> once;
  for (int i = 0; i < kTenants; ++i) once.push_back({.type = "a", .domain = "tenant " + std::to_string(i)});
  Must(store.tasks().Submit(once));
  Must(store.tasks().Submit(std::vector<NewTask>(300, {.type = "a", .domain = "big"})));
  Must(store.tasks().Submit(std::vector<NewTask>(1, {.type = "a", .domain = "slow", .priority = 1})));
  EXPECT_EQ(Rows(place, env, "queue_flow"), kTenants + 2);
  Look(store);
  EXPECT_EQ(Rows(place, env, "queue_flow"), kTenants + 2) << "all have a task waiting at the clock";

  EXPECT_EQ(Claimed(store, kTenants + 100).size(), kTenants + 100U);
  Look(store);
  EXPECT_LE(Rows(place, env, "queue_flow"), 2) << "big, which waits, and slow, which has a turn far ahead";
  EXPECT_GE(Rows(place, env, "queue_flow"), 1);

  // One whose row is gone comes back: it is among the next, and has its share after that, no more and no less.
  Must(store.tasks().Submit(std::vector<NewTask>(100, {.type = "a", .domain = "tenant 7"})));
  const auto of_seven = [](const std::vector<Task>& tasks) {
    return std::ranges::count(tasks, "tenant 7", &Task::domain);
  };
  EXPECT_GE(of_seven(Claimed(store, 4)), 1);
  EXPECT_NEAR(static_cast<double>(of_seven(Claimed(store, 100))), 50.0, 2.0);
}

/// A flow whose turns are ahead of the clock is kept: without its row it would jump ahead of its own tasks.
void FlowsThatAreAheadAreKept(const Place& place, Env& env) {
  Store& store = *place.store;
  Must(store.tasks().Submit(std::vector<NewTask>(50, {.type = "a", .domain = "x"})));
  EXPECT_EQ(Claimed(store, 1).size(), 1U);
  Look(store);
  EXPECT_EQ(Rows(place, env, "queue_flow"), 1);
  const std::string last = Must(store.tasks().Submit(std::vector<NewTask>(1, {.type = "a", .domain = "x"})))[0].task.id;
  const auto rest = Claimed(store, 50);
  ASSERT_EQ(rest.size(), 50U);
  EXPECT_EQ(rest.back().id, last);
}

/// A type whose clock is behind that of all types goes by that one, with its row and without.
void ClocksAreForgotten(const Place& place, Env& env) {
  Store& store = *place.store;
  for (const char* type : {"a", "b"}) Must(store.tasks().Submit(std::vector<NewTask>(20, {.type = type})));
  EXPECT_EQ(Claimed(store, 2, {"b"}).size(), 2U);
  Look(store);
  EXPECT_EQ(Rows(place, env, "queue_clock"), 1) << "nothing else moves b's";
  EXPECT_EQ(Claimed(store, 30).size(), 30U);
  EXPECT_EQ(Rows(place, env, "queue_clock"), 2);
  Look(store);
  EXPECT_EQ(Rows(place, env, "queue_clock"), 1) << "that of all types";
}

/// Of more streams than are wanted those go that were touched longest ago.
void StreamsHaveABound(const Place& place, Env& env) {
  Store& store = *place.store;
  const auto touch = [&](const std::string& kind, int number) {
    Must(store.streams().Update(kind, std::to_string(number), [](const json::value&) -> json::value { return 1; }));
  };
  for (int i = 0; i < 2 * kMostStreams; ++i) {
    for (const char* kind : {"ocps", "drift", "other"}) touch(kind, i);
    dynamic_cast<SimEnv&>(env).Advance(std::chrono::seconds(1));
  }
  for (int i = 0; i < 3; ++i) touch("ocps", i);
  Look(store);
  EXPECT_EQ(Rows(place, env, "stream_state"), 4 * kMostStreams);
  for (int i = 0; i < 2 * kMostStreams; ++i) {
    const bool kept = i < 3 || i >= kMostStreams + 3;
    EXPECT_EQ(Must(store.streams().Load("ocps", std::to_string(i))).is_null(), !kept) << i;
    EXPECT_EQ(Must(store.streams().Load("drift", std::to_string(i))).is_null(), i < kMostStreams) << i;
  }
}

using Case = void (*)(const Place&, Env&);
class Retention : public testing::TestWithParam<std::pair<const char*, Case>> {};
class RetentionPostgres : public Retention {};

TEST_P(Retention, HoldsOnSqlite) {
  SimEnv env;
  Metrics metrics;
  const TempDirectory directory;
  const std::string file = directory.path() + "/seedcore.db";
  GetParam().second(
      {Must(sqlite::OpenSqliteStore({.path = file, .streams = {.most = kMostStreams}}, env, metrics)), file}, env);
}

TEST_P(RetentionPostgres, HoldsOnPostgres) {
  postgres::TestServer& server = postgres::TestServer::Shared();
  SimEnv env;
  Metrics metrics;
  const std::string database = std::string("retention_") + GetParam().first;
  server.CreateDatabase(database);
  const std::string dsn = server.Dsn(database);
  GetParam().second(
      {Must(postgres::OpenPostgresStore({.dsn = dsn, .streams = {.most = kMostStreams}}, env, metrics)), dsn}, env);
}

const auto kCases = testing::Values(std::pair<const char*, Case>("flows", FlowsAreForgotten),
                                    std::pair<const char*, Case>("ahead", FlowsThatAreAheadAreKept),
                                    std::pair<const char*, Case>("streams", StreamsHaveABound),
                                    std::pair<const char*, Case>("clocks", ClocksAreForgotten));
const auto kName = [](const auto& info) { return std::string(info.param.first); };
INSTANTIATE_TEST_SUITE_P(Each, Retention, kCases, kName);
INSTANTIATE_TEST_SUITE_P(Each, RetentionPostgres, kCases, kName);

}  // namespace
}  // namespace seedcore::store
