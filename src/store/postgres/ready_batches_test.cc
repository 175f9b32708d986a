// Tasks that stand in line together (schema/line.cc): the order and the counts are those of tasks that stand
// alone, whatever comes between them, leaves the line, or claims at the same time.

#include <algorithm>
#include <chrono>
#include <future>
#include <map>
#include <mutex>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>

#include "store/conformance.h"
#include "store/postgres/store_fixture.h"
#include "store/queue_store.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::seconds;
using testing::IsEmpty;
using testing::SizeIs;

class ReadyBatches : public CheckedPostgresTasks {
 protected:
  /// The first `limit` turns in line, of `types` if any are named.
  std::vector<std::int64_t> FirstTurns(int limit, const std::vector<std::string>& types) {
    return Turns(fmt::format("SELECT turn FROM task_line {} ORDER BY turn LIMIT {}",
                             types.empty() ? "" : fmt::format("WHERE type IN ('{}')", fmt::join(types, "','")), limit));
  }
  std::vector<std::int64_t> Turns(const std::string& sql) {
    const Rows rows = Must(Connect()->RunOnce(sql, {}));
    std::vector<std::int64_t> turns;
    for (int row = 0; row < rows.size(); ++row) turns.push_back(rows.Int(row, 0));
    return turns;
  }
  std::vector<std::int64_t> TurnsOf(const std::vector<Claim>& claims) {
    std::vector<std::string> ids;
    for (const Claim& claim : claims) ids.push_back(claim.task.id);
    return Turns(fmt::format("SELECT turn FROM tasks WHERE id = ANY ('{{{}}}') ORDER BY turn", fmt::join(ids, ",")));
  }
  /// A claim in a transaction of its own that has taken what it will claim, and goes no further.
  std::unique_ptr<Connection> BeginAClaimOf(int n) {
    auto other = Connect();
    Must(other->Script("BEGIN"));
    Must(other->Query("SELECT seqs FROM seedcore_take_batches(NULL, $1, NULL, false)", n));
    return other;
  }
};

TEST_F(ReadyBatches, ManyOfOneFlowStandTogetherAndFewAlone) {
  Submit(70);
  EXPECT_EQ(Count("ready_batch"), 1);
  EXPECT_EQ(Count("task_ready"), 6);
  Submit(15, {.type = "b"});
  EXPECT_EQ(Count("task_ready"), 21);
  Submit(80, {.type = "b", .run_after = env_.WallNow() + seconds(60)});
  Submit(80, {.type = "b", .run_immediately = false});
  EXPECT_EQ(Count("task_line"), 85);
  env_.Advance(seconds(61));
  EXPECT_THAT(ClaimSome(500), SizeIs(165));
  EXPECT_EQ(Count("task_line"), 0);
}

TEST_F(ReadyBatches, WholeBatchesGoAndTheLastOneIsBegun) {
  Submit(192);
  EXPECT_THAT(ClaimSome(100), SizeIs(100));
  EXPECT_EQ(Count("ready_batch"), 2);
  EXPECT_EQ(QueryInt("SELECT max(taken) FROM ready_batch"), 36);
  EXPECT_THAT(ClaimSome(100), SizeIs(92));
  EXPECT_EQ(Count("ready_batch"), 0);
}

// Whatever was submitted, a claim takes what has the first turns at that moment.
TEST_F(ReadyBatches, EveryClaimTakesTheFirstTurns) {
  std::mt19937 random(20261126);
  const auto pick = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  const std::vector<std::string> types{"a", "b", "c"};
  for (int round = 0; round < 60; ++round) {
    if (pick(3) > 0) {
      std::vector<NewTask> some;
      for (int flow = 1 + pick(3); flow > 0; --flow) {
        const NewTask task{.type = types[static_cast<std::size_t>(pick(3))],
                           .domain = pick(2) == 0 ? "x" : "y",
                           .priority = 4 + pick(3)};
        for (int n = pick(2) == 0 ? 1 : 1 + pick(150); n > 0; --n) some.push_back(task);
      }
      std::ranges::shuffle(some, random);
      Must(tasks().Submit(some));
    }
    std::vector<std::string> wanted;
    for (const std::string& type : types) {
      if (pick(2) == 0) wanted.push_back(type);
    }
    const int limit = pick(3) == 0 ? 1 + pick(300) : 1 + pick(20);
    const auto expected = FirstTurns(limit, wanted);
    const auto claims =
        Must(tasks().ClaimTasks({.owner_id = "w", .limit = limit, .lease = seconds(30), .types = wanted}));
    ASSERT_EQ(TurnsOf(claims), expected) << "round " << round;
  }
}

