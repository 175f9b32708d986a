#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cognitive/checks.h"
#include "cognitive/rules/reasoning_fixture.h"

namespace seedcore::cognitive::rules {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

Solution Solve(std::string_view members, const Knowledge& knowledge = {}) {
  const auto answer = SolveProblem(RequestOf(R"({"agent_id":"a",)" + std::string(members) + "}"), knowledge);
  EXPECT_TRUE(answer) << ToString(answer.error());
  if (!answer) return {};
  const auto checked = CheckOutput(TaskType::kProblemSolving, *answer);
  EXPECT_TRUE(checked) << ToString(checked.error());
  ExpectTraceable(answer->findings, answer->evidence);
  return *answer;
}

constexpr std::string_view kProblem = R"("problem_statement":"Checkout is slow. Customers get no mail.")";

TEST(SolveProblem, GivesEachDemandTheToolThatFits) {
  const Solution solution =
      Solve(std::string(kProblem) +
            R"(,"available_tools":{"profiler":"finds slow code in checkout","mailer":"sends mail to customers"})");
  ASSERT_EQ(solution.solution_steps.size(), 3u);
  EXPECT_EQ(solution.solution_steps[1].task.params.at("tool").as_string(), "profiler");
  EXPECT_EQ(solution.solution_steps[2].task.params.at("tool").as_string(), "mailer");
}

TEST(SolveProblem, LooksForFactsFirstWhenNoneAreKnown) {
  const Solution solution = Solve(kProblem);
  EXPECT_EQ(solution.solution_steps[0].task.type, "fact_search");
  EXPECT_THAT(solution.solution_steps[1].depends_on, ElementsAre("step_1"));
  EXPECT_EQ(solution.confidence, 0.0);
}

TEST(SolveProblem, BuildsOnKnownFactsAndResolvedIncidents) {
  Knowledge knowledge;
  knowledge.facts = {FactOf("f1", "Checkout is slow when the cache is cold")};
  knowledge.incidents = {{.id = "i1",
                          .salience = 0.9,
                          .similarity = 0.8,
                          .text = "slow checkout",
                          .event_data = {{"resolution", "warmed the cache"}}}};
  const Solution solution = Solve(kProblem, knowledge);
  EXPECT_THAT(solution.solution_approach, HasSubstr("warmed the cache"));
  EXPECT_NE(solution.solution_steps[0].task.type, "fact_search");
  EXPECT_GT(solution.confidence, 0.0);
}

TEST(SolveProblem, SaysWhatNoToolFits) {
  EXPECT_THAT(Solve(kProblem).solution_approach,
              HasSubstr("No tool fits: Checkout is slow. and Customers get no mail."));
}

TEST(SolveProblem, ConstraintsBecomeMeasures) {
  const Solution solution =
      Solve(std::string(kProblem) + R"(,"constraints":{"latency_ms":200,"min_success_rate":0.99,"region":"eu"})");
  EXPECT_EQ(solution.success_metrics.at(0).text, "latency_ms is at most 200.");
  EXPECT_EQ(solution.success_metrics.at(1).text, "min_success_rate is at least 0.99.");
  EXPECT_EQ(solution.success_metrics.at(2).text, "region stays eu.");
  EXPECT_THAT(solution.success_metrics.at(0).evidence, ElementsAre("context:constraints.latency_ms"));
}

TEST(SolveProblem, NeedsAProblem) {
  EXPECT_EQ(SolveProblem(RequestOf(R"({"agent_id":"a"})"), {}).error().path, "problem_statement");
}

}  // namespace
}  // namespace seedcore::cognitive::rules
