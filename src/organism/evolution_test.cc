#include "organism/evolution.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace seedcore::organism {
namespace {

class EvolutionTest : public testing::Test {
 protected:
  EvolutionTest() {
    organs = {{"a", "Utility", {}, 0, 0}, {"b", "Actuator", {}, 0, 0}};
    // Agents 0 and 2 did one kind of work, 1 and 3 the opposite.
    for (int i = 0; i < 4; ++i) {
      AddAgent("a", i);
      agents.back().state.h[0] = i % 2 == 0 ? 0.9 : -0.9;
    }
    AddAgent("b", 0);
    agents.back().state.h[1] = 0.5;
  }
  void AddAgent(const std::string& organ, int i) {
    agents.push_back({.agent_id = fmt::format("{}_agent_{}", organ, i), .organ_id = organ, .state = {}, .capacity = 3});
  }
  Result<EvolutionPlan> Plan(EvolutionRequest request) { return PlanEvolution(request, organs, agents, settings); }
  Error ErrorOf(EvolutionRequest request) {
    const auto plan = Plan(std::move(request));
    EXPECT_FALSE(plan);
    return plan ? Error{} : plan.error();
  }

  std::vector<OrganSnapshot> organs;
  std::vector<AgentSnapshot> agents;
  EvolutionSettings settings;
};

TEST_F(EvolutionTest, ASplitKeepsLikeAgentsTogetherAndTheOriginalAlive) {
  const auto plan = Plan({.op = EvolutionOp::kSplit, .organ_id = "a", .k = 2});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->new_organs, (std::map<std::string, std::string>{{"a_split_1", "Utility"}}));
  EXPECT_EQ(plan->moves, (std::map<std::string, std::string>{{"a_agent_1", "a_split_1"}, {"a_agent_3", "a_split_1"}}));
}

TEST_F(EvolutionTest, ASplitOfOppositeAgentsLowersTheEnergy) {
  const auto plan = Plan({.op = EvolutionOp::kSplit, .organ_id = "a", .k = 2});
  ASSERT_TRUE(plan);
  // Opposite agents in one organ cancel out: their pairs add up to 0. Apart, two groups of two: 2 * 0.1 * (2 * 0.9)^2.
  EXPECT_NEAR(plan->energy_after - plan->energy_before, -0.648, 1e-9);
  EXPECT_NEAR(plan->cost, 2 * 0.001 + 0.01, 1e-12);
}

TEST_F(EvolutionTest, EverySplitIsAPartitionWithoutEmptyParts) {
  for (int k = 2; k <= 4; ++k) {
    const std::vector<AgentSnapshot> members(agents.begin(), agents.begin() + 4);
    const auto part_of = PartitionAgents(members, k);
    std::vector<int> sizes(static_cast<std::size_t>(k));
    for (const int part : part_of) {
      ASSERT_GE(part, 0);
      ASSERT_LT(part, k);
      ++sizes[static_cast<std::size_t>(part)];
    }
    EXPECT_EQ(part_of[0], 0);
    for (const int size : sizes) EXPECT_GT(size, 0) << "k = " << k;
  }
}

TEST_F(EvolutionTest, AgentsThatNothingTellsApartSpreadEvenly) {
  std::vector<AgentSnapshot> blank(6);
  const auto part_of = PartitionAgents(blank, 3);
  for (int part = 0; part < 3; ++part) EXPECT_EQ(std::ranges::count(part_of, part), 2);
}

TEST_F(EvolutionTest, ASplitNeedsEnoughAgents) {
  EXPECT_EQ(ErrorOf({.op = EvolutionOp::kSplit, .organ_id = "b", .k = 2}).code, ErrorCode::kConflict);
  EXPECT_EQ(ErrorOf({.op = EvolutionOp::kSplit, .organ_id = "a", .k = 1}).path, "params.k");
  EXPECT_EQ(ErrorOf({.op = EvolutionOp::kSplit, .organ_id = "a", .k = 17}).path, "params.k");
}

