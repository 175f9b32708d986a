#include "organism/selection.h"

#include <vector>

#include <gtest/gtest.h>

namespace seedcore::organism {
namespace {

TEST(Selection, TheLowestScoreWins) {
  const std::vector<Candidate> agents = {{"a", 0.5, 0.5, 0, 1}, {"b", 0.2, 0.5, 0, 1}, {"c", 0.3, 0.5, 0, 1}};
  EXPECT_EQ(SelectAgent(agents, 0.0), 1U);
}
TEST(Selection, ABusyAgentIsPassedOver) {
  const std::vector<Candidate> agents = {{"a", 0.5, 0.5, 0, 1}, {"b", 0.2, 0.5, 2, 2}};
  EXPECT_EQ(SelectAgent(agents, 0.0), 0U);
}
TEST(Selection, AnAgentThatIsNotCapableEnoughIsPassedOver) {
  const std::vector<Candidate> agents = {{"a", 0.1, 0.4, 0, 1}, {"b", 0.2, 0.6, 0, 1}};
  EXPECT_EQ(SelectAgent(agents, 0.5), 1U);
}
TEST(Selection, OfEqualScoresTheLessBusyWins) {
  const std::vector<Candidate> agents = {{"a", 0.2, 0.5, 1, 4}, {"b", 0.2, 0.5, 0, 4}};
  EXPECT_EQ(SelectAgent(agents, 0.0), 1U);
}
TEST(Selection, AFullTieGoesToTheFirstById) {
  const std::vector<Candidate> agents = {{"b", 0.2, 0.5, 0, 1}, {"a", 0.2, 0.5, 0, 1}};
  EXPECT_EQ(SelectAgent(agents, 0.0), 1U);
}
TEST(Selection, NobodyFreeGivesNobody) {
  const std::vector<Candidate> agents = {{"a", 0.2, 0.5, 1, 1}};
  EXPECT_EQ(SelectAgent(agents, 0.0), std::nullopt);
  EXPECT_EQ(SelectAgent({}, 0.0), std::nullopt);
}

}  // namespace
}  // namespace seedcore::organism
