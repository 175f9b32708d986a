#include "organism/executors/intent.h"

#include <gtest/gtest.h>

namespace seedcore::organism {
namespace {

std::string ToolOf(std::string_view question) {
  const auto intents = RecognizeIntents(question);
  std::string tools;
  for (const Intent& intent : intents) tools += (tools.empty() ? "" : "+") + intent.tool;
  return tools;
}

std::string ExpressionOf(std::string_view question) {
  const auto intents = RecognizeIntents(question);
  if (intents.size() != 1 || intents[0].tool != "calculate") return "(" + ToolOf(question) + ")";
  return std::string(intents[0].arguments.at("expression").as_string());
}

TEST(Intent, TimeIsRecognized) {
  for (const auto* question :
       {"What time is it?", "time", "tell me the current time please", "utc now", "What's the time"}) {
    EXPECT_EQ(ToolOf(question), "time") << question;
  }
}
TEST(Intent, DateIsRecognized) {
  for (const auto* question : {"What's today's date?", "what day is it today", "date", "which year is it"}) {
    EXPECT_EQ(ToolOf(question), "date") << question;
  }
}
TEST(Intent, AWordInsideAnotherIsNotThatWord) {
  EXPECT_EQ(ToolOf("sometimes I wonder"), "");
  EXPECT_EQ(ToolOf("update the record"), "");
  EXPECT_EQ(ToolOf("a statuse of liberty"), "");
}
TEST(Intent, AQuestionWithAWordTooManyIsNotAnswered) {
  EXPECT_EQ(ToolOf("what time is it in Tokyo"), "");
  EXPECT_EQ(ToolOf("what is the release date of the report"), "");
}
TEST(Intent, StatusIsRecognized) {
  for (const auto* question :
       {"system status", "How are you?", "are you working", "is the system healthy", "cpu load"}) {
    EXPECT_EQ(ToolOf(question), "system_status") << question;
  }
}
TEST(Intent, SeveralAtOnceGiveSeveralTools) { EXPECT_EQ(ToolOf("what is the current date and time"), "time+date"); }

TEST(Intent, ArithmeticIsFoundBehindWords) {
  EXPECT_EQ(ExpressionOf("What is 12 * (3 + 4)?"), "12 * (3 + 4)");
  EXPECT_EQ(ExpressionOf("calculate sqrt(16) = "), "sqrt(16)");
  EXPECT_EQ(ExpressionOf("please compute the value of 2^10"), "2^10");
  EXPECT_EQ(ExpressionOf("1+1"), "1+1");
}
TEST(Intent, SpelledOutOperatorsAreUnderstood) {
  EXPECT_EQ(ExpressionOf("what is 6 times 7 plus 1"), "6 * 7 + 1");
  EXPECT_EQ(ExpressionOf("how much is 9 divided by 4"), "9 / 4");
}
TEST(Intent, ABadExpressionIsStillMeantAsOne) { EXPECT_EQ(ExpressionOf("calculate 3 +* 4"), "3 +* 4"); }
TEST(Intent, ANumberInATextIsNoArithmetic) { EXPECT_EQ(ToolOf("what happened in hall 4"), ""); }

TEST(Intent, TasksAreLookedUpByStateAndText) {
  const auto intents = RecognizeIntents("How many tasks are failed?");
  ASSERT_EQ(intents.size(), 1U);
  EXPECT_EQ(intents[0].tool, "task_search");
  EXPECT_EQ(intents[0].arguments.at("status").as_string(), "failed");
  EXPECT_FALSE(intents[0].arguments.contains("text"));
  EXPECT_EQ(RecognizeIntents("find tasks about pumps")[0].arguments.at("text").as_string(), "pumps");
}
TEST(Intent, FactsAreLookedUpByTheRemainingWords) {
  const auto intents = RecognizeIntents("Find facts about the pump in hall 4");
  ASSERT_EQ(intents.size(), 1U);
  EXPECT_EQ(intents[0].tool, "fact_search");
  EXPECT_EQ(intents[0].arguments.at("query").as_string(), "pump hall 4");
}

}  // namespace
}  // namespace seedcore::organism
