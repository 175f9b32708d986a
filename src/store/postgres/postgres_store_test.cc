#include "store/postgres/postgres_store.h"

#include <future>
#include <set>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/admission.h"
#include "store/conformance.h"
#include "store/postgres/connection.h"
#include "store/postgres/schema/schema.h"
#include "store/postgres/store_fixture.h"
#include "store/postgres/testing.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::vector<std::string> TasksOf(const std::vector<TaskEvent>& events) {
  std::vector<std::string> ids;
  for (const TaskEvent& event : events) ids.push_back(event.task_id);
  return ids;
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST_F(PostgresStore, EachFaultOfTheDsnIsNamed) {
  server_.Execute("postgres",
                  fmt::format("CREATE DATABASE {}_ascii TEMPLATE template0 ENCODING 'SQL_ASCII'", database_));
  server_.Execute(database_,
                  "REVOKE CREATE ON SCHEMA public FROM PUBLIC; CREATE ROLE guest LOGIN PASSWORD 's3cret-of-tests'");
  const std::string good = server_.Dsn(database_);
  const std::string port = fmt::format(":{}/", server_.port());
  struct Case {
    std::string dsn;
    ErrorCode code;
    std::string message;
  };
  const std::vector<Case> cases{
      {Replaced(good, port, ":1/"), ErrorCode::kUnavailable, "127.0.0.1:1/"},
      {Replaced(good, "127.0.0.1", "no-such-host.invalid"), ErrorCode::kUnavailable, "no-such-host.invalid"},
      {Replaced(good, "s3cret-of-tests", "s3cret-wrong"), ErrorCode::kUnauthenticated, "password"},
      {Replaced(good, "seedcore:", "nobody:"), ErrorCode::kUnauthenticated, "nobody"},
      {server_.Dsn("nowhere"), ErrorCode::kNotFound, "\"nowhere\" does not exist"},
      {server_.Dsn(database_ + "_ascii"), ErrorCode::kInvalidArgument, "SQL_ASCII"},
      {Replaced(good, "seedcore:", "guest:"), ErrorCode::kPermissionDenied, "permission"},
      {"postgresql://u:s3cret/x@y:z@127.0.0.1/db", ErrorCode::kInvalidArgument, "not a PostgreSQL connection string"},
      {"postgresql://u:5432/s3cret@127.0.0.1/db", ErrorCode::kInvalidArgument, "not a PostgreSQL connection string"},
      {"host=127.0.0.1 passwort=s3cret", ErrorCode::kInvalidArgument, "not a PostgreSQL connection string"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.message);
    const auto store = Open({.dsn = c.dsn});
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, c.code) << ToString(store.error());
    EXPECT_THAT(store.error().message, HasSubstr(c.message));
  }
}

TEST_F(PostgresStore, ASchemaOlderThanTheFirstIsRefusedAndBothVersionsAreNamed) {
  Must(Open());
  server_.Execute(database_, "UPDATE schema_version SET version = version - 19");
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(store.error().message, HasSubstr("schema version 1,"));
  EXPECT_THAT(store.error().message, HasSubstr(fmt::format("from version {} on", Migrations().front().version)));
}

TEST_F(PostgresStore, ANewerSchemaIsRefusedAndBothVersionsAreNamed) {
  Must(Open());
  server_.Execute(database_, "INSERT INTO schema_version VALUES (99, 'from the future', now())");
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(store.error().message, HasSubstr("99"));
  EXPECT_THAT(store.error().message, HasSubstr(fmt::format("up to {}", Migrations().back().version)));
}

TEST_F(PostgresStore, TablesOfAnotherProgramAreLeftAlone) {
  server_.Execute(database_, "CREATE TABLE tasks (id int)");
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(store.error().message, HasSubstr("another program"));
}

TEST_F(PostgresStore, SeveralStartersMigrateOnce) {
  std::vector<std::future<bool>> starters;
  for (int i = 0; i < 6; ++i) starters.push_back(std::async(std::launch::async, [&] { return Open().has_value(); }));
  for (auto& starter : starters) EXPECT_TRUE(starter.get());
  EXPECT_EQ(QueryInt("SELECT count(*) FROM schema_version"), static_cast<std::int64_t>(Migrations().size()));
}

