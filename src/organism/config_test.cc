#include "organism/config.h"

#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace seedcore::organism {
namespace {

Error ErrorOf(std::string_view yaml) {
  const auto config = ParseOrganismConfig(yaml);
  EXPECT_FALSE(config);
  return config ? Error{} : config.error();
}

std::string WithOrgans(std::string_view organs) {
  return "seedcore:\n  organism:\n    organ_types:\n" + std::string(organs);
}

TEST(OrganismConfig, TheBuiltInTextIsTheShippedFile) {
  const std::ifstream file(std::string(SEEDCORE_SOURCE_DIR) + "/config/organism.yaml");
  std::ostringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), DefaultOrganismYaml());
}

TEST(OrganismConfig, ShipsThreeOrgansWithTwoAgentsEach) {
  const auto config = DefaultOrganismConfig();
  ASSERT_EQ(config.organs.size(), 3U);
  EXPECT_EQ(config.organs[0].id, "cognitive_organ_1");
  EXPECT_EQ(config.organs[1].id, "actuator_organ_1");
  EXPECT_EQ(config.organs[2].id, "utility_organ_1");
  for (const auto& organ : config.organs) EXPECT_EQ(organ.agent_count, 2);
  EXPECT_EQ(config.default_organ, "utility_organ_1");
  EXPECT_EQ(DefaultRoutes(config).at("execute"), "actuator_organ_1");
}

TEST(OrganismConfig, AMisspeltKeyGetsASuggestion) {
  const Error error = ErrorOf(WithOrgans("      - {id: a, type: Utility, agent_cout: 3}\n"));
  EXPECT_EQ(error.path, "seedcore.organism.organ_types[0].agent_cout");
  EXPECT_EQ(error.message, "unknown key; did you mean agent_count?");
}
TEST(OrganismConfig, ANumberOutOfRangeIsRefused) {
  EXPECT_EQ(ErrorOf(WithOrgans("      - {id: a, type: Utility, agent_count: 0}\n")).message,
            "expected an integer from 1 to 64");
}
TEST(OrganismConfig, TwoOrgansMayNotShareAnId) {
  EXPECT_EQ(ErrorOf(WithOrgans("      - {id: a, type: U}\n      - {id: a, type: U}\n")).message, "two organs called a");
}
TEST(OrganismConfig, TwoOrgansMayNotShareATaskType) {
  EXPECT_EQ(
      ErrorOf(WithOrgans("      - {id: a, type: U, task_types: [x]}\n      - {id: b, type: U, task_types: [x]}\n"))
          .message,
      "task type x is listed by two organs");
}
TEST(OrganismConfig, TheDefaultOrganMustExist) {
  EXPECT_EQ(ErrorOf("seedcore: {organism: {default_organ: z, organ_types: [{id: a, type: U}]}}").path,
            "seedcore.organism.default_organ");
}
TEST(OrganismConfig, WhatIsNotYamlIsMalformed) { EXPECT_EQ(ErrorOf("a: [").code, ErrorCode::kMalformed); }
TEST(OrganismConfig, AnEmptyFileIsRefused) { EXPECT_EQ(ErrorOf("").code, ErrorCode::kInvalidArgument); }
TEST(OrganismConfig, NoOrgansAreRefused) {
  EXPECT_EQ(ErrorOf("seedcore: {organism: {organ_types: []}}").path, "seedcore.organism.organ_types");
}

}  // namespace
}  // namespace seedcore::organism
