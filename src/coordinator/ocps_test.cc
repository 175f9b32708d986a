#include "coordinator/ocps.h"

#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace seedcore::coordinator {
namespace {

TEST(Ocps, StaysSilentWhileDriftIsWithinTheSlack) {
  std::mt19937_64 engine(1);
  std::uniform_real_distribution<double> stationary(0.0, 0.1);
  OcpsValve valve({});
  for (int i = 0; i < 100'000; ++i) ASSERT_FALSE(valve.Update(stationary(engine)));
  EXPECT_EQ(valve.state().fast, 100'000);
  EXPECT_EQ(valve.state().PFast(), 1.0);
}

// From S = 0 a shift to `level` needs more than threshold / (level - slack) observations, and one more is always
// enough.
TEST(Ocps, DetectsAShiftWithinTheTimeTheFormulaPromises) {
  for (const double level : {0.15, 0.2, 0.35, 0.69, 2.0}) {
    OcpsValve valve({});
    for (int i = 0; i < 1000; ++i) valve.Update(0.05);
    int needed = 1;
    while (!valve.Update(level)) ++needed;
    const double promised = 0.5 / (level - 0.1);
    EXPECT_GE(needed, std::floor(promised)) << level;
    EXPECT_LE(needed, std::floor(promised) + 1) << level;
  }
}

TEST(Ocps, NoisyStationaryStreamBelowTheSlackOnAverageRarelyEscalates) {
  std::mt19937_64 engine(7);
  std::exponential_distribution<double> noisy(1.0 / 0.04);  // mean 0.04, now and then far above the slack
  OcpsValve valve({});
  for (int i = 0; i < 100'000; ++i) valve.Update(noisy(engine));
  EXPECT_GT(valve.state().PFast(), 0.999);
}

TEST(Ocps, RestartsFromZeroAfterAnEscalation) {
  OcpsValve valve({});
  EXPECT_TRUE(valve.Update(0.7));
  EXPECT_EQ(valve.state().cusum, 0.0);
  EXPECT_FALSE(valve.Update(0.6));
  EXPECT_EQ(valve.state().PFast(), 0.5);
}

TEST(Ocps, ContinuesFromAStoredState) {
  OcpsValve whole({});
  OcpsValve first({});
  for (int i = 0; i < 3; ++i) {
    whole.Update(0.2);
    first.Update(0.2);
  }
  const auto stored = FromJson<OcpsState>(ToJson(first.state()));
  ASSERT_TRUE(stored);
  OcpsValve second({}, *stored);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(whole.Update(0.2), second.Update(0.2));
  EXPECT_EQ(whole.state().cusum, second.state().cusum);
}

TEST(Ocps, ADriftThatIsNotFiniteChangesNothing) {
  OcpsValve valve({}, {.cusum = 0.3, .fast = 2, .escalated = 1});
  EXPECT_FALSE(valve.Update(std::numeric_limits<double>::quiet_NaN()));
  EXPECT_FALSE(valve.Update(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(valve.state().cusum, 0.3);
  EXPECT_EQ(valve.state().fast, 2);
}

TEST(Ocps, AStoredStateThatCannotBeIsRefused) {
  EXPECT_FALSE(FromJsonText<OcpsState>(R"({"cusum":-1,"fast":0,"escalated":0})"));
}

}  // namespace
}  // namespace seedcore::coordinator