TEST_F(PostgresStore, AResultReadsNoOtherRunningTasks) {
  constexpr int kRunning = 3000;  // of few, PostgreSQL 13 rather reads all
  const auto store = Must(Open());
  Must(store->tasks().Submit(std::vector<NewTask>(kRunning, NewTask{.type = "a"})));
  server_.Execute(database_, "ANALYZE");  // nothing runs yet: an index on what runs looks like the cheapest way
  EXPECT_EQ(Must(store->tasks().ClaimTasks({.owner_id = "w", .limit = kRunning})).size(), kRunning);
  const auto connection =
      Must(Connection::Open({.dsn = server_.Dsn(database_),
                             .setup = "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; "
                                      "SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_sort = off; "
                                      "SET enable_material = off"}));
  ASSERT_TRUE(connection->Script("BEGIN"));
  const Rows finished = Must(connection->RunOnce(
      "SELECT count(*) FROM (SELECT array_agg(id) AS ids FROM (SELECT id FROM tasks ORDER BY seq LIMIT 2) t) g, "
      "seedcore_finish(now(), ids, '{w,w}', '{1,1}', '{0,0}', '{NULL,NULL}', '{NULL,NULL}', '{NULL,NULL}', "
      "'{NULL,NULL}') f WHERE f.outcome = 'completed'",
      {}));
  EXPECT_EQ(finished.Int(0, 0), 1);  // one row for all
  const Rows read = Must(connection->RunOnce(
      "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'tasks'", {}));
  EXPECT_LT(read.Int(0, 0), 10);
}

TEST_F(PostgresStore, HealthTellsWhereWithoutUserAndPassword) {
  const auto store = Must(Open());
  const Store::Health health = store->CheckHealth();
  EXPECT_EQ(health.backend, "postgresql");
  EXPECT_EQ(health.location, fmt::format("postgresql://127.0.0.1:{}/{}", server_.port(), database_));
}

TEST_F(PostgresStore, AServerThatGoesAwayIsUnavailableAndWorkGoesOnWhenItIsBack) {
  const auto store = Must(Open());
  const std::string before = SubmitOne(*store, {.type = "a"});
  const Claim claim = Must(store->tasks().ClaimTasks({.owner_id = "w"})).front();
  // A connection that is lent out when the server dies: the operation gets an error that may be retried.
  const auto cut = store->streams().Update("k", "a", [&](const json::value&) -> json::value {
    server_.Restart();
    return 1;
  });
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, ErrorCode::kUnavailable);
  EXPECT_TRUE(IsRetryable(cut.error().code));
  // The idle ones are found to be dead before they are used.
  const std::vector<Finish> finishes{{claim.lease(), Completed{{{"n", 1}}}, {}}};
  EXPECT_TRUE(Must(store->tasks().FinishTasks(finishes)).front());
  EXPECT_EQ(Must(store->tasks().Get(before)).status, TaskStatus::kCompleted);
  EXPECT_TRUE(store->CheckHealth().writable);
}

TEST_F(PostgresStore, AnotherProcessHearsOfWhatCanRun) {
  const auto here = Must(Open());
  const auto there = Must(Open());
  std::promise<void> heard;
  std::atomic<bool> told = false;
  const Subscription subscription = there->tasks().OnRunnable([&] {
    if (!told.exchange(true)) heard.set_value();
  });
  // The other store may not listen yet, so that the first words can be missed.
  auto future = heard.get_future();
  for (int i = 0; i < 100 && future.wait_for(milliseconds(100)) != std::future_status::ready; ++i) {
    SubmitOne(*here, {.type = "a"});
  }
  EXPECT_TRUE(told);
}