TEST_F(ReadyBatches, WhatLeavesTheLineLeavesItsBatch) {
  const auto ids = Submit(64);
  for (const int gone : {0, 10, 11, 30, 63}) Must(tasks().Cancel(ids[static_cast<std::size_t>(gone)]));
  EXPECT_EQ(Count("task_line"), 59);
  EXPECT_EQ(Count("ready_batch"), 3) << "1 to 9, 12 to 29, 31 to 62";
  EXPECT_THAT(ClaimSome(12), SizeIs(12));
  Must(tasks().Cancel(ids[20]));
  Must(tasks().Run(ids[20]));  // takes a new turn, behind the others
  const auto claims = ClaimSome(100);
  ASSERT_THAT(claims, SizeIs(47));
  EXPECT_EQ(claims.back().task.id, ids[20]);
}

TEST_F(ReadyBatches, WhatSomebodyElseWritesIsFollowedByTheTrigger) {
  Submit(64);
  const auto other = Connect();
  ASSERT_TRUE(other->Script("UPDATE tasks SET turn = turn + 1000000 WHERE seq % 2 = 0"));
  EXPECT_EQ(Count("task_ready"), 32);
  EXPECT_EQ(Count("task_line"), 64);
  EXPECT_THAT(ClaimSome(100), SizeIs(64));
}

TEST_F(ReadyBatches, SingleTasksBetweenThemComeInTheirTurn) {
  Submit(64, {.type = "a", .domain = "many"});
  SubmitOne(*store_, {.type = "a", .domain = "few"});
  const auto claims = ClaimSome(4);
  ASSERT_THAT(claims, SizeIs(4));
  EXPECT_EQ(std::ranges::count_if(claims, [](const Claim& claim) { return claim.task.domain == "few"; }), 1)
      << "equal shares";
  EXPECT_THAT(ClaimSome(100), SizeIs(61));
}

TEST_F(ReadyBatches, CountsAndTheOldestAreThoseOfBothPlaces) {
  const WallTime first = env_.WallNow();
  Submit(64);
  env_.Advance(seconds(5));
  Submit(3);
  EXPECT_EQ(Must(store_->queues().Queues()).front().ready, 67);
  EXPECT_EQ(Must(tasks().Counts()).oldest_queued, first);
  ClaimSome(64);
  EXPECT_EQ(Must(store_->queues().Queues()).front().ready, 3);
  EXPECT_EQ(Must(tasks().Counts()).oldest_queued, first + seconds(5));
}

TEST_F(ReadyBatches, UnderALimitTheyAreLookedAtOneByOne) {
  Must(store_->queues().PutLimit({LimitScope::kType, "a", 10, std::nullopt}));
  Must(store_->queues().PutLimit({LimitScope::kKey, "k", 1, std::nullopt}));
  Submit(100);
  Submit(40, {.type = "b", .concurrency_key = "k"});
  const auto claims = ClaimSome(50);
  std::map<std::string, int> by_type;
  for (const Claim& claim : claims) ++by_type[claim.task.type];
  EXPECT_EQ(by_type["a"], 10);
  EXPECT_EQ(by_type["b"], 1);
  FinishAll(claims);
  EXPECT_THAT(ClaimSome(50), SizeIs(11));
  Must(store_->queues().DeleteLimit(LimitScope::kType, "a"));
  Must(store_->queues().DeleteLimit(LimitScope::kKey, "k"));
  EXPECT_THAT(ClaimSome(500), SizeIs(100 + 40 - 22));
}

TEST_F(ReadyBatches, ALimitThatComesInTheMiddleOfAClaimIsMetByTheNextOne) {
  Submit(64);
  // Whoever sets a limit waits for nobody, and the claim has looked for limits already.
  const auto limiting = Connect();
  ASSERT_TRUE(
      limiting->Script("CREATE FUNCTION limit_now() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
                       "INSERT INTO queue_pause (type, reason, paused_at) VALUES ('a', '', now()); RETURN NULL; "
                       "END $$; CREATE TRIGGER limit_now AFTER UPDATE ON ready_batch FOR EACH STATEMENT "
                       "EXECUTE FUNCTION limit_now()"));
  EXPECT_THAT(ClaimSome(10), SizeIs(10));
  ASSERT_TRUE(limiting->Script("DROP TRIGGER limit_now ON ready_batch"));
  EXPECT_THAT(ClaimSome(10), IsEmpty());
  Must(store_->queues().Resume("a"));
  EXPECT_EQ(Count("task_line"), 54);
  EXPECT_THAT(ClaimSome(100), SizeIs(54));
}

TEST_F(ReadyBatches, AClaimPassesOverABatchThatAnotherHasLocked) {
  Submit(128);
  const auto other = BeginAClaimOf(5);
  EXPECT_THAT(ClaimSome(64), SizeIs(64));
  EXPECT_EQ(QueryInt("SELECT min(seq) FROM tasks WHERE status = 'running'"), 65);
  Must(other->Script("ROLLBACK"));
  EXPECT_THAT(ClaimSome(100), SizeIs(64));
}

TEST_F(ReadyBatches, WhoMeetsOnlyLockedBatchesWaitsForWhatIsLeftOfThem) {
  Submit(64);
  const auto other = BeginAClaimOf(5);
  auto waiting = std::async(std::launch::async, [&] { return ClaimSome(100); });
  AwaitAWaiter();
  Must(other->Script("ROLLBACK"));
  EXPECT_THAT(waiting.get(), SizeIs(64));
}

