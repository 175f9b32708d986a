#include "store/check.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <string_view>

#include <gmock/gmock.h>
#include <sqlite3.h>

#include "store/check_rules.h"
#include "store/conformance.h"
#include "store/graph_store.h"
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
  bool no_triggers = false;  ///< on PostgreSQL triggers and foreign keys must look away
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

      {"UPDATE tasks SET turn = NULL WHERE status = 'queued'", "has its turn", true},
      {"UPDATE queue_flow SET last_turn = 1", "turns of its priority only"},
      {"INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token) SELECT seq, created_at, 'claimed', "
       "'running', 1, 1 FROM tasks WHERE status = 'running'",
       "token of its own"},
      {"INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token) SELECT seq, created_at, "
       "'progress', "
       "'running', 1, 7 FROM tasks WHERE status = 'running'",
       "reported by a running execution"},
      {"INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token) SELECT seq, created_at, "
       "'progress', "
       "'running', 1, 1 FROM tasks WHERE status = 'completed'",
       "before the end of its execution"},
      {"UPDATE task_step SET number = 5 WHERE number = 1", "numbered without a gap"},
      {"UPDATE task_step SET fencing_token = 9", "under a token of its task"},
      {"UPDATE task_step SET started_at = NULL WHERE status = 'running'", "a running step has begun"},
      {"UPDATE task_step SET wait_until = started_at WHERE status = 'running'", "only a step that waits"},
      {"UPDATE task_step SET task_seq = 1000", "every step belongs to a task"},
      {"UPDATE task_step SET finished_at = started_at", "a step has finished_at exactly when"},
      {"UPDATE queue_limit SET tokens = 1000", "between nothing and its burst"},
      {"UPDATE stream_state SET kind = ''", "by which it is forgotten or kept"},
      {"UPDATE external_type SET type = ''", "left to workers outside has a name"},
      {"UPDATE schedule SET every_ms = NULL", "either a cron expression or a period"},
      {"UPDATE schedule SET last_task_id = 'nobody', last_run_at = NULL", "has been fired"},

      {"UPDATE task_uses_capability SET task_id = '00000000-0000-4000-8000-000000000000'", "begins at one that exists"},
      {"UPDATE task_uses_capability SET capability_id = '00000000-0000-4000-8000-000000000000'", "ends at what exists",
       true},
      {"UPDATE agent_uses_model SET model_name = 'none'", "an edge from an agent", true},
      {"UPDATE organ_provides_skill SET organ_id = 'nowhere'", "an edge from an organ", true},
      {"UPDATE graph_node_map SET ext_text_id = 'nobody' WHERE node_type = 'agent'", "stands for what exists"},
      {"UPDATE graph_embeddings SET node_id = node_id + 1000", "belongs to a numbered node", true},
      {"UPDATE graph_embeddings SET dims = 7", "as many numbers as it says"},
      {"UPDATE graph_embeddings SET dims = 2 WHERE node_id = (SELECT max(node_id) FROM graph_embeddings)",
       "equally long"},
  };
  return faults;
}

/// Of the tables that PostgreSQL alone has.
const std::vector<Fault>& FaultsOfPostgres() {
  static const std::vector<Fault> faults{
      {"UPDATE task_ready SET turn = turn + 1", "stands in line with its turn"},
      {"INSERT INTO task_ready (seq, turn, type) SELECT seq, turn, type FROM tasks WHERE status = 'running'",
       "only a task that can run"},
      {"INSERT INTO ready_batch (turn, type, seqs) SELECT turn, type, ARRAY[seq] FROM task_ready",
       "stands in line once"},
      {"DELETE FROM lease_batch", "the reaper looks at"},
      {"UPDATE finished_batch SET finished_at = finished_at + interval '1 second'", "retention looks at in time"},
  };
  return faults;
}

/// Everything that SQLite's foreign keys hold, it finds itself.
bool IsHeldBySqlite(const Fault& fault) { return fault.no_triggers || std::string_view(fault.sql).contains("seq = "); }

