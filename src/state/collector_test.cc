#include "state/collector.h"

#include <gtest/gtest.h>

namespace seedcore::state {
namespace {

StateSource TwoAgents() {
  StateSource source;
  source.agents = [](const CallContext&) -> Result<std::map<std::string, AgentSnapshot>> {
    return std::map<std::string, AgentSnapshot>{{"a", {.h = {1, 0}, .p = {1, 0, 0}, .c = 0.5}},
                                                {"b", {.h = {0, 1}, .p = {0, 1, 0}, .c = 1.0, .mem_util = 0.5}}};
  };
  source.organs = [](const CallContext&) -> Result<std::map<std::string, std::vector<std::string>>> {
    return std::map<std::string, std::vector<std::string>>{{"o", {"a", "b"}}, {"empty", {}}};
  };
  return source;
}

std::vector<std::string> Parts(const std::vector<MissingPart>& missing) {
  std::vector<std::string> parts;
  for (const MissingPart& part : missing) parts.push_back(part.part);
  return parts;
}

TEST(CollectorTest, AnOrganIsTheMeanOfItsAgents) {
  const auto collected = StateCollector(TwoAgents()).Collect({}, {}).value();
  const OrganState& organ = collected.state.organs.at("o");
  EXPECT_EQ(organ.h, (std::vector{0.5, 0.5}));
  EXPECT_EQ(organ.P.size(), 2U);
  EXPECT_EQ(organ.P_agg, (std::vector{0.5, 0.5, 0.0}));
  EXPECT_TRUE(collected.state.organs.at("empty").h.empty());
}

TEST(CollectorTest, TheSystemEmbeddingWeighsAgentsByCapabilityAndMemory) {
  const auto collected = StateCollector(TwoAgents()).Collect({}, {}).value();
  ASSERT_TRUE(collected.state.system);
  EXPECT_EQ(collected.state.system->h_hgnn, (std::vector{0.25, 0.75}));
}

TEST(CollectorTest, WhatHasNoSourceIsAbsentAndSaidSo) {
  const auto collected = StateCollector(TwoAgents()).Collect({}, {}).value();
  EXPECT_FALSE(collected.state.memory);
  EXPECT_FALSE(collected.state.system->host);
  EXPECT_TRUE(collected.state.system->E_patterns.empty());
  EXPECT_EQ(Parts(collected.missing), (std::vector<std::string>{"system.patterns", "system.host", "memory"}));
}

TEST(CollectorTest, AFailingSourceIsNamedWithItsReason) {
  StateSource source = TwoAgents();
  source.memory = [](const CallContext&) -> Result<MemoryState> { return Fail(ErrorCode::kUnavailable, "no Redis"); };
  const auto collected =
      StateCollector(source).Collect({.agent_ids = std::nullopt, .include_system = false}, {}).value();
  ASSERT_EQ(Parts(collected.missing), std::vector<std::string>{"memory"});
  EXPECT_EQ(collected.missing.front().reason, "unavailable: no Redis");
}

TEST(CollectorTest, WhatIsNotAskedForIsNeitherCollectedNorMissing) {
  StateSource source = TwoAgents();
  const StateQuery agents_only{
      .agent_ids = std::nullopt, .include_organs = false, .include_system = false, .include_memory = false};
  const auto collected = StateCollector(source).Collect(agents_only, {}).value();
  EXPECT_EQ(collected.state.agents.size(), 2U);
  EXPECT_TRUE(collected.state.organs.empty());
  EXPECT_TRUE(collected.missing.empty());
}

TEST(CollectorTest, NothingAtAllIsUnavailableRatherThanEmpty) {
  EXPECT_EQ(StateCollector(StateSource{}).Collect({}, {}).error().code, ErrorCode::kUnavailable);
}

TEST(CollectorTest, AChosenAgentComesAloneWhileItsOrganIsWhole) {
  const auto collected = StateCollector(TwoAgents()).Collect({.agent_ids = std::vector<std::string>{"b"}}, {}).value();
  EXPECT_EQ(collected.state.agents.size(), 1U);
  EXPECT_EQ(collected.state.organs.at("o").P.size(), 2U);
}

TEST(CollectorTest, AnUnknownAgentIsNotFound) {
  const auto error = StateCollector(TwoAgents()).Collect({.agent_ids = std::vector<std::string>{"z"}}, {}).error();
  EXPECT_EQ(error.code, ErrorCode::kNotFound);
  EXPECT_EQ(error.path, "agent_ids");
}

TEST(CollectorTest, MemoryUtilizationIsTheMeanOfTheTiersThatReportIt) {
  StateSource source;
  source.memory = [](const CallContext&) -> Result<MemoryState> {
    MemoryState memory;
    memory.mw = {{"used", 1}, {"cap", 4}};
    memory.mlt = {{"used", 3.0}, {"capacity", 4}};
    memory.mfb = {{"incidents", 3}};
    return memory;
  };
  const auto collected = StateCollector(source).Collect({}, {}).value();
  EXPECT_DOUBLE_EQ(collected.state.memory->util_scalar.value(), 0.5);
}

TEST(CollectorTest, TiersWithoutACapacityHaveNoUtilization) {
  StateSource source;
  source.memory = [](const CallContext&) -> Result<MemoryState> { return MemoryState{}; };
  EXPECT_FALSE(StateCollector(source).Collect({}, {}).value().state.memory->util_scalar);
}

}  // namespace
}  // namespace seedcore::state
