#include "net/liveness.h"

#include <gtest/gtest.h>

namespace seedcore::net {
namespace {

using namespace std::chrono_literals;
using Verdict = Liveness::Verdict;

constexpr Instant kStart{1h};

TEST(LivenessTest, ItIsAskedOnceForAllThatHaveWaitedLong) {
  Liveness liveness;
  EXPECT_EQ(liveness.Judge(kStart, kStart + 1s, 2s), Verdict::kWait);
  EXPECT_EQ(liveness.Judge(kStart, kStart + 2s, 2s), Verdict::kAsk);
  EXPECT_EQ(liveness.Judge(kStart, kStart + 3s, 2s), Verdict::kWait) << "somebody asks already";
  liveness.Answered(kStart + 3s);
  liveness.Asked();
  EXPECT_EQ(liveness.Judge(kStart, kStart + 4s, 2s), Verdict::kWait);
  EXPECT_EQ(liveness.Judge(kStart, kStart + 5s, 2s), Verdict::kAsk);
}

TEST(LivenessTest, WhatComesInAnswerToOthersIsASignToo) {
  Liveness liveness;
  liveness.Answered(kStart + 5s);
  EXPECT_EQ(liveness.Judge(kStart, kStart + 6s, 2s), Verdict::kWait);
  EXPECT_EQ(liveness.Judge(kStart, kStart + 7s, 2s), Verdict::kAsk);
  liveness.Answered(kStart + 8s);
  EXPECT_FALSE(liveness.Silent(kStart + 7s, kStart + 12s)) << "the question may have been lost";
  liveness.Asked();
  EXPECT_EQ(liveness.Judge(kStart, kStart + 12s, 2s), Verdict::kAsk);
}

TEST(LivenessTest, OneThatDoesNotAnswerIsDeadForAllThatWaitedThen) {
  Liveness liveness;
  ASSERT_EQ(liveness.Judge(kStart, kStart + 2s, 2s), Verdict::kAsk);
  EXPECT_TRUE(liveness.Silent(kStart + 2s, kStart + 7s));
  liveness.Asked();
  EXPECT_EQ(liveness.Judge(kStart, kStart + 7s, 2s), Verdict::kDead);
  EXPECT_EQ(liveness.Judge(kStart + 6s, kStart + 7s, 2s), Verdict::kDead);
  EXPECT_EQ(liveness.Judge(kStart + 8s, kStart + 9s, 2s), Verdict::kWait) << "who came later judges anew";
  EXPECT_EQ(liveness.Judge(kStart + 8s, kStart + 10s, 2s), Verdict::kAsk);
}

TEST(LivenessTest, OneThatWasDeadAndAnswersLives) {
  Liveness liveness;
  ASSERT_TRUE(liveness.Silent(kStart, kStart + 5s));
  liveness.Answered(kStart + 6s);
  EXPECT_EQ(liveness.Judge(kStart, kStart + 7s, 2s), Verdict::kWait);
}

}  // namespace
}  // namespace seedcore::net