TEST_F(PostgresStore, ALeaseIsRenewedWhateverAnApplicationDoesWithAnotherTask) {
  const auto store = Must(Open());
  SubmitOne(*store, {.type = "a"});
  SubmitOne(*store, {.type = "a"});
  const auto claims = Must(store->tasks().ClaimTasks({.owner_id = "w", .limit = 2, .lease = seconds(30)}));
  const std::vector<Lease> leases{claims[0].lease(), claims[1].lease()};
  const auto application = Connect();
  Must(application->Script("BEGIN"));
  Must(application->RunOnce(fmt::format("SELECT seedcore_enqueue('next', depends_on => '{{{}}}')", leases[0].task_id),
                            {}));
  const Instant began = RealEnv().Now();
  auto renewed = Must(store->tasks().Renew(leases, seconds(30)));
  EXPECT_LT(RealEnv().Now() - began, seconds(9)) << "it has waited for the lock";
  EXPECT_TRUE(renewed[0].busy);
  EXPECT_FALSE(renewed[0].renewed);
  EXPECT_TRUE(renewed[1].renewed);
  Must(application->Script("COMMIT"));
  renewed = Must(store->tasks().Renew(leases, seconds(30)));
  EXPECT_TRUE(renewed[0].renewed);
  EXPECT_FALSE(renewed[0].busy);
}

TEST_F(PostgresStore, TwoStoresNeverClaimTheSameTask) {
  constexpr std::size_t kTasks = 400;
  const auto one = Must(Open());
  const auto two = Must(Open());
  Must(one->tasks().Submit(std::vector<NewTask>(kTasks, {.type = "a"})));
  std::mutex mutex;
  std::multiset<std::string> claimed;
  {
    std::vector<std::jthread> threads;
    for (Store* store : {one.get(), two.get(), one.get(), two.get()}) {
      threads.emplace_back([&, store] {
        for (int empty = 0; empty < 3;) {
          const auto claims = Must(store->tasks().ClaimTasks({.owner_id = "w", .limit = 7}));
          empty = claims.empty() ? empty + 1 : 0;
          const std::scoped_lock lock(mutex);
          for (const Claim& claim : claims) claimed.insert(claim.task.id);
        }
      });
    }
  }
  EXPECT_EQ(claimed.size(), kTasks);
  EXPECT_EQ(std::set<std::string>(claimed.begin(), claimed.end()).size(), kTasks);
  EXPECT_EQ(Must(two->tasks().Counts()).by_status[TaskStatus::kRunning], static_cast<std::int64_t>(kTasks));
}

TEST_F(PostgresStore, EventsOfATransactionThatIsStillOpenAreNotPassedOver) {
  const auto store = Must(Open());
  const std::string first = SubmitOne(*store, {.type = "a"});
  const auto open = Connect();
  Must(open->Script("BEGIN"));
  const std::string held = Must(open->RunOnce("SELECT seedcore_enqueue('held')", {})).Id(0, 0);
  const std::string later = SubmitOne(*store, {.type = "b"});
  EXPECT_THAT(TasksOf(Must(store->tasks().EventsAfter(0, 10))), ElementsAre(first)) << "the cursor would skip one";
  Must(open->Script("COMMIT"));
  EXPECT_THAT(TasksOf(Must(store->tasks().EventsAfter(0, 10))), ElementsAre(first, held, later));
}

TEST_F(PostgresStore, EventsAreReadOnceAndInOrderWhileManyWrite) {
  const auto store = Must(Open());
  std::atomic<int> running = 4;
  std::vector<std::jthread> writers;
  for (int t = 0; t < 4; ++t) {
    writers.emplace_back([&] {
      for (int i = 0; i < 100; ++i) {
        SubmitOne(*store, {.type = "a", .idempotency_key = i % 2 == 0 ? "" : env_.NewId()});
      }
      --running;
    });
  }
  std::int64_t cursor = 0;
  std::multiset<std::string> seen;
  for (;;) {
    const bool last = running == 0;
    const auto events = Must(store->tasks().EventsAfter(cursor, 1000));
    for (const TaskEvent& event : events) {
      EXPECT_GT(event.seq, cursor);
      cursor = event.seq;
      seen.insert(event.task_id);
    }
    if (last && events.empty()) break;
  }
  EXPECT_EQ(seen.size(), 400U);
  EXPECT_EQ(std::set<std::string>(seen.begin(), seen.end()).size(), 400U);
}

