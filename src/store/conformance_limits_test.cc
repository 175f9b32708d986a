#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include <gmock/gmock.h>

#include "store/admission.h"
#include "store/conformance.h"

namespace seedcore::store {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

std::vector<std::string> TypesOf(const std::vector<Claim>& claims) {
  std::vector<std::string> types;
  for (const Claim& claim : claims) types.push_back(claim.task.type);
  return types;
}

QueueLimit AtMost(int running, std::string type) {
  return {.scope = LimitScope::kType, .name = std::move(type), .max_running = running, .rate = std::nullopt};
}
QueueLimit AtMostOfKey(int running, std::string key) {
  return {.scope = LimitScope::kKey, .name = std::move(key), .max_running = running, .rate = std::nullopt};
}
QueueLimit PerSecond(LimitScope scope, std::string name, int tasks, int burst) {
  return {.scope = scope, .name = std::move(name), .max_running = {}, .rate = RateLimit{tasks, seconds(1), burst}};
}

TEST_P(StoreConformance, PausedTypeIsNotClaimedUntilItIsResumed) {
  SubmitOfType("a");
  const Claim running = ClaimOne();
  SubmitOfType("a");
  SubmitOfType("b");
  EXPECT_EQ(Must(queues().Pause("a", "the printer is on fire")).paused_at, env_.WallNow());
  EXPECT_THAT(TypesOf(ClaimUpTo(5)), ElementsAre("b"));
  EXPECT_THAT(Must(tasks().ClaimTasks({.owner_id = "w", .limit = 5, .types = {"a"}})), IsEmpty());
  EXPECT_TRUE(End(running, Completed{})) << "what runs goes on";

  Reopen();
  const auto pauses = Must(queues().Pauses());
  ASSERT_EQ(pauses.size(), 1U);
  EXPECT_EQ(pauses.front().type, "a");
  EXPECT_EQ(pauses.front().reason, "the printer is on fire");
  EXPECT_THAT(ClaimUpTo(5), IsEmpty());

  EXPECT_TRUE(Must(queues().Resume("a")));
  EXPECT_FALSE(Must(queues().Resume("a")));
  EXPECT_THAT(TypesOf(ClaimUpTo(5)), ElementsAre("a"));
}

TEST_P(StoreConformance, ResumingWakesTheDispatchers) {
  Must(queues().Pause("a", ""));
  SubmitOfType("a");
  std::atomic<int> signals = 0;
  const Subscription subscription = tasks().OnRunnable([&] { ++signals; });
  Must(queues().Resume("a"));
  EXPECT_GT(signals.load(), 0);
}

TEST_P(StoreConformance, TypeRunsAtMostAsManyAsItsLimit) {
  Must(queues().PutLimit(AtMost(2, "a")));
  Must(tasks().Submit(std::vector<NewTask>(5, {.type = "a"})));
  const Task other = SubmitOfType("b");
  auto claims = ClaimUpTo(10);
  EXPECT_THAT(TypesOf(claims), testing::UnorderedElementsAre("a", "a", "b"));
  EXPECT_THAT(ClaimUpTo(10), IsEmpty());

  const auto of_a = std::ranges::find_if(claims, [](const Claim& claim) { return claim.task.type == "a"; });
  std::atomic<int> signals = 0;
  const Subscription subscription = tasks().OnRunnable([&] { ++signals; });
  EXPECT_TRUE(End(*of_a, Completed{}));
  EXPECT_GT(signals.load(), 0) << "there is room again, and somebody may wait for it";
  EXPECT_THAT(TypesOf(ClaimUpTo(10)), ElementsAre("a"));

  Must(queues().PutLimit(AtMost(3, "a")));
  EXPECT_EQ(ClaimUpTo(10).size(), 1U);
  EXPECT_TRUE(Must(queues().DeleteLimit(LimitScope::kType, "a")));
  EXPECT_FALSE(Must(queues().DeleteLimit(LimitScope::kType, "a")));
  EXPECT_EQ(ClaimUpTo(10).size(), 1U);
}

TEST_P(StoreConformance, ExpiredLeaseCountsUntilItIsReaped) {
  Must(queues().PutLimit(AtMost(1, "a")));
  Must(tasks().Submit(std::vector<NewTask>(2, {.type = "a"})));
  ClaimOne();
  Advance(seconds(31));
  EXPECT_THAT(ClaimUpTo(5), IsEmpty());
  EXPECT_EQ(Must(tasks().Reap(10)), 1);
  EXPECT_EQ(ClaimUpTo(5).size(), 1U);
}

TEST_P(StoreConformance, FullTypeDoesNotHideOthersHoweverManyOfItWait) {
  Must(queues().PutLimit(AtMost(1, "a")));
  Must(tasks().Submit(std::vector<NewTask>(700, {.type = "a", .priority = 10})));
  SubmitOfType("b");
  EXPECT_THAT(TypesOf(ClaimUpTo(2)), testing::UnorderedElementsAre("a", "b"));
}

TEST_P(StoreConformance, KeyRunsAtMostAsManyAsItsLimitWhateverTheType) {
  Must(queues().PutLimit(AtMostOfKey(1, "tenant")));
  const Task first = Submit({.type = "a", .priority = 9, .concurrency_key = "tenant"});
  Submit({.type = "b", .priority = 8, .concurrency_key = "tenant"});
  Submit({.type = "b", .priority = 7, .concurrency_key = "other"});
  EXPECT_EQ(first.concurrency_key, "tenant");
  const auto claims = ClaimUpTo(5);
  ASSERT_EQ(claims.size(), 2U);
  EXPECT_EQ(claims[0].task.concurrency_key, "tenant");
  EXPECT_EQ(claims[1].task.concurrency_key, "other");
  EXPECT_THAT(ClaimUpTo(5), IsEmpty());
  EXPECT_TRUE(End(claims[0], RetryLater{WorkFailed(), seconds(60)}));
  EXPECT_THAT(TypesOf(ClaimUpTo(5)), ElementsAre("b"));
}

TEST_P(StoreConformance, EveryKeyHasTheLimitOfAllByItself) {
  Must(queues().PutLimit(AtMostOfKey(1, "*")));
  Must(queues().PutLimit(AtMostOfKey(3, "big")));
  for (const char* key : {"x", "x", "y", "big", "big", "big", "big"}) {
    Submit({.type = "a", .concurrency_key = key});
  }
  SubmitOfType("a");
  std::multiset<std::string> keys;
  for (const Claim& claim : ClaimUpTo(20)) keys.insert(claim.task.concurrency_key);
  EXPECT_THAT(keys, ElementsAre("", "big", "big", "big", "x", "y"));
  EXPECT_TRUE(Must(queues().DeleteLimit(LimitScope::kKey, "*")));
  EXPECT_EQ(ClaimUpTo(20).size(), 1U);
  EXPECT_TRUE(Must(queues().DeleteLimit(LimitScope::kKey, "big")));
  EXPECT_EQ(ClaimUpTo(20).size(), 1U);
}

TEST_P(StoreConformance, FullKeyDoesNotHideOthersOfItsTypeAndIsWorkedOffInOrder) {
  Must(queues().PutLimit(AtMostOfKey(1, "tenant")));
  constexpr int kBacklog = 600;
  Must(tasks().Submit(std::vector<NewTask>(kBacklog, {.type = "a", .priority = 9, .concurrency_key = "tenant"})));
  const Task free = SubmitOfType("a");
  std::vector<Claim> claims = ClaimUpTo(2);
  for (int looks = 0; looks < 5 && claims.size() < 2; ++looks) {
    for (Claim& claim : ClaimUpTo(1)) claims.push_back(std::move(claim));
  }
  ASSERT_EQ(claims.size(), 2U);
  EXPECT_EQ(claims[1].task.id, free.id);
  for (int n = 1; n < 20; ++n) {
    EXPECT_TRUE(End(claims[0], Completed{}));
    claims = ClaimUpTo(5);
    ASSERT_EQ(claims.size(), 1U) << "after " << n;
  }
}

TEST_P(StoreConformance, WaitingTasksOfAKeyComeOutWhereverTheRunningOneWent) {
  Must(queues().PutLimit(AtMostOfKey(1, "k")));
  Must(tasks().Submit(std::vector<NewTask>(6, {.type = "a", .retry = {.max_attempts = 1}, .concurrency_key = "k"})));
  const Claim completed = ClaimOne();
  EXPECT_THAT(ClaimUpTo(9), IsEmpty());
  EXPECT_TRUE(End(completed, Completed{}));
  const Claim failed = ClaimOne();
  EXPECT_THAT(ClaimUpTo(9), IsEmpty());
  EXPECT_TRUE(End(failed, FailedForGood{WorkFailed(), nullptr}));
  const Claim held = ClaimOne();
  EXPECT_THAT(ClaimUpTo(9), IsEmpty());
  EXPECT_TRUE(End(held, Held{"why"}));
  const Claim cancelled = ClaimOne();
  EXPECT_THAT(ClaimUpTo(9), IsEmpty());
  Must(tasks().Cancel(cancelled.task.id));
  const Claim lost = ClaimOne();
  EXPECT_THAT(ClaimUpTo(9), IsEmpty());
  Advance(seconds(31));
  EXPECT_EQ(Must(tasks().Reap(10)), 1);
  EXPECT_EQ(ClaimUpTo(9).size(), 1U);
}

TEST_P(StoreConformance, WaitingTaskOfAKeyIsCancelledAndRunsOutOfTimeLikeAnyOther) {
  Must(queues().PutLimit(AtMostOfKey(1, "k")));
  Submit({.type = "a", .concurrency_key = "k"});
  const Claim running = ClaimOne();
  const Task unwanted = Submit({.type = "a", .concurrency_key = "k"});
  const Task late = Submit({.type = "a", .deadline = env_.WallNow() + seconds(5), .concurrency_key = "k"});
  EXPECT_THAT(ClaimUpTo(9), IsEmpty());
  EXPECT_EQ(Must(tasks().Cancel(unwanted.id)).status, TaskStatus::kCancelled);
  Advance(seconds(5));
  EXPECT_EQ(Must(tasks().Reap(10)), 1);
  EXPECT_EQ(Get(late.id).status, TaskStatus::kFailed);
  EXPECT_TRUE(End(running, Completed{}));
  EXPECT_THAT(ClaimUpTo(9), IsEmpty());
}

TEST_P(StoreConformance, KeyIsNotStuckWhenWhatCameOutCannotBeClaimed) {
  Must(queues().PutLimit(AtMostOfKey(1, "k")));
  Submit({.type = "a", .priority = 9, .concurrency_key = "k"});
  const Claim running = ClaimOne();
  Submit({.type = "a", .priority = 5, .concurrency_key = "k"});
  Submit({.type = "b", .priority = 4, .concurrency_key = "k"});
  EXPECT_THAT(ClaimUpTo(9), IsEmpty());
  Must(queues().Pause("a", ""));
  EXPECT_TRUE(End(running, Completed{}));
  for (int look = 0; look < 3; ++look) Must(tasks().Reap(10));
  EXPECT_THAT(TypesOf(ClaimUpTo(9)), ElementsAre("b"));
}

TEST_P(StoreConformance, RateOfATypeHoldsAndTellsWhenToLookAgain) {
  Must(queues().PutLimit(PerSecond(LimitScope::kType, "a", 2, 3)));
  Must(tasks().Submit(std::vector<NewTask>(6, {.type = "a"})));
  EXPECT_EQ(ClaimUpTo(10).size(), 3U) << "the burst";
  EXPECT_THAT(ClaimUpTo(10), IsEmpty());
  EXPECT_EQ(Must(tasks().NextRunAfter()), env_.WallNow() + milliseconds(500));
  Advance(milliseconds(499));
  EXPECT_THAT(ClaimUpTo(10), IsEmpty());
  Advance(milliseconds(1));
  EXPECT_EQ(ClaimUpTo(10).size(), 1U);
  Reopen();
  EXPECT_THAT(ClaimUpTo(10), IsEmpty());
  Advance(seconds(1));
  EXPECT_EQ(ClaimUpTo(10).size(), 2U);
  EXPECT_EQ(Must(tasks().NextRunAfter()), std::nullopt) << "nothing waits any more";
}

TEST_P(StoreConformance, RateOfAKeyHoldsAndTellsWhenToLookAgain) {
  Must(queues().PutLimit(PerSecond(LimitScope::kKey, "mail", 10, 1)));
  for (int i = 0; i < 3; ++i) Submit({.type = "a", .concurrency_key = "mail"});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(ClaimUpTo(10).size(), 1U);
    EXPECT_THAT(ClaimUpTo(10), IsEmpty());
    const auto next = i < 2 ? std::optional(env_.WallNow() + milliseconds(100)) : std::nullopt;
    EXPECT_EQ(Must(tasks().NextRunAfter()), next);
    Advance(milliseconds(100));
  }
}