void Relate(Store& store, const std::string& task) {
  GraphStore& graph = store.graph();
  const auto put = [&](NodeKind kind, std::string id, std::string name) {
    return Must(graph.PutEntity({.ref = {kind, std::move(id)}, .name = std::move(name), .scope = {}, .props = {}}));
  };
  const NodeRef capability = put(NodeKind::kCapability, "", "sums");
  put(NodeKind::kModel, "m", "");
  put(NodeKind::kSkill, "reads", "");
  Must(store.registry().EnsureOrgan("o1", "utility", {}));
  Must(store.registry().EnsureAgent("a1", "o1", {}));
  Must(graph.PutEdge({EdgeKind::kTaskUsesCapability, task, capability.id}));
  Must(graph.PutEdge({EdgeKind::kAgentUsesModel, "a1", "m"}));
  Must(graph.PutEdge({EdgeKind::kOrganProvidesSkill, "o1", "reads"}));
  const std::vector<NodeRef> nodes{{NodeKind::kTask, task}, {NodeKind::kAgent, "a1"}};
  std::vector<NodeEmbedding> embeddings;
  for (const std::int64_t node : Must(graph.EnsureNodes(nodes))) {
    NodeEmbedding& embedding = embeddings.emplace_back();
    embedding.node_id = node;
    embedding.model = "m";
    embedding.model_version = "1";
    embedding.vector = {0.5F, 1e-30F, -1.0F};
    embedding.content_hash = "of the content";
  }
  Must(graph.PutEmbeddings(embeddings));
}

/// One running task with steps, one completed, one queued, an entry of the ledger, a bit of a graph, a limit, an
/// external type, a stream and a schedule.
void Fill(Store& store) {
  Must(store.tasks().Submit(std::vector<NewTask>(3, {.type = "a"})));
  const auto claims = Must(store.tasks().ClaimTasks({.owner_id = "w", .limit = 2}));
  Must(Must(store.tasks().FinishTasks(
                std::vector<Finish>{{claims[0].lease(),
                                     Completed{{{"n", 1}}},
                                     {.ledger = {{.scope = "agent", .scope_id = "a", .cost = 1.0}}}}}))
           .front());
  const NewPlan plan{.steps = {{"look", {}, {}}, {"say", {"look"}, {}}}, .note = {}};
  Must(store.steps().SavePlan(claims[1].lease(), plan));
  const std::vector<StepWrite> begins{{.name = "look", .status = TaskStepStatus::kRunning}};
  Must(store.steps().WriteSteps(claims[1].lease(), begins, {}));
  Must(store.queues().PutLimit(
      {LimitScope::kType, "b", std::nullopt, RateLimit{.tasks = 5, .interval = std::chrono::seconds(1), .burst = 5}}));
  Must(store.queues().AddExternalTypes(std::vector<std::string>{"outside"}));
  Schedule schedule{.name = "often", .every = std::chrono::seconds(5)};
  schedule.task = {.type = "a"};
  schedule.next_run_at = WallTime(std::chrono::hours(1'000'000));
  Must(store.schedules().PutSchedule(schedule));
  Must(store.streams().Update("ocps", "a|", [](const json::value&) -> json::value { return json::object{}; }));
  Relate(store, claims[1].task.id);
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
    if (IsHeldBySqlite(fault)) {
      EXPECT_THAT(rules, testing::Contains(testing::AnyOf(HasSubstr(fault.rule), HasSubstr("the database is sound"))));
    } else {
      EXPECT_THAT(rules, testing::Contains(HasSubstr(fault.rule)));
    }
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
  std::vector<Fault> faults = Faults();
  faults.insert(faults.end(), FaultsOfPostgres().begin(), FaultsOfPostgres().end());
  for (const Fault& fault : faults) {
    SCOPED_TRACE(fault.sql);
    const std::string database = fmt::format("check_{}", ++made);
    server.CreateDatabase(database, "check_template");
    server.Execute(database,
                   std::string(fault.no_triggers ? "SET session_replication_role = replica; " : "") + fault.sql);
    EXPECT_THAT(RulesBroken(server.Dsn(database), env), testing::Contains(HasSubstr(fault.rule)));
  }
}

TEST(CheckRules, EachRuleBeyondTheStatesOfTasksHasAFault) {
  const auto has_fault = [](const Rule& rule) {
    const auto names = [&](const Fault& fault) { return std::string_view(rule.sentence).contains(fault.rule); };
    return std::ranges::any_of(Faults(), names) || std::ranges::any_of(FaultsOfPostgres(), names);
  };
  for (const Rule& rule : PlaceRules()) EXPECT_TRUE(has_fault(rule)) << rule.sentence;
  for (const Rule& rule : GraphRules()) EXPECT_TRUE(has_fault(rule)) << rule.sentence;
  for (const Rule& rule : DispatchRules()) EXPECT_TRUE(has_fault(rule)) << rule.sentence;
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
