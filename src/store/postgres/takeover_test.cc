#include "store/postgres/takeover.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/check.h"
#include "store/conformance.h"
#include "store/graph_store.h"
#include "store/location.h"
#include "store/postgres/earlier_system.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"

namespace seedcore::store::postgres {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string Id(const std::string& digits) {
  return "00000000-0000-4000-8000-" + std::string(12 - digits.size(), '0') + digits;
}

/// A database of the earlier system, and one of ours once it has been taken over.
class TakeoverPostgres : public testing::Test {
 protected:
  TakeoverPostgres() {
    static int made = 0;
    database_ = fmt::format("earlier_{}", ++made);
    server_.CreateDatabase(database_);
    server_.Execute(database_, kEarlierSchema);
    server_.Execute(database_, kEarlierRows);
  }

  std::string Dsn() const { return server_.Dsn(database_); }
  std::unique_ptr<Store> Open() { return Must(OpenPostgresStore({.dsn = Dsn()}, env_, metrics_)); }
  std::int64_t QueryInt(const std::string& sql) {
    return Must(Must(Connection::Open({.dsn = Dsn(), .setup = {}}))->RunOnce(sql, {})).Int(0, 0);
  }
  static std::vector<std::string> Kinds(Store& store, const std::string& id) {
    std::vector<std::string> kinds;
    for (const TaskEvent& event : Must(store.tasks().Events(id))) kinds.push_back(event.kind);
    return kinds;
  }

