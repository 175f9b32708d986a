#include "net/retry_budget.h"

#include <gtest/gtest.h>

#include "base/sim_env.h"

namespace seedcore::net {
namespace {

using namespace std::chrono_literals;

class RetryBudgetTest : public ::testing::Test {
 protected:
  void Requests(int count) {
    for (int i = 0; i < count; ++i) budget_.OnRequest();
  }
  int RetriesUntilRefused() {
    int count = 0;
    while (budget_.TryRetry()) ++count;
    return count;
  }

  SimEnv env_;
  RetryBudget budget_{{.share = 0.2, .per_second = 1}, env_};
};

TEST_F(RetryBudgetTest, RetriesAreAShareOfTheRequestsAndAFewMore) {
  Requests(100);
  EXPECT_EQ(RetriesUntilRefused(), 20 + 10);
}

TEST_F(RetryBudgetTest, AServiceThatIsHardlyUsedMayStillBeRetried) { EXPECT_EQ(RetriesUntilRefused(), 10); }

TEST_F(RetryBudgetTest, EachRequestAddsToIt) {
  EXPECT_EQ(RetriesUntilRefused(), 10);
  Requests(4);
  EXPECT_FALSE(budget_.TryRetry());
  Requests(1);
  EXPECT_TRUE(budget_.TryRetry());
  EXPECT_FALSE(budget_.TryRetry());
}

TEST_F(RetryBudgetTest, WhatIsTenSecondsPastNoLongerCounts) {
  Requests(100);
  EXPECT_EQ(RetriesUntilRefused(), 30);
  env_.Advance(9s);
  EXPECT_FALSE(budget_.TryRetry());
  env_.Advance(1s);
  EXPECT_EQ(RetriesUntilRefused(), 10);
}

TEST_F(RetryBudgetTest, NothingAllowedIsNothingSentAgain) {
  RetryBudget none({.share = 0.0, .per_second = 0}, env_);
  none.OnRequest();
  EXPECT_FALSE(none.TryRetry());
}

}  // namespace
}  // namespace seedcore::net