TEST_P(StoreConformance, WritingTheSameRateAgainDoesNotFillTheBucket) {
  const QueueLimit limit = PerSecond(LimitScope::kType, "a", 1, 2);
  Must(queues().PutLimit(limit));
  Must(tasks().Submit(std::vector<NewTask>(6, {.type = "a"})));
  EXPECT_EQ(ClaimUpTo(10).size(), 2U);
  Must(queues().PutLimit(limit));
  EXPECT_THAT(ClaimUpTo(10), IsEmpty());
  Must(queues().PutLimit(PerSecond(LimitScope::kType, "a", 1, 3)));
  EXPECT_EQ(ClaimUpTo(10).size(), 3U);
}

TEST_P(StoreConformance, LimitsAreListedAsTheyWerePut) {
  Must(queues().PutLimit(AtMostOfKey(4, "*")));
  QueueLimit both = PerSecond(LimitScope::kType, "b", 7, 9);
  both.max_running = 3;
  Must(queues().PutLimit(both));
  Must(queues().PutLimit(AtMost(1, "a")));
  const auto limits = Must(queues().Limits());
  ASSERT_EQ(limits.size(), 3U);
  EXPECT_EQ(limits[0].name, "a");
  EXPECT_EQ(limits[0].rate.has_value(), false);
  EXPECT_EQ(limits[1].name, "b");
  EXPECT_EQ(limits[1].max_running, 3);
  ASSERT_TRUE(limits[1].rate.has_value());
  EXPECT_EQ(limits[1].rate->tasks, 7);
  EXPECT_EQ(limits[1].rate->interval, seconds(1));
  EXPECT_EQ(limits[1].rate->burst, 9);
  EXPECT_EQ(limits[2].scope, LimitScope::kKey);
  EXPECT_EQ(CodeOf(queues().PutLimit(AtMost(0, "a"))), ErrorCode::kInvalidArgument);
}