  TestServer& server_ = TestServer::Shared();
  std::string database_;
  SimEnv env_;
  Metrics metrics_;
};

TEST_F(TakeoverPostgres, EveryRowIsTakenOverOrSaidToBeKept) {
  const MigrateReport report = Must(MigrateStore(Dsn(), env_));
  EXPECT_EQ(report.from, 0);
  EXPECT_GE(report.to, 3);
  for (const char* line : {"tasks: 10 of 10 rows taken over", "facts: 2 of 2 rows taken over",
                           "task_depends_on_task: 3 of 4 rows taken over", "task_produces_fact: 1 of 1 rows taken over",
                           "agent_registry: 2 of 2 rows taken over", "organ_registry: 2 of 2 rows taken over",
                           "agent_member_of_organ: 2 of 3 rows taken over", "cluster_metadata: 1 of 1 rows taken over",
                           "registry_instance: 1 of 1 rows taken over", "holons: 2 rows kept in seedcore_legacy.holons",
                           "graph_embeddings: 1 rows kept in seedcore_legacy.graph_embeddings"}) {
    EXPECT_THAT(report.notes, Contains(line));
  }
  // Every table of the earlier system is still there with all its rows.
  EXPECT_EQ(QueryInt("SELECT count(*) FROM seedcore_legacy.tasks"), 10);
  EXPECT_EQ(QueryInt("SELECT count(*) FROM seedcore_legacy.hgnn_edges"), 4) << "its views still work";
  const auto tables = Must(OpenTables(Dsn(), TablesUse::kInspect, env_));
  std::vector<std::string> broken;
  for (const Finding& finding : Must(CheckStore(*tables)).findings) broken.push_back(finding.rule + finding.example);
  EXPECT_THAT(broken, IsEmpty());
}

TEST_F(TakeoverPostgres, TasksGoOnFromWhereTheyWere) {
  const auto store = Open();
  TaskStore& tasks = store->tasks();
  const Task done = Must(tasks.Get(Id("1")));
  EXPECT_EQ(done.status, TaskStatus::kCompleted);
  EXPECT_EQ(done.type, "general_query");
  EXPECT_EQ(done.params, (json::object{{"q", "a"}}));
  EXPECT_EQ(done.result.at("success"), true);
  EXPECT_EQ(ToRfc3339(*done.finished_at), "2025-09-02T00:00:00.000000Z");
  EXPECT_THAT(Kinds(*store, Id("1")), ElementsAre("submitted", "claimed", "completed"));
  EXPECT_EQ(Must(tasks.Get(Id("5"))).dead_letter, true);
  EXPECT_TRUE(Must(tasks.Get(Id("5"))).result.is_null());
  EXPECT_EQ(Must(tasks.Get(Id("4"))).status, TaskStatus::kRetry);
  EXPECT_EQ(Must(tasks.Get(Id("7"))).status, TaskStatus::kCreated);
  const Task asks = Must(tasks.Get(Id("9")));
  EXPECT_EQ(asks.status, TaskStatus::kCreated);
  EXPECT_THAT(asks.hold_reason, HasSubstr(Id("5")));
  EXPECT_EQ(Must(tasks.Get(Id("8"))).params, (json::object{{"value", json::array{1}}}));

  env_.Advance(Must(ParseRfc3339("2026-01-01T00:00:00Z")) - env_.WallNow());
  // The one in flight runs again once its lease has ended, and a dependency is waited for.
  EXPECT_EQ(Must(tasks.Get(Id("3"))).owner_id, "d1");
  Must(tasks.Reap(10));
  EXPECT_EQ(Must(tasks.Get(Id("3"))).status, TaskStatus::kRetry);
  const auto claims = Must(tasks.ClaimTasks({.owner_id = "w", .limit = 10, .types = {"general_query", "after_two"}}));
  ASSERT_THAT(claims, SizeIs(2));
  EXPECT_EQ(claims[0].task.id, Id("2"));
  EXPECT_EQ(claims[1].task.id, Id("3"));
  Must(Must(tasks.FinishTasks(std::vector<Finish>{{claims[0].lease(), Completed{}, {}}})).front());
  EXPECT_EQ(Must(tasks.ClaimTasks({.owner_id = "w", .types = {"after_two"}})).at(0).task.id, Id("8"));
}

TEST_F(TakeoverPostgres, FactsAgentsAndTheRegistryAreFound) {
  const auto store = Open();
  const auto facts = Must(store->facts().Search({.text = "elephant"}));
  ASSERT_THAT(facts, SizeIs(1));
  EXPECT_THAT(facts[0].tags, ElementsAre("animals", "a b"));
  EXPECT_EQ(facts[0].meta_data, (json::object{{"k", 1}}));
  EXPECT_EQ(Must(store->registry().CurrentEpoch()), Id("ee"));
  const auto organs = Must(store->registry().Organs());
  ASSERT_THAT(organs, SizeIs(2));
  EXPECT_THAT(organs[0].agent_ids, ElementsAre("a2"));
  EXPECT_THAT(organs[1].agent_ids, ElementsAre("a1")) << "the latest membership counts";
}

TEST_F(TakeoverPostgres, TheGraphKeepsItsNumbersAndEdges) {
  server_.Execute(
      database_, "INSERT INTO graph_node_map (node_id, node_type, ext_table, ext_uuid) VALUES (41, 'task', 'tasks', '" +
                     Id("1") + "'), (42, 'task', 'tasks', '00000000-0000-4000-8000-0000000000ff');" +
                     "INSERT INTO artifact (artifact_id, uri) VALUES ('" + Id("aa") + "', 's3://a');" +
                     "INSERT INTO task_produces_artifact (task_id, artifact_id) VALUES ('" + Id("1") + "', '" +
                     Id("aa") + "');" + "INSERT INTO skill (skill_name) VALUES ('sums')");
  const auto store = Open();
  const std::vector<NodeRef> nodes{{NodeKind::kTask, Id("1")}, {NodeKind::kSkill, "sums"}};
  EXPECT_EQ(Must(store->graph().Describe(nodes))[0].node_id, 41);
  EXPECT_FALSE(Must(store->graph().FindNodes(std::vector<std::int64_t>{42}))[0]) << "it stood for nothing";
  EXPECT_GT(Must(store->graph().EnsureNodes(nodes))[1], 42) << "no number is given twice";
  EXPECT_THAT(Must(store->graph().Neighbours(nodes, {.kinds = {EdgeKind::kTaskProducesArtifact}})), SizeIs(1));
}

TEST_F(TakeoverPostgres, ItHappensOnceAndTheNextStartFindsItDone) {
  EXPECT_FALSE(Must(MigrateStore(Dsn(), env_)).notes.empty());
  const MigrateReport again = Must(MigrateStore(Dsn(), env_));
  EXPECT_EQ(again.from, again.to);
  EXPECT_THAT(again.notes, IsEmpty());
  EXPECT_EQ(Must(Open()->tasks().Counts()).by_status[TaskStatus::kCompleted], 2);
}

TEST_F(TakeoverPostgres, WhatGoesWrongInItsMiddleLeavesEverythingAsItWas) {
  // A value that is no JSON makes a late step fail.
  server_.Execute(database_, "ALTER TABLE organ_registry ALTER COLUMN props TYPE TEXT USING 'no JSON'");
  EXPECT_FALSE(MigrateStore(Dsn(), env_));
  EXPECT_EQ(QueryInt("SELECT count(*) FROM public.tasks"), 10);
  EXPECT_EQ(QueryInt("SELECT count(*) FROM pg_namespace WHERE nspname = 'seedcore_legacy'"), 0);
}

TEST_F(TakeoverPostgres, ADatabaseThatLacksTheLeasesIsRefusedAndNotTouched) {
  server_.Execute(database_, "ALTER TABLE tasks DROP COLUMN lease_expires_at");
  const auto refused = MigrateStore(Dsn(), env_);
  EXPECT_EQ(CodeOf(refused), ErrorCode::kCorrupt);
  EXPECT_THAT(refused.error().message, HasSubstr("another program"));
  EXPECT_EQ(QueryInt("SELECT count(*) FROM public.tasks"), 10);
}

TEST_F(TakeoverPostgres, AUserThatMayNotMoveTheTablesIsTold) {
  server_.Execute(database_, "CREATE ROLE tenant LOGIN PASSWORD 's3cret-of-tests'");
  std::string dsn = Dsn();
  dsn.replace(dsn.find("seedcore:"), 9, "tenant:");
  const auto refused = MigrateStore(dsn, env_);
  EXPECT_EQ(CodeOf(refused), ErrorCode::kPermissionDenied);
}

}  // namespace
}  // namespace seedcore::store::postgres
