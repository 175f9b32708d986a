#include "store/postgres/wake_ups.h"

#include <algorithm>
#include <deque>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "base/sim_env.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kAll = 0;

/// Processes that listen, each with its own choice, on one clock.
class PostgresWakeUps : public testing::Test {
 protected:
  std::deque<WakeUps>& Make(int count) {
    for (int i = 0; i < count; ++i) {
      processes_.emplace_back(env_);
      processes_.back().Know({count, 0});
      (void)processes_.back().BeginClaim(kAll);
    }
    return processes_;
  }
  int HeardBy(Runnable word) {
    return static_cast<int>(std::ranges::count_if(processes_, [&](WakeUps& one) { return one.Hear(word); }));
  }
  [[nodiscard]] int Waiting() const {
    return static_cast<int>(
        std::ranges::count_if(processes_, [](const WakeUps& one) { return one.next_look().has_value(); }));
  }

  SimEnv env_{5};
  std::deque<WakeUps> processes_;
};

TEST_F(PostgresWakeUps, UpToEightProcessesAllLookAtOnce) {
  Make(WakeUps::kAtOnce);
  for (std::uint32_t mark = 1; mark <= 100; ++mark) EXPECT_EQ(HeardBy({1, mark}), WakeUps::kAtOnce);
  EXPECT_EQ(Waiting(), 0);
}

TEST_F(PostgresWakeUps, WhereNobodyHasCountedEverybodyLooksAtOnce) {
  WakeUps one(env_);
  EXPECT_TRUE(one.Hear({1, 1}));
}

TEST_F(PostgresWakeUps, OfManyAFewLookAtOnceAndTheOthersWithinAPause) {
  Make(1000);
  int at_once = 0;
  constexpr int kWords = 50;
  for (int word = 1; word <= kWords; ++word) {
    const int now = HeardBy({1, static_cast<std::uint32_t>(word)});
    at_once += now;
    EXPECT_EQ(now + Waiting(), 1000) << "nobody is left out";
    const milliseconds longest = processes_.front().longest_pause();
    env_.Advance(longest);
    for (WakeUps& one : processes_) {
      const bool waited = one.next_look().has_value();
      EXPECT_EQ(one.TakeDue(), waited);
    }
  }
  EXPECT_NEAR(at_once / static_cast<double>(kWords), WakeUps::kAtOnce, 3.0);
}

TEST_F(PostgresWakeUps, ManyTasksWakeAsMany) {
  Make(1000);
  EXPECT_NEAR(HeardBy({500, 1}), 500, 100);
  EXPECT_EQ(HeardBy({1000, 2}), 1000);
}

