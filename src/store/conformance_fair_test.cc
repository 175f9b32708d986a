// The order of claims: fair between flows, by priority, and with an end to all waiting.

#include <algorithm>
#include <string_view>

#include <gtest/gtest.h>

#include "store/conformance.h"
#include "store/turn.h"

namespace seedcore::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

void SubmitMany(TaskStore& tasks, std::size_t n, const NewTask& task) {
  Must(tasks.Submit(std::vector<NewTask>(n, task)));
}

/// The tasks of one claim; of all types when none is named.
std::vector<Task> Claimed(TaskStore& tasks, int limit, std::vector<std::string> types = {}) {
  std::vector<Task> out;
  for (Claim& claim : Must(tasks.ClaimTasks({.owner_id = "worker", .limit = limit, .types = std::move(types)}))) {
    out.push_back(std::move(claim.task));
  }
  return out;
}

std::ptrdiff_t Of(const std::vector<Task>& claimed, std::string_view domain) {
  return std::ranges::count(claimed, domain, &Task::domain);
}

TEST_P(StoreConformance, ClaimOrderTwoTenantsWithABacklogGetEqualShares) {
  SubmitMany(tasks(), 300, {.type = "a", .domain = "big"});
  SubmitMany(tasks(), 50, {.type = "a", .domain = "small"});
  for (int round = 0; round < 5; ++round) {
    const auto claimed = Claimed(tasks(), 20);
    EXPECT_EQ(Of(claimed, "big"), 10) << round;
    EXPECT_EQ(Of(claimed, "small"), 10) << round;
  }
}

TEST_P(StoreConformance, ClaimOrderSingleTaskOfAnotherTenantIsAmongTheFirst) {
  SubmitMany(tasks(), 500, {.type = "a", .domain = "big"});
  EXPECT_EQ(Claimed(tasks(), 200).size(), 200U);
  Submit({.type = "a", .domain = "late"});
  EXPECT_EQ(Of(Claimed(tasks(), 3), "late"), 1);
}

TEST_P(StoreConformance, ClaimOrderTenantThatComesLateGetsNoCreditForTheTimeBefore) {
  SubmitMany(tasks(), 500, {.type = "a", .domain = "big"});
  EXPECT_EQ(Claimed(tasks(), 200).size(), 200U);
  SubmitMany(tasks(), 100, {.type = "a", .domain = "late"});
  EXPECT_NEAR(static_cast<double>(Of(Claimed(tasks(), 100), "late")), 50.0, 2.0);
}

TEST_P(StoreConformance, ClaimOrderTypesOfOneTenantShareToo) {
  SubmitMany(tasks(), 200, {.type = "a"});
  const Task other = Submit({.type = "b"});
  const auto claimed = Claimed(tasks(), 3);
  EXPECT_EQ(std::ranges::count(claimed, other.id, &Task::id), 1);
}

TEST_P(StoreConformance, ClaimOrderHigherPriorityOvertakesTheBacklogOfItsOwnTenantAndOfOthers) {
  SubmitMany(tasks(), 100, {.type = "a", .domain = "x"});
  SubmitMany(tasks(), 100, {.type = "a", .domain = "y"});
  EXPECT_EQ(Claimed(tasks(), 10).size(), 10U);
  const Task own = Submit({.type = "a", .domain = "x", .priority = 6});
  const Task foreign = Submit({.type = "b", .domain = "z", .priority = 10});
  const auto claimed = Claimed(tasks(), 3);
  EXPECT_EQ(claimed[0].id, foreign.id);
  EXPECT_EQ(claimed[1].id, own.id);
}

TEST_P(StoreConformance, ClaimOrderByAgeWithinOneFlow) {
  std::vector<std::string> submitted, claimed;
  for (int i = 0; i < 20; ++i) {
    submitted.push_back(Submit({.type = "a", .domain = "x"}).id);
    Submit({.type = "a", .domain = "y"});
    if (i % 3 == 2) {
      for (const Task& task : Claimed(tasks(), 2)) {
        if (task.domain == "x") claimed.push_back(task.id);
      }
    }
  }
  for (const Task& task : Claimed(tasks(), 100)) {
    if (task.domain == "x") claimed.push_back(task.id);
  }
  EXPECT_EQ(claimed, submitted);
}