TEST_F(EvolutionTest, AMergeMovesEveryAgentAndRemovesTheSource) {
  const auto plan = Plan({.op = EvolutionOp::kMerge, .organ_id = "a", .sources = {"b"}});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->moves, (std::map<std::string, std::string>{{"b_agent_0", "a"}}));
  EXPECT_EQ(plan->removed_organs, std::vector<std::string>{"b"});
}

TEST_F(EvolutionTest, AnOrganDoesNotMergeWithItself) {
  EXPECT_EQ(ErrorOf({.op = EvolutionOp::kMerge, .organ_id = "a", .sources = {"a"}}).path, "params.src_organs");
  EXPECT_EQ(ErrorOf({.op = EvolutionOp::kMerge, .organ_id = "a"}).path, "params.src_organs");
  EXPECT_EQ(ErrorOf({.op = EvolutionOp::kMerge, .organ_id = "a", .sources = {"z"}}).code, ErrorCode::kNotFound);
}

TEST_F(EvolutionTest, ACloneGetsNewAgents) {
  const auto plan = Plan({.op = EvolutionOp::kClone, .organ_id = "a"});
  ASSERT_TRUE(plan);
  ASSERT_EQ(plan->new_agents.size(), 4U);
  EXPECT_EQ(plan->new_agents[0].agent_id, "a_clone_agent_0");
  EXPECT_EQ(plan->new_agents[0].capacity, 3);
  EXPECT_TRUE(plan->moves.empty());
}

TEST_F(EvolutionTest, ACloneNeverTakesTheIdOfALivingAgent) {
  AddAgent("b", 1);
  agents.back().agent_id = "a_clone_agent_1";
  const auto plan = Plan({.op = EvolutionOp::kClone, .organ_id = "a"});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->new_agents[1].agent_id, "a_clone_agent_2");
}

TEST_F(EvolutionTest, ACloneWithAFractionTakesThatShare) {
  const auto plan = Plan({.op = EvolutionOp::kClone, .organ_id = "a", .move_fraction = 0.5});
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->moves.size(), 2U);
  EXPECT_EQ(ErrorOf({.op = EvolutionOp::kClone, .organ_id = "a", .move_fraction = 1.0}).path, "params.move_fraction");
  EXPECT_EQ(ErrorOf({.op = EvolutionOp::kClone, .organ_id = "b", .move_fraction = 0.5}).code, ErrorCode::kConflict);
}

TEST_F(EvolutionTest, ATakenNameGetsANumber) {
  organs.push_back({"a_clone", "Utility", {}, 0, 0});
  EXPECT_TRUE(Plan({.op = EvolutionOp::kClone, .organ_id = "a"})->new_organs.contains("a_clone_1"));
}

TEST_F(EvolutionTest, ARetiredOrganTakesItsAgentsAlongOrHandsThemOver) {
  EXPECT_EQ(Plan({.op = EvolutionOp::kRetire, .organ_id = "b"})->removed_agents, std::vector<std::string>{"b_agent_0"});
  EXPECT_EQ(Plan({.op = EvolutionOp::kRetire, .organ_id = "b", .migrate_to = "a"})->moves.at("b_agent_0"), "a");
  EXPECT_EQ(ErrorOf({.op = EvolutionOp::kRetire, .organ_id = "b", .migrate_to = "b"}).path, "params.migrate_to");
}

TEST_F(EvolutionTest, TheLastOrganStays) {
  organs.resize(1);
  EXPECT_EQ(ErrorOf({.op = EvolutionOp::kRetire, .organ_id = "a"}).code, ErrorCode::kConflict);
}

TEST_F(EvolutionTest, LimitsHold) {
  settings.max_organs = 2;
  EXPECT_EQ(ErrorOf({.op = EvolutionOp::kClone, .organ_id = "a"}).message, "more than 2 organs");
  settings.max_organs = 3;
  settings.max_agents = 6;
  EXPECT_EQ(ErrorOf({.op = EvolutionOp::kClone, .organ_id = "a"}).message, "more than 6 agents");
}

}  // namespace
}  // namespace seedcore::organism
