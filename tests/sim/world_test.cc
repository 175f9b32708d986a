#include "sim/world.h"

#include <gtest/gtest.h>

#include "base/log.h"

namespace seedcore::sim {
namespace {

using test::Defect;

class Simulation : public testing::Test {
 protected:
  Simulation() { log::Configure(log::Level::kError, log::Format::kText); }
};

TEST_F(Simulation, ASeedReplaysExactly) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const Outcome first = Simulate({.seed = seed});
    const Outcome again = Simulate({.seed = seed});
    EXPECT_EQ(first.fingerprint, again.fingerprint) << "seed " << seed;
    EXPECT_EQ(first.steps, again.steps) << "seed " << seed;
  }
  EXPECT_NE(Simulate({.seed = 1}).fingerprint, Simulate({.seed = 2}).fingerprint);
}

struct Planted {
  const char* name;
  Defect defect;
  std::uint64_t within = 50;  ///< seeds, of which each finds it with one chance in six or more
};

class PlantedDefect : public Simulation, public testing::WithParamInterface<Planted> {};

TEST_P(PlantedDefect, IsFoundAndReplays) {
  std::uint64_t seed = 1;
  while (seed <= GetParam().within && Simulate({.seed = seed, .defect = GetParam().defect}).violations.empty()) ++seed;
  ASSERT_LE(seed, GetParam().within) << "the checker did not see it";
  const auto again = Simulate({.seed = seed, .defect = GetParam().defect}).violations;
  ASSERT_FALSE(again.empty());
  std::printf("%s: found with seed %llu: %s\n", GetParam().name, static_cast<unsigned long long>(seed),
              again.front().c_str());
}

INSTANTIATE_TEST_SUITE_P(
    Each, PlantedDefect,
    testing::Values(
        Planted{"TokenNotChecked", Defect::kTokenNotChecked}, Planted{"TokenNotGrown", Defect::kTokenNotGrown},
        Planted{"AttemptsNotBounded", Defect::kAttemptsNotBounded},
        Planted{"LeaseNeverExpires", Defect::kLeaseNeverExpires}, Planted{"SubmitForgotten", Defect::kSubmitForgotten},
        Planted{"EffectsOfTheRefused", Defect::kEffectsOfTheRefused}, Planted{"LimitNotHeld", Defect::kLimitNotHeld},
        Planted{"UniqueKeyForgotten", Defect::kUniqueKeyForgotten},
        Planted{"SnoozeNotWaited", Defect::kSnoozeNotWaited}, Planted{"SnoozeCounted", Defect::kSnoozeCounted},
        Planted{"NewestFirst", Defect::kNewestFirst}, Planted{"FlowsForgotten", Defect::kFlowsForgotten, 100},
        Planted{"ClocksStand", Defect::kClocksStand, 2'000}, Planted{"StepsLost", Defect::kStepsLost},
        Planted{"StepLeaseNotChecked", Defect::kStepLeaseNotChecked, 500}, Planted{"PlanAnew", Defect::kPlanAnew}),
    [](const auto& planted) { return std::string(planted.param.name); });

}  // namespace
}  // namespace seedcore::sim
