#include "organism/agent_state.h"

#include <cmath>
#include <numeric>

#include <gtest/gtest.h>

#include "organism/energy_model.h"

namespace seedcore::organism {
namespace {

Experience Good(std::string_view type, std::string_view text) {
  return {.type = type,
          .domain = "ops",
          .description = text,
          .success = true,
          .quality = 1.0,
          .mem_hits = 0,
          .latency_ms = 2.0,
          .at = WallTime{}};
}

double Cosine(const StateVector& a, const StateVector& b) {
  return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
}

TEST(AgentState, AnExperienceIsAUnitVector) {
  const StateVector x = EmbedExperience(Good("execute", "restart the pump in hall 4"));
  EXPECT_NEAR(std::sqrt(Cosine(x, x)), 1.0, 1e-12);
}

TEST(AgentState, EqualExperiencesGiveEqualVectorsOnEveryMachine) {
  const StateVector x = EmbedExperience(Good("execute", "restart the pump"));
  EXPECT_EQ(x, EmbedExperience(Good("execute", "Restart  the PUMP!")));
  // Pins the projection: stored or compared states of another build must mean the same.
  const auto sum = std::accumulate(x.begin(), x.end(), 0.0, [](double s, double v) { return s + std::abs(v); });
  EXPECT_NEAR(sum, 2.1665115627, 1e-9);
}

TEST(AgentState, LikeExperiencesAreCloserThanUnlikeOnes) {
  const auto pump = EmbedExperience(Good("execute", "restart the pump"));
  const auto pump_again = EmbedExperience(Good("execute", "restart the other pump"));
  const auto question = EmbedExperience(Good("general_query", "what time is it"));
  EXPECT_GT(Cosine(pump, pump_again), 0.8);
  EXPECT_LT(Cosine(pump, question), 0.5);
}

TEST(AgentState, TheOutcomeChangesTheVector) {
  Experience bad = Good("execute", "restart the pump");
  bad.success = false;
  EXPECT_LT(Cosine(EmbedExperience(bad), EmbedExperience(Good("execute", "restart the pump"))), 0.7);
}

TEST(AgentState, CapabilityFollowsSuccessAndQuality) {
  const AgentState after = Learn({}, Good("execute", "x"));
  EXPECT_DOUBLE_EQ(after.capability, 0.9 * 0.5 + 0.1 * 1.0);
  Experience bad = Good("execute", "x");
  bad.success = false;
  bad.quality = 0.0;
  EXPECT_DOUBLE_EQ(Learn({}, bad).capability, 0.45);
}

TEST(AgentState, CountsAndQualitiesAreKept) {
  AgentState state;
  Experience half = Good("execute", "x");
  half.quality = 0.5;
  for (int i = 0; i < 30; ++i) state = Learn(state, i < 10 ? Good("execute", "x") : half);
  EXPECT_EQ(state.tasks_processed, 30);
  EXPECT_EQ(state.SuccessRate(), 1.0);
  EXPECT_DOUBLE_EQ(state.MeanQuality(), 0.5);  // the first ten have left the window of twenty
  EXPECT_DOUBLE_EQ(state.mean_latency_ms, 2.0);
}

TEST(AgentState, MemoryUtilizationStaysBelowOne) {
  AgentState state;
  Experience hungry = Good("fact_search", "x");
  hungry.mem_hits = 1'000'000;
  for (int i = 0; i < 1000; ++i) state = Learn(state, hungry);
  EXPECT_LT(state.mem_util, 1.0);
  EXPECT_GT(state.mem_util, 0.99);
}

TEST(AgentState, TheStateStaysWithinTheUnitBall) {
  AgentState state;
  for (int i = 0; i < 500; ++i) state = Learn(state, Good("execute", "the same every time"));
  EXPECT_LE(state.Norm(), 1.0 + 1e-12);
  EXPECT_GT(state.Norm(), 0.99);
}

TEST(AgentState, RolePriorsDependOnTheOrganType) {
  EXPECT_EQ(RolePrior("Actuator"), (state::RoleProbabilities{.E = .7, .S = .2, .O = .1}));
  EXPECT_EQ(RolePrior("unheard of"), (state::RoleProbabilities{.E = .33, .S = .33, .O = .34}));
}

TEST(Energy, OneAgentCostsWhatTheFormulaSays) {
  AgentState agent;
  agent.h[0] = 3.0;
  agent.roles = {.E = 1.0, .S = 0.0, .O = 0.0};
  const EnergyMember member{"organ", &agent};
  const auto terms = MeasureEnergy(std::span(&member, 1), Pairing::kSelf);
  EXPECT_NEAR(terms.pair, -0.9, 1e-12);
  EXPECT_NEAR(terms.reg, 0.09, 1e-12);
  EXPECT_NEAR(terms.total, -0.81, 1e-6);
}

TEST(Energy, PairsCountOnlyWithinAnOrgan) {
  AgentState agent;
  agent.h[0] = 1.0;
  const std::array<EnergyMember, 2> together{{{"a", &agent}, {"a", &agent}}};
  const std::array<EnergyMember, 2> apart{{{"a", &agent}, {"b", &agent}}};
  EXPECT_NEAR(MeasureEnergy(together, Pairing::kWithinOrgan).pair, -0.4, 1e-9);
  EXPECT_NEAR(MeasureEnergy(apart, Pairing::kWithinOrgan).pair, -0.2, 1e-9);
}

TEST(Energy, AMoreCapableAgentScoresLower) {
  AgentState able;
  able.capability = 0.9;
  EXPECT_LT(SelectionScore(able), SelectionScore({}));
}

}  // namespace
}  // namespace seedcore::organism
