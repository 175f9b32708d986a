#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command.h"

namespace seedcore::cli {
namespace {

using ::testing::HasSubstr;

template <std::size_t N>
Parsed ParseWords(const std::array<const char*, N>& words) {
  return Parse(static_cast<int>(N), words.data());
}

TEST(Parse, FindsACommandInAGroup) {
  const Parsed parsed = ParseWords(std::array{"seedcore", "ray", "plan", "--address", "ray://h:10001", "--json"});
  ASSERT_NE(parsed.command, nullptr) << parsed.text;
  EXPECT_EQ(parsed.command->name, "ray plan");
  EXPECT_EQ(parsed.arguments.Get("address"), "ray://h:10001");
  EXPECT_TRUE(parsed.arguments.Has("json"));
}

TEST(Parse, AGroupAloneIsAUsageError) {
  const Parsed parsed = ParseWords(std::array{"seedcore", "ray"});
  EXPECT_EQ(parsed.command, nullptr);
  EXPECT_EQ(parsed.exit_code, kExitUsage);
}

TEST(Parse, TheHelpOfAGroupListsItsCommands) {
  const Parsed parsed = ParseWords(std::array{"seedcore", "serve", "--help"});
  EXPECT_EQ(parsed.exit_code, kExitOk);
  EXPECT_THAT(parsed.text, HasSubstr("deploy"));
  EXPECT_THAT(parsed.text, HasSubstr("status"));
}

TEST(Parse, ACommandOutsideOfGroupsIsFoundAsBefore) {
  const Parsed parsed = ParseWords(std::array{"seedcore", "task", "abc"});
  ASSERT_NE(parsed.command, nullptr) << parsed.text;
  EXPECT_EQ(parsed.command->name, "task");
  EXPECT_EQ(parsed.arguments.Get("ID"), "abc");
}

TEST(Parse, AnActionDoesNotTakeTheWordsThatFollowIt) {
  const Parsed parsed = ParseWords(std::array{"seedcore", "facts", "add", "water", "is", "wet"});
  ASSERT_NE(parsed.command, nullptr) << parsed.text;
  EXPECT_EQ(parsed.arguments.Get("ACTION"), "add");
  EXPECT_THAT(parsed.arguments.All("TEXT"), ::testing::ElementsAre("water", "is", "wet"));
}

TEST(Parse, AnOptionTakesOneValueAtATime) {
  const Parsed parsed = ParseWords(
      std::array{"seedcore", "facts", "add", "--tag", "a", "water", "--tag", "b", "--api", "http://h:1", "is"});
  ASSERT_NE(parsed.command, nullptr) << parsed.text;
  EXPECT_THAT(parsed.arguments.All("tag"), ::testing::ElementsAre("a", "b"));
  EXPECT_THAT(parsed.arguments.All("TEXT"), ::testing::ElementsAre("water", "is"));
  EXPECT_EQ(parsed.arguments.Get("api"), "http://h:1");
}

TEST(Parse, TheLastOfAnOptionGivenTwiceCounts) {
  const Parsed parsed = ParseWords(std::array{"seedcore", "tasks", "--limit", "1", "--limit", "2"});
  ASSERT_NE(parsed.command, nullptr) << parsed.text;
  EXPECT_EQ(parsed.arguments.All("limit"), std::vector<std::string>{"2"});
}

TEST(Parse, WhatFollowsTwoDashesIsNoOption) {
  const Parsed parsed = ParseWords(std::array{"seedcore", "ray", "jobs", "submit", "--", "python", "-m", "app"});
  ASSERT_NE(parsed.command, nullptr) << parsed.text;
  EXPECT_THAT(parsed.arguments.All("ID"), ::testing::ElementsAre("python", "-m", "app"));
}

TEST(Parse, EveryGroupHasASummary) {
  for (const Command& command : Commands()) {
    if (command.Group().empty()) continue;
    EXPECT_FALSE(GroupSummary(command.Group()).empty()) << command.name;
  }
}

TEST(Completion, OffersTheCommandsOfAGroupAfterItsName) {
  for (const char* shell : {"bash", "zsh"}) {
    const auto script = CompletionScript(shell);
    ASSERT_TRUE(script);
    EXPECT_THAT(*script, HasSubstr("ray) "));
    EXPECT_THAT(*script, HasSubstr("plan) "));
    EXPECT_THAT(*script, ::testing::Not(HasSubstr("ray plan)")));
  }
}

TEST(Parse, AWordTooManyIsRefused) {
  EXPECT_EQ(ParseWords(std::array{"seedcore", "cancel", "first", "second"}).exit_code, kExitUsage);
  EXPECT_EQ(ParseWords(std::array{"seedcore", "submit", "general_query", "what", "time"}).exit_code, kExitUsage);
}

TEST(Parse, AnUnknownCommandGetsASuggestion) {
  const Parsed parsed = ParseWords(std::array{"seedcore", "sumbit", "x"});
  EXPECT_EQ(parsed.command, nullptr);
  EXPECT_EQ(parsed.exit_code, kExitUsage);
  EXPECT_THAT(parsed.text, HasSubstr("did you mean 'submit'"));
}

TEST(Parse, HelpIsNoError) {
  EXPECT_EQ(ParseWords(std::array{"seedcore", "--help"}).exit_code, kExitOk);
  EXPECT_EQ(ParseWords(std::array{"seedcore", "submit", "--help"}).exit_code, kExitOk);
}

TEST(Completion, KnowsTheFlagsOfSettings) {
  EXPECT_THAT(*CompletionScript("bash"), HasSubstr("--data-dir"));
  EXPECT_THAT(*CompletionScript("zsh"), HasSubstr("--data-dir"));
  EXPECT_FALSE(CompletionScript("fish"));
}

}  // namespace
}  // namespace seedcore::cli