// Or two that wait could wait for each other.
TEST_F(ReadyBatches, WhoWaitsLocksNothingOutOfTurn) {
  Submit(128);
  const auto other = BeginAClaimOf(5);
  std::jthread waiting([&] {
    const auto look = Connect();
    Must(look->Script("BEGIN; SELECT * FROM seedcore_take_batches(NULL, 100, NULL, true); ROLLBACK"));
  });
  AwaitAWaiter();
  EXPECT_EQ(
      Must(Connect()->RunOnce("SELECT batch FROM ready_batch ORDER BY turn DESC LIMIT 1 FOR UPDATE SKIP LOCKED", {}))
          .size(),
      1);
  Must(other->Script("ROLLBACK"));
}

TEST_F(ReadyBatches, ATaskThatIsBeingCancelledIsNeitherClaimedNorLeftInLine) {
  const auto ids = Submit(64);
  const auto cancelling = Connect();
  ASSERT_TRUE(cancelling->Script("BEGIN"));
  Must(cancelling->RunOnce(fmt::format("SELECT 1 FROM tasks WHERE id = '{}' FOR UPDATE", ids[3]), {}));
  EXPECT_THAT(ClaimSome(10), SizeIs(9));
  EXPECT_EQ(Count("task_ready"), 1) << "it stands alone until the other one has decided";
  ASSERT_TRUE(cancelling->Script("COMMIT"));
  Must(tasks().Cancel(ids[3]));
  EXPECT_EQ(Count("task_ready"), 0);
  EXPECT_THAT(ClaimSome(100), SizeIs(54));
}

TEST_F(ReadyBatches, ABatchWhoseTasksAreAllLockedIsDissolvedOnceThoughACommitIsAwaited) {
  Submit(64);
  const auto locking = Connect();
  Must(locking->Script("BEGIN; SELECT 1 FROM tasks FOR UPDATE"));
  Must(Connect()->Script(
      "CREATE OR REPLACE FUNCTION seedcore_await_announced(p_mark integer) RETURNS boolean LANGUAGE sql AS "
      "'SELECT true'"));
  Must(Connect()->Script("SELECT * FROM seedcore_choose(now(), 10, '', '', 0, 64, NULL, 'w', now(), 1)"));
  EXPECT_EQ(Count("task_ready"), 64);
  Must(locking->Script("ROLLBACK"));
  EXPECT_THAT(ClaimSome(100), SizeIs(64));
}

TEST_F(ReadyBatches, WhoCancelsWaitsForAClaimAndLooksWhereItLeftTheTask) {
  const auto ids = Submit(64);
  const auto claiming = BeginAClaimOf(64);
  std::jthread cancelling([&] { Must(tasks().Cancel(ids[3])); });
  AwaitAWaiter();
  // As a claim that passes over what is locked.
  Must(claiming->Script("INSERT INTO task_ready (seq, turn, type) SELECT seq, turn, type FROM tasks; COMMIT"));
  cancelling.join();
  EXPECT_EQ(Count("task_ready"), 63);
  EXPECT_EQ(Count("ready_batch"), 0);
}

TEST_F(ReadyBatches, ManyClaimersAndCancellersShareThemAndLoseNone) {
  std::vector<std::string> ids;
  for (int i = 0; i < 6; ++i) {
    for (std::string& id : Submit(150, {.type = i % 2 == 0 ? "a" : "b"})) ids.push_back(std::move(id));
  }
  std::mutex mutex;  // guards claimed
  std::multiset<std::string> claimed;
  {
    std::vector<std::jthread> threads;
    for (int worker = 0; worker < 4; ++worker) {
      threads.emplace_back([&, worker] {
        while (true) {
          const auto claims = ClaimSome(worker == 0 ? 150 : 3 + worker, fmt::format("w{}", worker));
          if (claims.empty()) return;
          const std::scoped_lock lock(mutex);
          for (const Claim& claim : claims) claimed.insert(claim.task.id);
        }
      });
    }
    threads.emplace_back([&] {
      for (std::size_t i = 0; i < ids.size(); i += 7) {
        Must(tasks().Cancel(ids[i]));
      }
    });
  }
  const auto rest = ClaimSome(900);
  EXPECT_THAT(rest, IsEmpty()) << "somebody went away too early";
  EXPECT_EQ(static_cast<std::int64_t>(claimed.size()) + QueryInt("SELECT count(*) FROM tasks WHERE attempts = 0"), 900);
  EXPECT_EQ(QueryInt("SELECT count(*) FROM tasks WHERE attempts = 0 AND status <> 'cancelled'"), 0);
  EXPECT_EQ(std::set<std::string>(claimed.begin(), claimed.end()).size(), claimed.size()) << "claimed twice";
}

}  // namespace
}  // namespace seedcore::store::postgres
