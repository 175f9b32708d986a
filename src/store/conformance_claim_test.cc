#include <atomic>
#include <set>

#include <gmock/gmock.h>

#include "store/conformance.h"

namespace seedcore::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> Ids(const std::vector<Claim>& claims) {
  std::vector<std::string> ids;
  for (const Claim& claim : claims) ids.push_back(claim.task.id);
  return ids;
}

TEST_P(StoreConformance, ClaimTakesByPriorityThenByAge) {
  const Task low = Submit({.type = "a", .priority = 1});
  const Task first = Submit({.type = "a", .priority = 5});
  const Task second = Submit({.type = "a", .priority = 5});
  const Task urgent = Submit({.type = "a", .priority = 10});
  EXPECT_THAT(Ids(ClaimUpTo(3)), ElementsAre(urgent.id, first.id, second.id));
  EXPECT_THAT(Ids(ClaimUpTo(3)), ElementsAre(low.id));
  EXPECT_TRUE(ClaimUpTo(3).empty());
}

TEST_P(StoreConformance, ClaimNamesOwnerLeaseAttemptAndToken) {
  const Task task = Submit({.type = "a", .description = "d", .params = {{"x", 1}}});
  const auto claims = Must(tasks().ClaimTasks({.owner_id = "w7", .limit = 4, .lease = seconds(12)}));
  ASSERT_EQ(claims.size(), 1U);
  const Task claimed = claims.front().task;
  EXPECT_EQ(claimed.params, task.params);
  EXPECT_EQ(claimed.description, "d");
  for (const Task& seen : {claimed, Get(task.id)}) {
    EXPECT_EQ(seen.status, TaskStatus::kRunning);
    EXPECT_EQ(seen.owner_id, "w7");
    EXPECT_EQ(seen.attempts, 1);
    EXPECT_EQ(seen.fencing_token, 1);
    EXPECT_EQ(seen.lease_expires_at, env_.WallNow() + seconds(12));
    EXPECT_EQ(seen.started_at, env_.WallNow());
  }
}

TEST_P(StoreConformance, ClaimByTypesKeepsTheOrderAcrossThem) {
  const Task a = Submit({.type = "a", .priority = 5});
  SubmitOfType("other");
  const Task b = Submit({.type = "b", .priority = 9});
  const Task a2 = Submit({.type = "a", .priority = 5});
  const auto claims = Must(tasks().ClaimTasks({.owner_id = "w", .limit = 10, .types = {"a", "b", "a", "none"}}));
  EXPECT_THAT(Ids(claims), ElementsAre(b.id, a.id, a2.id));
}

TEST_P(StoreConformance, ClaimByTypesRespectsTheLimit) {
  for (int i = 0; i < 3; ++i) SubmitOfType("a"), SubmitOfType("b");
  EXPECT_EQ(Must(tasks().ClaimTasks({.owner_id = "w", .limit = 4, .types = {"a", "b"}})).size(), 4U);
}

TEST_P(StoreConformance, AClaimLeavesTypesAndTakesTheOthersInTheirOrder) {
  SubmitOfType("left");
  const Task a = Submit({.type = "a", .priority = 5});
  SubmitOfType("also_left");
  const Task b = Submit({.type = "b", .priority = 9});
  const Task a2 = Submit({.type = "a", .priority = 5});
  const ClaimRequest request{.owner_id = "w", .limit = 2, .except = {"left", "also_left", "left", "none"}};
  EXPECT_THAT(Ids(Must(tasks().ClaimTasks(request))), ElementsAre(b.id, a.id));
  EXPECT_THAT(Ids(Must(tasks().ClaimTasks(request))), ElementsAre(a2.id));
  EXPECT_THAT(Must(tasks().ClaimTasks(request)), IsEmpty());
  EXPECT_EQ(Must(tasks().ClaimTasks({.owner_id = "w", .limit = 5})).size(), 2U);
}

TEST_P(StoreConformance, AClaimThatLeavesTypesTakesWhatComesDueOfOthersAndTellsOfTheRest) {
  const WallTime soon = env_.WallNow() + seconds(5);
  const Task later = Submit({.type = "a", .run_after = soon});
  const Task left = Submit({.type = "left", .run_after = soon});
  const ClaimRequest request{.owner_id = "w", .limit = 5, .except = {"left"}};
  EXPECT_THAT(Must(tasks().ClaimTasks(request)), IsEmpty());
  env_.Advance(seconds(5));
  std::atomic<int> told = 0;
  const Subscription subscription = tasks().OnRunnable([&] { ++told; });
  EXPECT_THAT(Ids(Must(tasks().ClaimTasks(request))), ElementsAre(later.id));
  EXPECT_GT(told.load(), 0);
  EXPECT_THAT(Ids(Must(tasks().ClaimTasks({.owner_id = "w", .limit = 5, .types = {"left"}}))), ElementsAre(left.id));
}

