#include "cognitive/rules/cues.h"

#include <gtest/gtest.h>

#include "cognitive/rules/evidence.h"
#include "cognitive/rules/questions.h"

namespace seedcore::cognitive::rules {
namespace {

TEST(ActionInText, TakesTheFirstCueThatIsNotNegated) {
  EXPECT_EQ(ActionInText("Retry it, then escalate"), Action::kRetry);
  EXPECT_EQ(ActionInText("Do not retry; escalate"), Action::kEscalate);
  EXPECT_EQ(ActionInText("we scaled up the workers"), Action::kScaleUp);
  EXPECT_EQ(ActionInText("a household item"), std::nullopt);
}

TEST(ClassifyError, TellsPassingFromLastingFailures) {
  EXPECT_EQ(ClassifyError("upstream: connection reset by peer"), ErrorClass::kTransient);
  EXPECT_EQ(ClassifyError("deadline_exceeded"), ErrorClass::kTransient);
  EXPECT_EQ(ClassifyError("HTTP 503"), ErrorClass::kTransient);
  EXPECT_EQ(ClassifyError("invalid_argument: bad JSON"), ErrorClass::kPermanent);
  EXPECT_EQ(ClassifyError("worker: Out of memory"), ErrorClass::kCapacity);
  EXPECT_EQ(ClassifyError("it broke"), ErrorClass::kUnknown);
}

TEST(ExpectedCause, SeesHolidaysUnlessNegated) {
  EXPECT_EQ(ExpectedCause("Demand drops on Thanksgiving"), "thanksgiving");
  EXPECT_EQ(ExpectedCause("this was no holiday"), std::nullopt);
}

TEST(Leaves, GivePathsAndStopAtTheLimit) {
  const json::object object{
      {"a", {{"b", 1}}}, {"c", json::array{"x", json::object{{"d", true}}}}, {"skip", {{"e", 1}}}};
  const auto leaves = Leaves(object, 10, {"skip"});
  ASSERT_EQ(leaves.size(), 3u);
  EXPECT_EQ(leaves[0].path, "a.b");
  EXPECT_EQ(leaves[1].path, "c[0]");
  EXPECT_EQ(leaves[1].name, "c");
  EXPECT_EQ(leaves[2].path, "c[1].d");
  EXPECT_EQ(Leaves(object, 1).size(), 1u);
}

TEST(Confidence, IsLowWithLittleEvidenceAndWithDisagreement) {
  EXPECT_EQ(Confidence(0, 0), 0.0);
  EXPECT_EQ(Confidence(1, 1), 0.25);
  EXPECT_EQ(Confidence(3, 3), 0.5);
  EXPECT_EQ(Confidence(1.5, 3), 0.25);
  EXPECT_EQ(Confidence(1e9, 1e9), 0.95);
}

TEST(Votes, HoldWithoutAnyEvidence) {
  EXPECT_EQ(Votes().Decide().action, Action::kHold);
  EXPECT_EQ(Votes().Decide().confidence, 0.0);
}

TEST(Votes, AnEvenVoteAsksForALook) {
  Votes votes;
  votes.Add(Action::kRetry, 1, {"a", {"x"}});
  votes.Add(Action::kInvestigate, 1, {"b", {"y"}});
  EXPECT_EQ(votes.Decide().action, Action::kInvestigate);
  EXPECT_EQ(votes.EvidenceFor(Action::kRetry), std::vector<std::string>{"x"});
}

TEST(SplitQuestion, SplitsWhereANewQuestionBegins) {
  const auto parts = SplitQuestion("What time is it and list the failed tasks");
  ASSERT_EQ(parts.questions.size(), 2u);
  EXPECT_EQ(parts.questions[0], "What time is it");
  EXPECT_EQ(parts.questions[1], "list the failed tasks");
  EXPECT_FALSE(parts.in_sequence);
}

TEST(SplitQuestion, SplitsSeveralSentences) {
  EXPECT_EQ(SplitQuestion("What is 2 + 3.5? How many tasks failed? Show the status.").questions.size(), 3u);
}

TEST(SplitQuestion, LeavesLooseAndsTogether) {
  for (const char* text :
       {"What is 2 and 3 added", "list apples and pears", "compute 3 * 4 and 5", "", "hello. what now?"}) {
    EXPECT_EQ(SplitQuestion(text).questions.size(), 1u) << text;
  }
}

TEST(SplitQuestion, SeesThatOnePartNeedsTheOther) {
  EXPECT_TRUE(SplitQuestion("compute 3 * 4, then store it as a fact").in_sequence);
  EXPECT_TRUE(SplitQuestion("find the slowest task and explain that task").in_sequence);
}

TEST(SplitQuestion, KeepsAnEndlessListWhole) {
  std::string text;
  for (int i = 0; i < 20; ++i) text += "what is " + std::to_string(i) + "? ";
  EXPECT_EQ(SplitQuestion(text).questions.size(), 1u);
}

}  // namespace
}  // namespace seedcore::cognitive::rules