TEST_F(PostgresWakeUps, AsManyLookAsManyTasksNeedTwiceOver) {
  constexpr std::size_t kLimit = 50;
  for (WakeUps& one : Make(1000)) (void)one.EndClaim(one.BeginClaim(kAll), kAll, {0, kLimit});
  EXPECT_NEAR(HeardBy({5'000, 1}), 2 * 5'000 / kLimit, 50);
  EXPECT_NEAR(HeardBy({20, 2}), WakeUps::kAtOnce, 8) << "never fewer";
  EXPECT_EQ(HeardBy({25'000, 3}), 1000);
  for (WakeUps& one : processes_) (void)one.EndClaim(one.BeginClaim(kAll), kAll, {0, 1});
  EXPECT_NEAR(HeardBy({500, 4}), 500, 100) << "of claims of one task";
}

TEST_F(PostgresWakeUps, APauseThatHasBegunIsNotPutOffByFurtherWords) {
  Make(1000);
  (void)HeardBy({1, 1});
  std::uint32_t mark = 1;
  for (WakeUps& one : processes_) {
    const auto before = one.next_look();
    if (!before || one.Hear({1, ++mark})) continue;
    EXPECT_EQ(one.next_look(), before);
  }
}

TEST_F(PostgresWakeUps, WhoeverTakesTheLastTaskSparesTheOthers) {
  Make(1000);
  (void)HeardBy({1, 1});
  WakeUps& taker = processes_.front();
  const auto drained = taker.EndClaim(taker.BeginClaim(kAll), kAll, {1, 16});
  ASSERT_TRUE(drained);
  for (WakeUps& one : processes_) one.HearDrained(*drained);
  EXPECT_EQ(Waiting(), 0);
  EXPECT_FALSE(taker.EndClaim(taker.BeginClaim(kAll), kAll, {1, 16})) << "everybody knows";
  EXPECT_FALSE(taker.IsNews(*drained));
}

TEST_F(PostgresWakeUps, NobodyIsSparedAfterALaterWord) {
  Make(1000);
  (void)HeardBy({1, 1});
  WakeUps& taker = processes_.front();
  const WakeUps::Heard heard = taker.BeginClaim(kAll);
  const auto drained = taker.EndClaim(heard, kAll, {1, 16});
  ASSERT_TRUE(drained);
  (void)HeardBy({1, 2});
  const int waiting = Waiting();
  for (WakeUps& one : processes_) one.HearDrained(*drained);
  EXPECT_EQ(Waiting(), waiting);
  EXPECT_FALSE(taker.IsNews(*drained));
  EXPECT_FALSE(taker.EndClaim(heard, kAll, {1, 16})) << "the claim began before the later word";
}

TEST_F(PostgresWakeUps, AClaimThatWasFilledOrThatLostARaceSaysNothing) {
  Make(1000);
  (void)HeardBy({1, 1});
  WakeUps& one = processes_.front();
  one.Know({4, 0});
  EXPECT_TRUE(one.Hear({1, 2})) << "at once";
  one.Know({1000, 0});
  const WakeUps::Heard heard = one.BeginClaim(kAll);
  EXPECT_FALSE(one.EndClaim(heard, kAll, {16, 16})) << "there may be more";
  EXPECT_FALSE(one.EndClaim(heard, kAll, {0, 16})) << "the one that took it says so";
  EXPECT_TRUE(one.EndClaim(heard, kAll, {3, 16}));
}

TEST_F(PostgresWakeUps, ALookAfterAPauseThatFindsNothingSparesTheOthers) {
  Make(1000);
  (void)HeardBy({1, 1});
  env_.Advance(milliseconds(20));
  int looked = 0;
  for (WakeUps& one : processes_) {
    if (!one.TakeDue()) continue;
    ++looked;
    EXPECT_TRUE(one.EndClaim(one.BeginClaim(kAll), kAll, {0, 16}));
  }
  EXPECT_GT(looked, 0);
}

TEST_F(PostgresWakeUps, OnlyAClaimOfTheSameTypesSpares) {
  Make(1000);
  (void)HeardBy({1, 1});
  const std::uint64_t a = KeyOfTypes({.types = {"a"}}), b = KeyOfTypes({.types = {"b"}});
  const auto waiting = std::ranges::find_if(processes_, [](WakeUps& one) { return one.next_look().has_value(); });
  WakeUps one(env_);  // it claims `a` and `b`, and nothing else
  one.Know({1000, 0});
  (void)one.BeginClaim(a);
  (void)one.BeginClaim(b);
  while (one.Hear({1, 1})) continue;
  one.HearDrained(Drained{1, a});
  EXPECT_TRUE(one.next_look());
  one.HearDrained(Drained{1, b});
  EXPECT_FALSE(one.next_look());
  waiting->HearDrained(Drained{1, a});
  EXPECT_TRUE(waiting->next_look()) << "it claims every type";
  while (one.Hear({1, 2})) continue;
  one.HearDrained(Drained{2, kAll});
  EXPECT_FALSE(one.next_look());
}

TEST_F(PostgresWakeUps, AWordWithoutAMarkSparesNobody) {
  Make(1000);
  (void)HeardBy({1, 0});
  const int waiting = Waiting();
  for (WakeUps& one : processes_) {
    one.HearDrained(Drained{0, kAll});
    EXPECT_FALSE(one.EndClaim(one.BeginClaim(kAll), kAll, {1, 16}));
  }
  EXPECT_EQ(Waiting(), waiting);
}

TEST_F(PostgresWakeUps, WhatIsToldOfALaterWordSparesNobodyTheLookAfterAWordWithoutAMark) {
  Make(1000);
  (void)HeardBy({1, 0});
  std::vector<WakeUps*> must_look;
  for (WakeUps& one : processes_) {
    if (one.next_look() && !one.Hear({1, 2})) must_look.push_back(&one);
  }
  ASSERT_FALSE(must_look.empty());
  for (WakeUps* one : must_look) {
    one->HearDrained({2, kAll});
    EXPECT_TRUE(one->next_look()) << "it has to learn when a task runs that nobody could take yet";
  }
  env_.Advance(processes_.front().longest_pause());
  for (WakeUps* one : must_look) EXPECT_TRUE(one->TakeDue());
  for (WakeUps* one : must_look) {
    if (one->Hear({1, 3})) continue;
    one->HearDrained({3, kAll});
    EXPECT_FALSE(one->next_look()) << "it has looked";
  }
}

TEST_F(PostgresWakeUps, TheNewestCountIsBelieved) {
  WakeUps one(env_);
  EXPECT_TRUE(one.HearCounted({1000, 0}, 20)) << "of a process that has counted nobody";
  EXPECT_TRUE(one.HearCounted({3, 1}, 30));
  EXPECT_FALSE(one.HearCounted({1000, 0}, 29)) << "as others still think";
  EXPECT_FALSE(one.HearCounted({1000, 0}, 0));
  EXPECT_EQ(one.listeners().claimers, 3);
  one.Know({4, 1}, 10);
  EXPECT_EQ(one.listeners().claimers, 4) << "whatever has become of the server's clock";
  env_.Advance(milliseconds(60'000));
  EXPECT_TRUE(one.HearCounted({5, 1}, 0));
}

TEST_F(PostgresWakeUps, TypesAreASet) {
  EXPECT_EQ(KeyOfTypes({}), kAll);
  EXPECT_EQ(KeyOfTypes({.types = {"a", "b"}}), KeyOfTypes({.types = {"b", "a", "b"}}));
  EXPECT_NE(KeyOfTypes({.types = {"a", "b"}}), KeyOfTypes({.types = {"ab"}}));
  EXPECT_NE(KeyOfTypes({.types = {""}}), kAll);
  EXPECT_EQ(KeyOfTypes({.except = {"a", "b"}}), KeyOfTypes({.except = {"b", "a"}}));
  EXPECT_NE(KeyOfTypes({.except = {"a"}}), KeyOfTypes({.types = {"a"}}));
}

TEST_F(PostgresWakeUps, ANotifyWaitsLongerWhereMoreListen) {
  WakeUps one(env_);
  EXPECT_EQ(one.notify_pause(), WakeUps::kShortestNotifyPause);
  one.Know({40, 20});
  EXPECT_EQ(one.notify_pause(), WakeUps::kShortestNotifyPause);
  one.Know({500, 0});
  EXPECT_EQ(one.notify_pause(), milliseconds(25));
  one.Know({100'000, 0});
  EXPECT_EQ(one.notify_pause(), milliseconds(50));
}

/// A queue with many processes: words are delivered to all in one order, after some delay; looks take time, so that
/// claims begin before and end after words. Returns how often somebody looked and found nothing.
int RunQueue(SimEnv& env, int processes, int tasks, std::uint64_t seed) {
  struct Word {
    int at = 0;
    Runnable runnable;
    std::optional<Drained> drained;
  };
  struct Look {
    int ends = 0;
    std::size_t who = 0;
    WakeUps::Heard heard;
    std::size_t claimed = 0;
  };
  constexpr std::size_t kLimit = 4;
  constexpr int kSteps = 20'000;  // milliseconds
  std::mt19937_64 chance(seed);
  std::deque<WakeUps> all;
  for (int i = 0; i < processes; ++i) all.emplace_back(env).Know({processes, 0});
  std::deque<int> queued;  // when each was submitted
  std::deque<Word> words;
  std::vector<Look> looks;
  int submitted = 0, taken = 0, empty = 0;
  std::uint32_t mark = 0;
  const auto look = [&](int now, std::size_t who) {
    const WakeUps::Heard before = all[who].BeginClaim(kAll);
    const std::size_t claimed = std::min(kLimit, queued.size());
    for (std::size_t i = 0; i < claimed; ++i) {
      EXPECT_LE(now - queued.front(), all[who].longest_pause().count() + 10) << "somebody looks within the pause";
      queued.pop_front();
    }
    taken += static_cast<int>(claimed);
    empty += claimed == 0 ? 1 : 0;
    looks.push_back({now + 1 + static_cast<int>(chance() % 3), who, before, claimed});
  };
  for (int now = 0; now < kSteps && taken < tasks; ++now) {
    env.Advance(milliseconds(1));
    if (submitted < tasks && chance() % 20 == 0) {
      const int many = std::min(static_cast<int>(1 + chance() % 3), tasks - submitted);
      for (int i = 0; i < many; ++i) queued.push_back(now);
      submitted += many;
      words.push_back({now + 1, {many, ++mark}, std::nullopt});
    }
    std::erase_if(looks, [&](const Look& done) {
      if (done.ends > now) return false;
      const auto drained = all[done.who].EndClaim(done.heard, kAll, {done.claimed, kLimit});
      if (drained && all[done.who].IsNews(*drained)) words.push_back({now + 1, {}, drained});
      return true;
    });
    for (; !words.empty() && words.front().at <= now; words.pop_front()) {
      const Word word = words.front();
      for (std::size_t who = 0; who < all.size(); ++who) {
        if (word.drained) all[who].HearDrained(*word.drained);
        if (word.runnable.tasks > 0 && all[who].Hear(word.runnable)) look(now, who);
      }
    }
    for (std::size_t who = 0; who < all.size(); ++who) {
      if (all[who].TakeDue()) look(now, who);
    }
  }
  EXPECT_EQ(taken, tasks) << "no task is lost, seed " << seed;
  return empty;
}

TEST_F(PostgresWakeUps, EveryTaskIsTakenWithinThePauseAndFewLookInVain) {
  constexpr int kProcesses = 100, kTasks = 200;
  int empty = 0;
  constexpr int kSeeds = 10;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) empty += RunQueue(env_, kProcesses, kTasks, seed);
  // Everybody at once would be some 99 for each of about 100 words.
  EXPECT_LT(empty, kSeeds * kTasks / 2 * 20);
}

/// A few processes, one of which hears that a commit is announced.
class PostgresAnnouncement : public PostgresWakeUps {
 protected:
  static constexpr std::uint32_t kMark = 77;
  static constexpr std::size_t kLimit = 16;

  PostgresAnnouncement() { EXPECT_TRUE(one_.HearAnnounced(kMark)); }

  WakeUps& one_ = Make(3).front();
};

TEST_F(PostgresAnnouncement, IsAwaitedByTheClaimsOfAMoment) {
  EXPECT_EQ(one_.BeginClaim(kAll).announced, kMark);
  EXPECT_EQ(one_.BeginClaim(kAll).announced, kMark) << "those of a second dispatcher, too";
  env_.Advance(std::chrono::seconds(1));
  EXPECT_EQ(one_.BeginClaim(kAll).announced, 0u);
}

TEST_F(PostgresAnnouncement, IsAwaitedByNobodyOnceItsWordIsHeard) {
  EXPECT_TRUE(one_.Hear({1, kMark})) << "no claim has seen what it is about";
  EXPECT_EQ(one_.BeginClaim(kAll).announced, 0u);
}

TEST_F(PostgresAnnouncement, ItsWordSaysNothingNewToWhoeverHasAwaitedTheCommit) {
  EXPECT_FALSE(one_.EndClaim(one_.BeginClaim(kAll), kAll, {.claimed = 1, .limit = kLimit, .awaited = true}));
  EXPECT_FALSE(one_.Hear({1, kMark}));
  EXPECT_FALSE(one_.next_look());
  EXPECT_TRUE(one_.Hear({1, kMark + 1}));
}

TEST_F(PostgresAnnouncement, ItsWordIsHeededUnlessAllThatMayBeClaimedWasSeen) {
  constexpr std::uint64_t kOneType = 5;
  (void)one_.BeginClaim(kOneType);
  const WakeUps::Heard heard = one_.BeginClaim(kOneType);
  // It was filled; it came too early or too late; it was about other tasks.
  (void)one_.EndClaim(heard, kOneType, {.claimed = kLimit, .limit = kLimit, .awaited = true});
  EXPECT_TRUE(one_.Hear({1, kMark}));
  EXPECT_TRUE(one_.HearAnnounced(kMark));
  (void)one_.EndClaim(one_.BeginClaim(kOneType), kOneType, {.claimed = 0, .limit = kLimit, .awaited = false});
  EXPECT_TRUE(one_.Hear({1, kMark}));
  EXPECT_TRUE(one_.HearAnnounced(kMark));
  (void)one_.EndClaim(one_.BeginClaim(kOneType), kOneType, {.claimed = 0, .limit = kLimit, .awaited = true});
  EXPECT_TRUE(one_.Hear({1, kMark})) << "of all types, which this process claims as well, nothing is known";
}

TEST_F(PostgresAnnouncement, OfManyProcessesNoneActsOnIt) {
  one_.Know({WakeUps::kAtOnce + 1, 0});
  EXPECT_FALSE(one_.HearAnnounced(kMark + 1));
  EXPECT_NE(one_.BeginClaim(kAll).announced, kMark + 1);
}

}  // namespace
}  // namespace seedcore::store::postgres