TEST_P(StoreConformance, ClaimRefusesNonsense) {
  EXPECT_EQ(CodeOf(tasks().ClaimTasks({.owner_id = "w", .types = {"a"}, .except = {"b"}})),
            ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(tasks().ClaimTasks({.owner_id = "w", .limit = 0})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(tasks().ClaimTasks({.owner_id = "", .limit = 1})), ErrorCode::kInvalidArgument);
}

TEST_P(StoreConformance, NoTaskIsClaimedTwice) {
  constexpr std::size_t kTasks = 200;
  Must(tasks().Submit(std::vector<NewTask>(kTasks, {.type = "a"})));
  std::mutex mutex;
  std::multiset<std::string> claimed;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (;;) {
          const auto claims = ClaimUpTo(7, "w" + std::to_string(t));
          if (claims.empty()) return;
          const std::scoped_lock lock(mutex);
          for (const Claim& claim : claims) claimed.insert(claim.task.id);
        }
      });
    }
  }
  EXPECT_EQ(claimed.size(), kTasks);
  EXPECT_EQ(std::set<std::string>(claimed.begin(), claimed.end()).size(), kTasks);
}

TEST_P(StoreConformance, TaskIsNotClaimedBeforeItsTime) {
  const Task later = Submit({.type = "a", .run_after = env_.WallNow() + seconds(60)});
  Submit({.type = "a", .run_after = env_.WallNow() + seconds(90)});
  EXPECT_TRUE(ClaimUpTo(5).empty());
  EXPECT_EQ(Must(tasks().NextRunAfter()), later.run_after);
  Advance(seconds(60));
  EXPECT_THAT(Ids(ClaimUpTo(5)), ElementsAre(later.id));
}

TEST_P(StoreConformance, WhatHasComeDueIsToldOfOrStillHasATimeUntilItIsTaken) {
  std::atomic<int> signals = 0;
  const Subscription subscription = tasks().OnRunnable([&] { ++signals; });
  const auto claim = [&](int limit, std::vector<std::string> types) {
    signals = 0;
    return Must(tasks().ClaimTasks({.owner_id = "worker", .limit = limit, .types = std::move(types)})).size();
  };
  const auto is_known = [&] { return signals.load() > 0 || Must(tasks().NextRunAfter()).has_value(); };
  const NewTask later{.type = "b", .run_after = env_.WallNow() + seconds(1)};
  Must(tasks().Submit(std::vector<NewTask>(3, later)));
  Advance(seconds(2));
  EXPECT_EQ(claim(5, {"a"}), 0U);
  EXPECT_TRUE(is_known()) << "somebody who claims b may have looked in between";
  EXPECT_EQ(claim(5, {}), 3U);

  SubmitOfType("a");
  Submit({.type = "b", .run_after = env_.WallNow() + seconds(1)});
  Advance(seconds(2));
  EXPECT_EQ(claim(5, {"a"}), 1U);
  EXPECT_TRUE(is_known()) << "also when it takes as many others";
  EXPECT_EQ(claim(5, {}), 1U);

  const NewTask much_later{.type = "b", .run_after = env_.WallNow() + seconds(1)};
  Must(tasks().Submit(std::vector<NewTask>(3, much_later)));
  Advance(seconds(2));
  EXPECT_EQ(claim(2, {}), 2U);
  EXPECT_TRUE(is_known());
  EXPECT_EQ(claim(2, {}), 1U);
}

TEST_P(StoreConformance, NothingWaitingMeansNoNextTime) {
  SubmitOfType("a");
  EXPECT_EQ(Must(tasks().NextRunAfter()), std::nullopt);
}

TEST_P(StoreConformance, TaskPastItsDeadlineIsNeverClaimed) {
  const Task late = Submit({.type = "a", .priority = 9, .deadline = env_.WallNow() + seconds(5)});
  const Task good = SubmitOfType("a");
  Advance(seconds(5));
  EXPECT_THAT(Ids(ClaimUpTo(1)), ElementsAre(good.id));
  const Task failed = Get(late.id);
  EXPECT_EQ(failed.status, TaskStatus::kFailed);
  EXPECT_EQ(failed.error_code, "deadline_exceeded");
  EXPECT_TRUE(failed.dead_letter);
}

TEST_P(StoreConformance, ReaperFailsTasksPastTheirDeadlineInWhateverState) {
  const WallTime deadline = env_.WallNow() + seconds(5);
  const Task running = Submit({.type = "a", .deadline = deadline});
  const Claim claim = ClaimOne();
  const Task queued = Submit({.type = "a", .deadline = deadline});
  const Task created = Submit({.type = "a", .deadline = deadline, .run_immediately = false});
  EXPECT_EQ(Must(tasks().Reap(10)), 0);
  Advance(seconds(5));
  EXPECT_EQ(Must(tasks().Reap(2)), 2);
  EXPECT_EQ(Must(tasks().Reap(2)), 1);
  for (const Task& task : {running, queued, created}) {
    EXPECT_EQ(Get(task.id).status, TaskStatus::kFailed);
    EXPECT_EQ(Get(task.id).error_code, "deadline_exceeded");
  }
  EXPECT_EQ(CodeOf(End(claim, Completed{})), ErrorCode::kLeaseLost);
}