TEST_P(StoreConformance, QueuesCountWhatRunsAndWhatWaits) {
  Must(tasks().Submit(std::vector<NewTask>(3, {.type = "a"})));
  ClaimOne();
  Submit({.type = "b", .run_after = env_.WallNow() + seconds(60)});
  EXPECT_TRUE(End(ClaimOne(), Completed{}));
  const auto queues_now = Must(queues().Queues());
  ASSERT_EQ(queues_now.size(), 2U);
  EXPECT_EQ(queues_now[0].type, "a");
  EXPECT_EQ(queues_now[0].ready, 1);
  EXPECT_EQ(queues_now[0].running, 1);
  EXPECT_EQ(queues_now[1].type, "b");
  EXPECT_EQ(queues_now[1].scheduled, 1);
}

TEST_P(StoreConformance, LimitsHoldWhoeverClaimsAtTheSameTime) {
  Must(queues().PutLimit(AtMost(3, "a")));
  Must(queues().PutLimit(AtMostOfKey(1, "*")));
  std::vector<NewTask> given;
  for (int i = 0; i < 60; ++i) {
    given.push_back({.type = "a", .concurrency_key = "a" + std::to_string(i % 5)});
    given.push_back({.type = "b", .concurrency_key = "b" + std::to_string(i % 7)});
  }
  Must(tasks().Submit(given));
  std::atomic<int> ended = 0;
  std::mutex mutex;
  std::map<std::string, int> running;
  std::vector<std::string> exceeded;
  const auto count = [&](const std::string& name, int most, int by) {
    if ((running[name] += by) > most) exceeded.push_back(name);
  };
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        const auto change = [&](const Claim& claim, int by) {
          const std::scoped_lock lock(mutex);
          if (claim.task.type == "a") count("type a", 3, by);
          count(claim.task.concurrency_key, 1, by);
        };
        for (int looks = 0; ended < 120 && looks < 100'000; ++looks) {
          const auto claims = ClaimUpTo(4, "w" + std::to_string(t));
          for (const Claim& claim : claims) change(claim, 1);
          for (const Claim& claim : claims) {
            // No longer counted here a little before the store lets the next one in.
            change(claim, -1);
            EXPECT_TRUE(End(claim, Completed{}));
            ++ended;
          }
          if (claims.empty()) std::this_thread::yield();
        }
      });
    }
  }
  EXPECT_THAT(exceeded, IsEmpty());
  EXPECT_EQ(ended.load(), 120);
}