TEST_F(PostgresStore, ADependantIsFoundAmongManyWithoutReadingThemAll) {
  constexpr int kOthers = 3000;
  const auto store = Must(Open());
  const std::string first = SubmitOne(*store, {.type = "a"});
  for (int i = 0; i < 3; ++i) SubmitOne(*store, {.type = "b", .depends_on = {first}});
  SubmitOne(*store, {.type = "b", .depends_on = {first}, .run_immediately = false});
  Must(store->tasks().Submit(std::vector<NewTask>(kOthers, NewTask{.type = "a"})));
  server_.Execute(database_, "ANALYZE");
  // The joins that read everything, made as attractive as they can be. Without the triggers, which read tasks for
  // turns.
  const auto connection =
      Must(Connection::Open({.dsn = server_.Dsn(database_),
                             .setup = "SET plan_cache_mode = force_generic_plan; SET enable_nestloop = off; "
                                      "SET enable_material = off; SET session_replication_role = replica"}));
  ASSERT_TRUE(connection->Script("BEGIN"));
  const Rows released =
      Must(connection->RunOnce(fmt::format("SELECT seedcore_release_dependants(now(), ARRAY['{}'::uuid])", first), {}));
  EXPECT_EQ(released.Int(0, 0), 3);
  const Rows read = Must(connection->RunOnce(
      "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'tasks'", {}));
  EXPECT_LT(read.Int(0, 0), 50);
  const Rows blocked = Must(connection->RunOnce("SELECT count(*) FROM tasks WHERE blockers > 0", {}));
  EXPECT_EQ(blocked.Int(0, 0), 0) << "one that is held waits for it no longer, either";
  ASSERT_TRUE(connection->Script("ROLLBACK"));
}

// Two results at the same time, and a task that waits for both: the second one to lock it must see what the first did.
TEST_F(PostgresStore, ATaskThatWaitsForTwoIsReleasedWhenBothEndAtOnce) {
  const auto store = Must(Open());
  for (int round = 0; round < 20; ++round) {
    const std::string both[] = {SubmitOne(*store, {.type = "a"}), SubmitOne(*store, {.type = "a"})};
    const std::string waiting = SubmitOne(*store, {.type = "b", .depends_on = {both[0], both[1]}});
    const auto claims = Must(store->tasks().ClaimTasks({.owner_id = "w", .limit = 2, .types = {"a"}}));
    ASSERT_EQ(claims.size(), 2U);
    const auto slow = Connect();
    ASSERT_TRUE(slow->Script("BEGIN"));
    Must(slow->RunOnce(fmt::format("SELECT outcome FROM seedcore_finish(now(), ARRAY['{}'::uuid], '{{w}}', '{{1}}', "
                                   "'{{0}}', '{{NULL}}', '{{NULL}}', '{{NULL}}', '{{NULL}}')",
                                   claims[0].task.id),
                       {}));
    std::jthread other([&] {
      EXPECT_TRUE(Must(store->tasks().FinishTasks(std::vector<Finish>{{claims[1].lease(), Completed{}, {}}})).front());
    });
    AwaitAWaiter();
    ASSERT_TRUE(slow->Script("COMMIT"));
    other.join();
    const auto ready = Must(store->tasks().ClaimTasks({.owner_id = "w", .limit = 2, .types = {"b"}}));
    ASSERT_EQ(ready.size(), 1U);
    EXPECT_EQ(ready.front().task.id, waiting);
    EXPECT_TRUE(
        Must(store->tasks().FinishTasks(std::vector<Finish>{{ready.front().lease(), Completed{}, {}}})).front());
  }
}

TEST_F(PostgresStore, LimitsHaveABound) {
  const auto store = Must(Open());
  server_.Execute(database_, fmt::format("INSERT INTO queue_limit (scope, name, max_running, tokens, tokens_at) SELECT "
                                         "'key', n, 1, 0, now() FROM generate_series(1, {}) n",
                                         kMaxLimits));
  QueueLimit limit{.scope = LimitScope::kKey, .name = "one more", .max_running = 1, .rate = {}};
  EXPECT_EQ(CodeOf(store->queues().PutLimit(limit)), ErrorCode::kResourceExhausted);
  limit.name = "7";
  EXPECT_TRUE(store->queues().PutLimit(limit)) << "one that is there";
  EXPECT_TRUE(Must(store->queues().DeleteLimit(LimitScope::kKey, "8")));
  limit.name = "one more";
  EXPECT_TRUE(store->queues().PutLimit(limit));
}