TEST_P(StoreConformance, RenewedLeaseIsNotReaped) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Advance(seconds(20));
  const auto renewed = Must(tasks().Renew(std::vector<Lease>{claim.lease()}, seconds(30)));
  EXPECT_TRUE(renewed.front().renewed);
  EXPECT_EQ(Get(claim.task.id).lease_expires_at, env_.WallNow() + seconds(30));
  Advance(seconds(29));
  EXPECT_EQ(Must(tasks().Reap(10)), 0);
  EXPECT_TRUE(End(claim, Completed{}));
}

TEST_P(StoreConformance, ALeaseThatIsRenewedForLessEndsThatMuchSooner) {
  Submit({.type = "a"});
  const Claim claim = Must(tasks().ClaimTasks({.owner_id = "w", .limit = 1, .lease = std::chrono::hours(1)})).front();
  Advance(std::chrono::minutes(1));
  EXPECT_EQ(Must(tasks().Reap(10)), 0);
  EXPECT_TRUE(Must(tasks().Renew(std::vector<Lease>{claim.lease()}, seconds(30))).front().renewed);
  Advance(seconds(29));
  EXPECT_EQ(Must(tasks().Reap(10)), 0);
  Advance(seconds(2));
  EXPECT_EQ(Must(tasks().Reap(10)), 1);
}

TEST_P(StoreConformance, ExpiredLeaseGoesToTheNextWorkerAndTheLateOneIsRefused) {
  SubmitOfType("a");
  const Claim first = ClaimOne("w1");
  Advance(seconds(30));
  EXPECT_EQ(Must(tasks().Reap(10)), 1);
  EXPECT_EQ(Get(first.task.id).status, TaskStatus::kRetry);
  const Claim second = ClaimOne("w2");
  EXPECT_EQ(second.task.id, first.task.id);
  EXPECT_EQ(second.task.attempts, 2);
  EXPECT_EQ(second.task.fencing_token, 2);

  EXPECT_FALSE(Must(tasks().Renew(std::vector<Lease>{first.lease()}, seconds(30))).front().renewed);
  EXPECT_EQ(CodeOf(End(first, Completed{{{"from", "late"}}})), ErrorCode::kLeaseLost);
  EXPECT_EQ(LeaseLostCount(), 1.0);
  EXPECT_TRUE(End(second, Completed{{{"from", "second"}}}));
  EXPECT_EQ(Get(first.task.id).result.at("from"), "second");
  EXPECT_THAT(EventKinds(first.task.id),
              ElementsAre("submitted", "claimed", "lease_expired", "claimed", "lease_lost", "completed"));
}

TEST_P(StoreConformance, TokenAloneIsNotEnoughTheOwnerMustMatch) {
  SubmitOfType("a");
  Lease lease = ClaimOne("w1").lease();
  lease.owner_id = "w2";
  EXPECT_FALSE(Must(tasks().Renew(std::vector<Lease>{lease}, seconds(30))).front().renewed);
  EXPECT_EQ(CodeOf(EndLease(lease, Completed{})), ErrorCode::kLeaseLost);
  EXPECT_EQ(Get(lease.task_id).status, TaskStatus::kRunning);
}

TEST_P(StoreConformance, ExpiredLeaseWithoutAttemptLeftFailsForGood) {
  Submit({.type = "a", .retry = {.max_attempts = 1}});
  const Claim claim = ClaimOne();
  Advance(seconds(30));
  EXPECT_EQ(Must(tasks().Reap(10)), 1);
  const Task task = Get(claim.task.id);
  EXPECT_EQ(task.status, TaskStatus::kFailed);
  EXPECT_TRUE(task.dead_letter);
  EXPECT_NE(task.error, "");
  EXPECT_THAT(EventKinds(task.id), ElementsAre("submitted", "claimed", "lease_expired", "failed"));
}

TEST_P(StoreConformance, ReaperTouchesAtMostItsLimit) {
  Must(tasks().Submit(std::vector<NewTask>(5, {.type = "a"})));
  EXPECT_EQ(ClaimUpTo(5).size(), 5U);
  Advance(seconds(31));
  EXPECT_EQ(Must(tasks().Reap(3)), 3);
  EXPECT_EQ(Must(tasks().Reap(3)), 2);
  EXPECT_EQ(Must(tasks().Reap(3)), 0);
}

TEST_P(StoreConformance, LeasesSurviveARestartOfTheStore) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Reopen();
  EXPECT_TRUE(ClaimUpTo(1).empty());
  EXPECT_TRUE(End(claim, Completed{}));
}

}  // namespace
}  // namespace seedcore::store