TEST_P(StoreConformance, PausesHaveABound) {
  const auto name = [](std::int64_t number) { return "type-" + std::to_string(number); };
  for (std::int64_t i = 0; i < kMaxPauses; ++i) Must(queues().Pause(name(i), ""));
  EXPECT_EQ(CodeOf(queues().Pause(name(kMaxPauses), "")), ErrorCode::kResourceExhausted);
  EXPECT_EQ(Must(queues().Pause(name(0), "again")).reason, "again") << "one that is there";
  EXPECT_TRUE(Must(queues().Resume(name(0))));
  EXPECT_TRUE(queues().Pause(name(kMaxPauses), ""));
}

std::vector<std::string> NamesOf(const std::vector<ExternalType>& types) {
  std::vector<std::string> names;
  for (const ExternalType& one : types) names.push_back(one.type);
  return names;
}

TEST_P(StoreConformance, ExternalTypesAreKeptUntilTheyAreRemovedAndForbidNoClaim) {
  EXPECT_THAT(Must(queues().ExternalTypes()), IsEmpty());
  Must(queues().AddExternalTypes(std::vector<std::string>{"resize", "b", "resize"}));
  const WallTime then = env_.WallNow();
  env_.Advance(seconds(5));
  Must(queues().AddExternalTypes(std::vector<std::string>{"*", "b"}));
  Must(queues().AddExternalTypes({}));

  Reopen();
  const auto types = Must(queues().ExternalTypes());
  EXPECT_THAT(NamesOf(types), ElementsAre("*", "b", "resize"));
  EXPECT_EQ(types[1].registered_at, then) << "it was there already";
  SubmitOfType("b");
  EXPECT_THAT(TypesOf(Must(tasks().ClaimTasks({.owner_id = "w", .limit = 5, .types = {"b"}}))), ElementsAre("b"));

  std::atomic<int> signals = 0;
  const Subscription subscription = tasks().OnRunnable([&] { ++signals; });
  EXPECT_TRUE(Must(queues().RemoveExternalType("b")));
  EXPECT_GT(signals.load(), 0) << "who has left its tasks to others may claim them now";
  EXPECT_FALSE(Must(queues().RemoveExternalType("b")));
  EXPECT_THAT(NamesOf(Must(queues().ExternalTypes())), ElementsAre("*", "resize"));
}

TEST_P(StoreConformance, ExternalTypesHaveABoundAndANameEach) {
  std::vector<std::string> most;
  for (std::int64_t i = 0; i < kMaxExternalTypes; ++i) most.push_back("type " + std::to_string(i));
  Must(queues().AddExternalTypes(std::span(most).first(most.size() - 1)));
  EXPECT_EQ(CodeOf(queues().AddExternalTypes(std::vector<std::string>{"one", "two"})), ErrorCode::kResourceExhausted);
  Must(queues().AddExternalTypes(most));
  EXPECT_EQ(CodeOf(queues().AddExternalTypes(std::vector<std::string>{"one"})), ErrorCode::kResourceExhausted);
  Must(queues().AddExternalTypes(most));
  EXPECT_EQ(std::ssize(Must(queues().ExternalTypes())), kMaxExternalTypes);
  EXPECT_EQ(CodeOf(queues().AddExternalTypes(std::vector<std::string>{""})), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(queues().AddExternalTypes(std::vector<std::string>{std::string(256, 'x')})),
            ErrorCode::kInvalidArgument);
}

}  // namespace
}  // namespace seedcore::store
