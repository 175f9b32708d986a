#include <algorithm>
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

TEST(Parse, AWordThatIsNoCommandOfAGroupGetsASuggestion) {
  const Parsed parsed = ParseWords(std::array{"seedcore", "ray", "plam"});
  EXPECT_EQ(parsed.exit_code, kExitUsage);
  EXPECT_EQ(parsed.text,
            "seedcore: there is no command 'ray plam'; did you mean 'ray plan'. `seedcore ray --help` lists them\n");
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

TEST(Parse, WhatIsMissingIsOneLineWithTheHelpThatNamesIt) {
  EXPECT_EQ(ParseWords(std::array{"seedcore", "submit"}).text,
            "seedcore: TYPE is required. `seedcore submit --help` says more\n");
  EXPECT_EQ(ParseWords(std::array{"seedcore", "ray", "call", "actor"}).text,
            "seedcore: METHOD is required. `seedcore ray call --help` says more\n");
  EXPECT_EQ(ParseWords(std::array{"seedcore", "ray"}).text,
            "seedcore: A subcommand is required. `seedcore ray --help` says more\n");
  const Parsed unknown = ParseWords(std::array{"seedcore", "submit", "x", "--no-such-option"});
  EXPECT_THAT(unknown.text, HasSubstr("--no-such-option"));
  EXPECT_EQ(std::ranges::count(unknown.text, '\n'), 1);
}

TEST(Parse, AnUnknownCommandGetsASuggestion) {
  const Parsed parsed = ParseWords(std::array{"seedcore", "sumbit", "x"});
  EXPECT_EQ(parsed.command, nullptr);
  EXPECT_EQ(parsed.exit_code, kExitUsage);
  EXPECT_THAT(parsed.text, HasSubstr("did you mean 'submit'"));
  EXPECT_THAT(ParseWords(std::array{"seedcore", "rya"}).text, HasSubstr("did you mean 'ray'"));
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
