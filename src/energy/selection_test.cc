#include "energy/selection.h"

#include <numeric>

#include <gtest/gtest.h>

namespace seedcore::energy {
namespace {

constexpr state::RoleProbabilities kCertain{1.0, 0.0, 0.0};

TEST(SelectionTest, EveryWeightIsAppliedOnce) {
  const Candidate agent{.capability = 0.4, .mem_util = 0.5, .roles = {0.5, 0.5, 0.0}, .h_norm = 2.0};
  // One bit of entropy, up to the floor of 1e-8 under the third role.
  EXPECT_NEAR(SelectionScore(agent), 0.6 - 0.2 + 0.15 + 0.02, 1e-6);
}

TEST(SelectionTest, TheMostCapableOfOtherwiseEqualAgentsIsChosen) {
  const std::vector<Candidate> agents{{.capability = 0.5, .roles = kCertain},
                                      {.capability = 0.9, .roles = kCertain},
                                      {.capability = 0.7, .roles = kCertain}};
  EXPECT_EQ(SelectAgent(agents, 0.0), 1U);
}

TEST(SelectionTest, BusyAndIncapableAgentsAreNotCandidates) {
  const std::vector<Candidate> agents{{.capability = 0.9, .roles = kCertain, .available = false},
                                      {.capability = 0.5, .roles = kCertain}};
  EXPECT_EQ(SelectAgent(agents, 0.0), 1U);
  EXPECT_EQ(SelectAgent(agents, 0.6), std::nullopt);
}

TEST(SelectionTest, TheFirstOfEqualsIsChosen) {
  const std::vector<Candidate> agents(3, Candidate{.roles = kCertain});
  EXPECT_EQ(SelectAgent(agents, 0.0), 0U);
}

TEST(SuitabilityTest, FollowsItsFormula) {
  const state::AgentSnapshot agent{.h = {}, .p = {0.2, 0.7, 0.1}, .c = 0.6, .mem_util = 0.5};
  EXPECT_NEAR(Suitability(agent, Role::kS, 0.8, -2.0), 0.4 * 0.8 + 0.5 * 0.3 - 0.2 + 0.15, 1e-12);
}

TEST(SuitabilityTest, AgentsInTheIdealRoleSuitBetter) {
  const state::AgentSnapshot scout{.h = {}, .p = {0.1, 0.9, 0.0}};
  const state::AgentSnapshot worker{.h = {}, .p = {0.9, 0.1, 0.0}};
  EXPECT_LT(Suitability(scout, IdealRole("analysis"), 0.5, 0), Suitability(worker, IdealRole("analysis"), 0.5, 0));
  EXPECT_GT(Suitability(scout, IdealRole("discovery"), 0.5, 0), Suitability(worker, IdealRole("discovery"), 0.5, 0));
}

TEST(SuitabilityTest, ComplexityStaysWithinItsRange) {
  EXPECT_DOUBLE_EQ(TaskComplexity("general", "", false), 0.5);
  EXPECT_DOUBLE_EQ(TaskComplexity("general", "small", false), 0.4);
  EXPECT_DOUBLE_EQ(TaskComplexity("optimization", "large", true), 1.0);
}

TEST(SuitabilityTest, SharesAddUpToTheTermsThatAgentsMakeUp) {
  EnergyInput input;
  input.h = Matrix(3, 2);
  std::iota(input.h.data.begin(), input.h.data.end(), 0.5);
  input.p = Matrix(3, 3, 1.0 / 3.0);
  Weights weights;
  weights.w_pair = Matrix(3, 3, 0.2);
  const auto shares = EnergyShares(input, weights);
  const EnergyTerms terms = ComputeEnergy(input, weights).value();
  EXPECT_NEAR(std::accumulate(shares.begin(), shares.end(), 0.0), terms.pair + terms.entropy + terms.reg, 1e-12);
}

}  // namespace
}  // namespace seedcore::energy
