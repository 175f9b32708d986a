#include "cognitive/ranking.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cognitive/query.h"

namespace seedcore::cognitive {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

KnowledgeFact Fact(std::string id, std::string text, double score = 0.8) {
  KnowledgeFact fact;
  fact.id = std::move(id);
  fact.text = std::move(text);
  fact.score = score;
  return fact;
}

TEST(FuseRanks, AddsWeightOverRankPlusSixty) {
  const auto fused = FuseRanks({{{"a", "b"}, kTextWeight}, {{"b"}, kVectorWeight}});
  EXPECT_DOUBLE_EQ(fused.at("a"), 0.6 / 60);
  EXPECT_DOUBLE_EQ(fused.at("b"), 0.6 / 61 + 0.4 / 60);
}

TEST(Relevance, IsTheShareOfTheQuestionsWordsUpToSix) {
  EXPECT_EQ(Relevance({}, {"a"}), 0.0);
  EXPECT_DOUBLE_EQ(Relevance({"a", "b"}, {"a", "x"}), 0.5);
  EXPECT_DOUBLE_EQ(Relevance({"1", "2", "3", "4", "5", "6", "7", "8"}, {"1", "2", "3"}), 0.5);
}

TEST(SelectDiverse, PrefersAnotherTextOverANearCopy) {
  const auto selected =
      SelectDiverse({Fact("a", "disk full on node one", 0.9), Fact("b", "disk full on node one again", 0.85),
                     Fact("c", "network cable loose", 0.7)},
                    2);
  ASSERT_THAT(selected, SizeIs(2));
  EXPECT_EQ(selected[0].id, "a");
  EXPECT_EQ(selected[1].id, "c");
}

TEST(SelectDiverse, KeepsFewFactsInOrderOfScore) {
  const auto selected = SelectDiverse({Fact("a", "x", 0.1), Fact("b", "y", 0.9)}, 5);
  EXPECT_EQ(selected[0].id, "b");
}

TEST(KeepWithinBudget, StopsAtTheFirstThatDoesNotFit) {
  std::vector<KnowledgeFact> facts{Fact("a", std::string(350, 'x')), Fact("b", std::string(700, 'x')), Fact("c", "x")};
  EXPECT_EQ(KeepWithinBudget(facts, 200), 100);
  EXPECT_THAT(facts, SizeIs(1));
}

TEST(KeepWithinBudget, LeavesOutWhatIsNotTrusted) {
  std::vector<KnowledgeFact> facts{Fact("a", "x"), Fact("b", "y")};
  facts[0].trust = 0.3;
  KeepWithinBudget(facts, 100);
  EXPECT_EQ(facts.at(0).id, "b");
}

TEST(FindConflicts, SeesNegationAndOtherNumbers) {
  std::vector<KnowledgeFact> facts{Fact("a", "the taxi stand downtown is open"),
                                   Fact("b", "the taxi stand downtown is not open"), Fact("c", "cache limit is 10 MB"),
                                   Fact("d", "cache limit is 20 MB"), Fact("e", "weather was fine")};
  FindConflicts(facts);
  EXPECT_THAT(facts[0].conflict_set, ElementsAre("b"));
  EXPECT_THAT(facts[2].conflict_set, ElementsAre("d"));
  EXPECT_THAT(facts[4].conflict_set, IsEmpty());
}

TEST(MeasureSufficiency, IsAllZeroWithoutFacts) {
  const Sufficiency measured = MeasureSufficiency({});
  EXPECT_EQ(measured.coverage + measured.diversity + measured.agreement + measured.trust_score, 0.0);
}

TEST(MeasureSufficiency, MeasuresEachPart) {
  std::vector<KnowledgeFact> facts{Fact("a", "alpha beta", 0.9), Fact("b", "alpha gamma", 0.2)};
  facts[1].stale = true;
  facts[1].trust = 1.0;
  facts[0].conflict_set = {"b"};
  const Sufficiency measured = MeasureSufficiency(facts);
  EXPECT_DOUBLE_EQ(measured.coverage, 0.5);
  EXPECT_DOUBLE_EQ(measured.staleness_ratio, 0.5);
  EXPECT_DOUBLE_EQ(measured.trust_score, 0.75);
  EXPECT_DOUBLE_EQ(measured.diversity, 1.0 - 1.0 / 3);
  EXPECT_EQ(measured.conflict_count, 1);
  EXPECT_DOUBLE_EQ(measured.agreement, 0.5);
}

TEST(EscalateHint, NeedsTwoFlagsButOneForDemandingKinds) {
  Sufficiency fine{.coverage = 0.9, .diversity = 0.9, .agreement = 1, .trust_score = 0.9};
  EXPECT_FALSE(EscalateHint(TaskType::kTaskPlanning, fine));
  fine.coverage = 0.5;
  EXPECT_TRUE(EscalateHint(TaskType::kTaskPlanning, fine));
  EXPECT_FALSE(EscalateHint(TaskType::kFailureAnalysis, fine));
  fine.trust_score = 0.3;
  EXPECT_TRUE(EscalateHint(TaskType::kFailureAnalysis, fine));
}

TEST(TokenBudget, GrowsWithTheKindAndTheProfile) {
  EXPECT_EQ(TokenBudget(TaskType::kDecisionMaking, Profile::kFast), 1500);
  EXPECT_EQ(TokenBudget(TaskType::kTaskPlanning, Profile::kFast), 2250);
  EXPECT_EQ(TokenBudget(TaskType::kTaskPlanning, Profile::kDeep), 4500);
}

TEST(ExpandQuery, AddsSynonymsAndSingleWords) {
  const auto searches = ExpandQuery("error in the memory");
  EXPECT_EQ(searches.front(), "error memory");
  EXPECT_THAT(searches, Contains("failure memory"));
  EXPECT_THAT(searches, Contains("memory"));
}

TEST(ExpandQuery, IsBoundedAndEmptyWithoutWords) {
  EXPECT_THAT(ExpandQuery("the of and"), IsEmpty());
  EXPECT_LE(ExpandQuery("error performance memory task alpha beta gamma delta epsilon zeta").size(), 8u);
}

TEST(QueryText, LeavesOutTheNumbersOfAnIncident) {
  ReasoningRequest request;
  request.incident_context = {{"error", "timeout in checkout"},
                              {"anomalies", json::array{json::object{{"index", 4711}}}}};
  const std::string query = QueryText(TaskType::kFailureAnalysis, request);
  EXPECT_NE(query.find("checkout"), std::string::npos);
  EXPECT_EQ(query.find("4711"), std::string::npos);
}

}  // namespace
}  // namespace seedcore::cognitive