TEST_F(PostgresStore, ATextThatCannotBeStoredFailsOnlyItsOwnCall) {
  const auto store = Must(Open());
  std::atomic<int> refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 8; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 20; ++i) {
          const bool bad = t == 0;
          const std::vector<NewTask> task{{.type = "a", .description = bad ? std::string("\0", 1) : "good"}};
          const auto answer = store->tasks().Submit(task);
          EXPECT_EQ(answer.has_value(), !bad);
          if (answer) continue;
          EXPECT_EQ(answer.error().code, ErrorCode::kInvalidArgument);
          ++refused;
        }
      });
    }
  }
  EXPECT_EQ(refused, 20);
  EXPECT_EQ(Must(store->tasks().Counts()).by_status[TaskStatus::kQueued], 140);
}

TEST_F(PostgresStore, ADependantSubmittedWhileItsDependencyEndsIsNeverForgotten) {
  const auto store = Must(Open());
  for (int round = 0; round < 40; ++round) {
    const std::string a = SubmitOne(*store, {.type = "a"});
    const Claim claim = Must(store->tasks().ClaimTasks({.owner_id = "w"})).front();
    std::string b;
    {
      const std::jthread submitter([&] { b = SubmitOne(*store, {.type = "b", .depends_on = {a}}); });
      const bool completes = round % 2 == 0;
      Finish finish{.lease = claim.lease(), .outcome = Completed{}, .effects = {}};
      if (!completes) finish.outcome = FailedForGood{WorkFailed(), nullptr};
      Must(Must(store->tasks().FinishTasks(std::vector<Finish>{finish})).front());
    }
    if (round % 2 == 0) {
      const auto next = Must(store->tasks().ClaimTasks({.owner_id = "w"}));
      ASSERT_EQ(next.size(), 1U) << "round " << round;
      ASSERT_EQ(next[0].task.id, b);
    } else {
      ASSERT_EQ(Must(store->tasks().Get(b)).status, TaskStatus::kFailed) << "round " << round;
    }
  }
}

TEST_F(PostgresStore, ALockThatIsNotFreeInTimeIsAnErrorThatMayBeRetried) {
  PostgresSettings settings = Settings();
  settings.lock_timeout = milliseconds(50);
  const auto store = Must(Open(settings));
  const std::string id = SubmitOne(*store, {.type = "a"});
  const auto holder = Connect();
  Must(holder->Script("BEGIN; SELECT 1 FROM tasks FOR UPDATE"));
  const auto refused = store->tasks().Cancel(id);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(Must(store->tasks().ClaimTasks({.owner_id = "w"})), IsEmpty()) << "a claim passes over what is locked";
  Must(holder->Script("ROLLBACK"));
  EXPECT_EQ(Must(store->tasks().Cancel(id)).status, TaskStatus::kCancelled);
}

TEST_F(PostgresStore, TheHistoryCannotBeChangedAndUnfinishedTasksCannotBeDeleted) {
  const auto store = Must(Open());
  SubmitOne(*store, {.type = "a", .idempotency_key = "k"});  // with a row of its own in task_event
  const auto connection = Connect();
  EXPECT_FALSE(connection->Script("UPDATE task_event SET kind = 'completed'"));
  EXPECT_FALSE(connection->Script("DELETE FROM task_event"));
  EXPECT_FALSE(connection->Script("DELETE FROM tasks"));
}

TEST_F(PostgresStore, RetentionLeavesNothingOfATaskBehind) {
  const auto store = Must(Open());
  const std::string a = SubmitOne(*store, {.type = "a"});
  SubmitOne(*store, {.type = "b", .depends_on = {a}});
  Must(store->tasks().Cancel(a));
  env_.Advance(seconds(1));
  EXPECT_EQ(Must(store->tasks().DeleteFinished(env_.WallNow(), 10)), 2);
  for (const char* table :
       {"tasks", "task_payload", "task_result", "task_event", "task_event_batch", "task_depends_on_task"}) {
    EXPECT_EQ(QueryInt(fmt::format("SELECT count(*) FROM {}", table)), 0) << table;
  }
}

}  // namespace
}  // namespace seedcore::store::postgres
