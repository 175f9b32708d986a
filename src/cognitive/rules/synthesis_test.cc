#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cognitive/rules/reasoning_fixture.h"

namespace seedcore::cognitive::rules {
namespace {

using ::testing::HasSubstr;

Synthesis Synthesize(std::string_view fragments, std::string_view goal = "") {
  const auto answer = SynthesizeMemory(
      RequestOf(fmt::format(R"({{"agent_id":"a","memory_fragments":{},"synthesis_goal":"{}"}})", fragments, goal)), {},
      [] { return Result<void>{}; });
  EXPECT_TRUE(answer) << ToString(answer.error());
  if (!answer) return {};
  ExpectTraceable(answer->findings, answer->evidence);
  return *answer;
}

TEST(SynthesizeMemory, QuotesWhatMostFragmentsShare) {
  const Synthesis synthesis = Synthesize(
      R"(["The pump in hall two overheated.","Pump overheated again in hall two.","Hall two: pump overheated at noon.","Lunch was good."])");
  EXPECT_THAT(synthesis.findings.at(0).text, HasSubstr("overheated"));
  EXPECT_GE(synthesis.findings.at(0).evidence.size(), 2u);
  EXPECT_EQ(synthesis.related_patterns.at(0).count, 3);
}

TEST(SynthesizeMemory, CountsValuesThatObjectsShare) {
  const Synthesis synthesis =
      Synthesize(R"([{"severity":"high","host":"a"},{"severity":"high","host":"b"},{"severity":"low","host":"c"}])");
  EXPECT_EQ(synthesis.related_patterns.at(0).pattern, "severity");
  bool found = false;
  for (const Pattern& pattern : synthesis.related_patterns)
    found = found || (pattern.pattern == "severity = high" && pattern.count == 2);
  EXPECT_TRUE(found);
}

TEST(SynthesizeMemory, FragmentsThatAgreeGiveMoreConfidence) {
  const double alike = Synthesize(R"(["disk is full","disk is full today","disk full again"])").confidence_level;
  const double apart = Synthesize(R"(["disk is full","rain in Spain","green paint"])").confidence_level;
  EXPECT_GT(alike, apart);
  EXPECT_EQ(apart, 0.0);
}

TEST(SynthesizeMemory, GoalDrawsTheSentencesNearIt) {
  const std::string fragments = R"(["The weather was fine. Latency of checkout rose."])";
  EXPECT_THAT(Synthesize(fragments, "checkout latency").synthesized_insight, HasSubstr("Latency of checkout"));
  EXPECT_THAT(Synthesize(fragments, "weather").synthesized_insight, HasSubstr("weather"));
}

TEST(SynthesizeMemory, NeedsFragmentsAndNotTooMany) {
  const auto run = [](std::size_t n) {
    ReasoningRequest request;
    request.memory_fragments.assign(n, json::value("x"));
    return SynthesizeMemory(request, {}, [] { return Result<void>{}; });
  };
  EXPECT_EQ(run(0).error().path, "memory_fragments");
  EXPECT_FALSE(run(501));
  EXPECT_TRUE(run(500));
}

TEST(SynthesizeMemory, StopsWhenTheCallIsOver) {
  ReasoningRequest request;
  request.memory_fragments.assign(50, json::value("x"));
  const auto answer =
      SynthesizeMemory(request, {}, []() -> Result<void> { return Fail(ErrorCode::kDeadlineExceeded, "late"); });
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, ErrorCode::kDeadlineExceeded);
}

TEST(SynthesizeMemory, EmptyFragmentsSayNothing) { EXPECT_EQ(Synthesize(R"(["",{}])").synthesized_insight, ""); }

}  // namespace
}  // namespace seedcore::cognitive::rules