// One priority step is a thousand turns: after so many tasks of a steady stream the lower one has its turn.
TEST_P(StoreConformance, ClaimOrderLowPriorityIsReachedWhileHigherOnesKeepComing) {
  const Task low = Submit({.type = "a", .priority = 8});
  int overtook = 0;
  bool reached = false;
  while (!reached && overtook < 3000) {
    SubmitMany(tasks(), 50, {.type = "a", .priority = 9});
    for (const Task& task : Claimed(tasks(), 50)) {
      reached = reached || task.id == low.id;
      if (!reached) ++overtook;
    }
  }
  EXPECT_TRUE(reached);
  EXPECT_GE(overtook, kPriorityStep / kTurn - 1);
  EXPECT_LE(overtook, kPriorityStep / kTurn + 100);
}

TEST_P(StoreConformance, ClaimOrderTenantsThatAreAlwaysNewDoNotStarveABacklog) {
  SubmitMany(tasks(), 2, {.type = "a", .domain = "old"});
  EXPECT_EQ(Of(Claimed(tasks(), 1), "old"), 1);
  std::int64_t claims = 0;
  bool reached = false;
  for (int round = 0; !reached && round < 30; ++round) {
    std::vector<NewTask> fresh;
    for (int i = 0; i < 50; ++i) fresh.push_back({.type = "a", .domain = "d" + std::to_string(round * 50 + i)});
    Must(tasks().Submit(fresh));
    reached = Of(Claimed(tasks(), 50), "old") > 0;
    claims += 50;
  }
  EXPECT_TRUE(reached) << claims;
}

TEST_P(StoreConformance, ClaimOrderWorkersThatAreAheadWithTheirTypesDoNotDelayNewFlowsOfOthers) {
  SubmitMany(tasks(), 400, {.type = "fast"});
  SubmitMany(tasks(), 100, {.type = "slow", .domain = "big"});
  EXPECT_EQ(Claimed(tasks(), 5, {"slow"}).size(), 5U);
  EXPECT_EQ(Claimed(tasks(), 400, {"fast"}).size(), 400U);
  Submit({.type = "slow", .domain = "late"});
  EXPECT_EQ(Of(Claimed(tasks(), 3, {"slow", "fast"}), "late"), 1);
}

TEST_P(StoreConformance, ClaimOrderClaimOfCertainTypesIsFairToo) {
  SubmitMany(tasks(), 100, {.type = "a", .domain = "big"});
  SubmitMany(tasks(), 100, {.type = "other", .domain = "big"});
  EXPECT_EQ(Claimed(tasks(), 40, {"a"}).size(), 40U);
  Submit({.type = "a", .domain = "late"});
  EXPECT_EQ(Of(Claimed(tasks(), 3, {"a"}), "late"), 1);
}

TEST_P(StoreConformance, ClaimOrderFairUnderALimitToo) {
  Must(store().queues().PutLimit({.scope = LimitScope::kType, .name = "unrelated", .max_running = 1}));
  SubmitMany(tasks(), 200, {.type = "a", .domain = "big"});
  EXPECT_EQ(Claimed(tasks(), 100).size(), 100U);
  Submit({.type = "a", .domain = "late"});
  EXPECT_EQ(Of(Claimed(tasks(), 3), "late"), 1);
}

TEST_P(StoreConformance, ClaimOrderTasksThatWaitedForTheirTimeTakeTheirTurnsWhenItComes) {
  SubmitMany(tasks(), 100, {.type = "a", .domain = "night", .run_after = env_.WallNow() + seconds(60)});
  SubmitMany(tasks(), 100, {.type = "a", .domain = "day"});
  EXPECT_EQ(Claimed(tasks(), 50).size(), 50U);
  Advance(seconds(60));
  EXPECT_NEAR(static_cast<double>(Of(Claimed(tasks(), 40), "day")), 20.0, 2.0);
}

TEST_P(StoreConformance, ClaimOrderRetriedTaskKeepsItsTurn) {
  SubmitMany(tasks(), 20, {.type = "a"});
  const Claim claim = ClaimOne();
  EXPECT_EQ(Claimed(tasks(), 5).size(), 5U);
  EXPECT_TRUE(End(claim, RetryLater{WorkFailed(), milliseconds(0)}));
  EXPECT_EQ(Claimed(tasks(), 1).front().id, claim.task.id);
}

TEST_P(StoreConformance, ClaimOrderTaskQueuedAnewByHandGoesToTheEndOfItsFlow) {
  SubmitMany(tasks(), 5, {.type = "a"});
  const Claim claim = ClaimOne();
  EXPECT_TRUE(End(claim, FailedForGood{WorkFailed(), nullptr}));
  Must(tasks().Run(claim.task.id));
  EXPECT_EQ(Claimed(tasks(), 5).back().id, claim.task.id);
}

}  // namespace
}  // namespace seedcore::store
