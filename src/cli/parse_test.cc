#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command.h"

namespace seedcore::cli {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

Parsed ParseWords(std::vector<const char*> words) {
  words.insert(words.begin(), "seedcore");
  return Parse(static_cast<int>(words.size()), words.data());
}

TEST(Parse, WordsAfterTheFirstArgumentGoToTheOneThatTakesMany) {
  const Parsed parsed = ParseWords({"facts", "add", "the", "sky", "is", "blue", "--tag", "sky", "--tag", "color"});
  ASSERT_NE(parsed.command, nullptr) << parsed.text;
  EXPECT_EQ(parsed.arguments.Get("ACTION"), "add");
  EXPECT_THAT(parsed.arguments.All("TEXT"), ElementsAre("the", "sky", "is", "blue"));
  EXPECT_THAT(parsed.arguments.All("tag"), ElementsAre("sky", "color"));
}

TEST(Parse, AWordTooManyIsRefused) {
  EXPECT_EQ(ParseWords({"cancel", "first", "second"}).exit_code, kExitUsage);
  EXPECT_EQ(ParseWords({"submit", "general_query", "what", "time"}).exit_code, kExitUsage);
}

TEST(Parse, AnOptionGivenTwiceCountsLast) {
  const Parsed parsed = ParseWords({"tasks", "--limit", "5", "--limit", "7"});
  ASSERT_NE(parsed.command, nullptr) << parsed.text;
  EXPECT_EQ(*parsed.arguments.Number("limit", 0), 7);
}

TEST(Parse, AnUnknownCommandGetsASuggestion) {
  const Parsed parsed = ParseWords({"sumbit", "x"});
  EXPECT_EQ(parsed.command, nullptr);
  EXPECT_EQ(parsed.exit_code, kExitUsage);
  EXPECT_THAT(parsed.text, HasSubstr("did you mean 'submit'"));
}

TEST(Parse, HelpIsNoError) {
  EXPECT_EQ(ParseWords({"--help"}).exit_code, kExitOk);
  EXPECT_EQ(ParseWords({"submit", "--help"}).exit_code, kExitOk);
}

TEST(Completion, KnowsTheFlagsOfSettings) {
  EXPECT_THAT(*CompletionScript("bash"), HasSubstr("--data-dir"));
  EXPECT_THAT(*CompletionScript("zsh"), HasSubstr("--data-dir"));
  EXPECT_FALSE(CompletionScript("fish"));
}

}  // namespace
}  // namespace seedcore::cli
