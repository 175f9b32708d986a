#include "state/unified_state.h"

#include <cmath>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

namespace seedcore::state {
namespace {

double SquaredDistance(std::span<const double> a, std::span<const double> b) {
  double sum = 0.0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return sum;
}

std::vector<std::string> Codes(const UnifiedState& state) {
  std::vector<std::string> codes;
  for (const StateIssue& issue : ValidateState(state)) codes.push_back(issue.code + " " + issue.path);
  return codes;
}

TEST(SimplexTest, TheProjectionIsAPointOfTheSimplexNearerThanAnyOther) {
  std::mt19937 random(7);
  std::normal_distribution<double> normal(0.0, 2.0);
  std::exponential_distribution<double> exponential;
  for (int round = 0; round < 200; ++round) {
    std::vector<double> values(1 + static_cast<std::size_t>(round % 6));
    for (double& value : values) value = normal(random);
    std::vector<double> projected = values;
    ProjectOntoSimplex(projected);
    EXPECT_NEAR(std::accumulate(projected.begin(), projected.end(), 0.0), 1.0, 1e-12);
    for (const double value : projected) EXPECT_GE(value, 0.0);
    const double nearest = SquaredDistance(values, projected);
    for (int other = 0; other < 20; ++other) {
      std::vector<double> point(values.size());
      double sum = 0.0;
      for (double& value : point) sum += value = exponential(random);
      for (double& value : point) value /= sum;
      EXPECT_GE(SquaredDistance(values, point), nearest - 1e-12);
    }
  }
}

TEST(SimplexTest, IsNotTheSameAsClippingAndDividing) {
  std::array<double, 3> values{1.0, 0.5, -0.5};
  ProjectOntoSimplex(values);
  EXPECT_NEAR(values[0], 0.75, 1e-12);
  EXPECT_NEAR(values[1], 0.25, 1e-12);
  EXPECT_EQ(values[2], 0.0);
}

TEST(SimplexTest, ProbabilitiesStayAsTheyAre) {
  const RoleProbabilities roles{.34, .33, .33};
  EXPECT_EQ(Projected(roles), roles);
}

TEST(SimplexTest, TheRolesOfNobodyAreEqual) { EXPECT_DOUBLE_EQ(AggregateRoles({}).S, 1.0 / 3.0); }

TEST(SimplexTest, RolesOfManyAreTheirMean) {
  const std::vector<RoleProbabilities> rows{{1, 0, 0}, {0, 0.5, 0.5}};
  const RoleProbabilities mean = AggregateRoles(rows);
  EXPECT_DOUBLE_EQ(mean.E, 0.5);
  EXPECT_DOUBLE_EQ(mean.S, 0.25);
}

TEST(ValidateStateTest, AGoodStateHasNoIssues) {
  UnifiedState state;
  state.agents["a"] = {.h = {1, 2}, .p = {.9, .1, 0}};
  state.organs["o"] = {.h = {1, 2}, .P = {{.9, .1, 0}}, .P_agg = {}, .v_pso = {}};
  state.system.emplace().E_patterns = {0, 1};
  EXPECT_TRUE(ValidateState(state).empty());
}

TEST(ValidateStateTest, EveryKindOfIssueIsFoundAndPlaced) {
  UnifiedState state;
  state.agents["a"] = {.h = {1, 2}, .p = {-.1, 1.1, 0}, .c = 1.5};
  state.agents["b"] = {.h = {1}, .p = {.5, .6, 0}, .c = 0.5, .mem_util = -1};
  state.agents["c"] = {.h = {1, NAN}, .p = {NAN, 0, 1}};
  state.organs["o"].P = {{1, 0}};
  state.system.emplace().E_patterns = {0, 2, NAN};
  EXPECT_EQ(Codes(state),
            (std::vector<std::string>{
                "P.negative agents.a.p", "c.range agents.a.c", "P.sum agents.b.p", "H.ndim agents.b.h",
                "mem_util.range agents.b.mem_util", "P.nan agents.c.p", "H.nan agents.c.h", "P.shape organs.o.P[0]",
                "E_patterns.range_or_nan system.E_patterns[1]", "E_patterns.range_or_nan system.E_patterns[2]"}));
}

TEST(ValidateStateTest, TheNumberOfIssuesIsBounded) {
  UnifiedState state;
  state.system.emplace().E_patterns.assign(1000, 2.0);
  EXPECT_EQ(ValidateState(state, 5).size(), 5U);
}

TEST(UnifiedStateTest, WhatIsWrittenReadsBackTheSame) {
  const std::string text =
      R"({"agents":{"a1":{"h":[0.5,1.0],"p":{"E":0.9,"S":0.1,"O":0.0},"c":0.5,"mem_util":0.0,"lifecycle":"Employed"}},)"
      R"("organs":{"o":{"h":[0.5,1.0],"P":[[0.9,0.1,0.0]],"P_agg":[0.9,0.1,0.0]}},"system":{"E_patterns":[1.0,0.5]},)"
      R"("memory":{"mw":{"used":1},"compression":{"p_compress":0.5,"r_effective":2.0}}})";
  const auto state = FromJsonText<UnifiedState>(text);
  ASSERT_TRUE(state) << ToString(state.error());
  EXPECT_EQ(ToJsonText(*state), text);
}

TEST(UnifiedStateTest, AbsentPartsStayAbsent) { EXPECT_EQ(ToJsonText(UnifiedState{}), R"({"agents":{},"organs":{}})"); }

}  // namespace
}  // namespace seedcore::state
