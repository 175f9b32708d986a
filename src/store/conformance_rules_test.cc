#include <atomic>
#include <set>
#include <thread>

#include <gmock/gmock.h>

#include "store/conformance.h"

namespace seedcore::store {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

TEST_P(StoreConformance, RulesComeOutAsTheyWerePut) {
  EXPECT_EQ(Must(rules().NewestRules(0)), std::nullopt);
  EXPECT_THAT(Must(rules().RuleVersions()), IsEmpty());
  const RuleVersion put = Must(rules().PutRules({.text = "routing: []\n# Zo\xc3\xab", .note = "first"}, std::nullopt));
  Reopen();
  for (const RuleVersion& got : {put, Must(rules().NewestRules(0)).value(), Must(rules().GetRules(1))}) {
    EXPECT_EQ(got.version, 1);
    EXPECT_EQ(got.text, "routing: []\n# Zo\xc3\xab");
    EXPECT_EQ(got.note, "first");
    EXPECT_EQ(got.created_at, env_.WallNow());
  }
  EXPECT_EQ(CodeOf(rules().GetRules(2)), ErrorCode::kNotFound);
}

TEST_P(StoreConformance, TheNewestRulesAreToldToThoseWhoDoNotKnowThem) {
  Must(rules().PutRules({.text = "one", .note = {}}, std::nullopt));
  Must(rules().PutRules({.text = "two", .note = {}}, std::nullopt));
  EXPECT_EQ(Must(rules().NewestRules(1)).value().text, "two");
  EXPECT_EQ(Must(rules().NewestRules(2)), std::nullopt);
  // A store that was restored from a backup is behind those who have seen more of it.
  EXPECT_EQ(Must(rules().NewestRules(7)).value().version, 2);
}

TEST_P(StoreConformance, RulesThatAreInForceMakeNoNewVersion) {
  EXPECT_EQ(Must(rules().PutRules({.text = std::nullopt, .note = {}}, std::nullopt)).version, 0);
  Must(rules().PutRules({.text = "one", .note = "why"}, 0));
  const RuleVersion again = Must(rules().PutRules({.text = "one", .note = "again"}, 0));
  EXPECT_EQ(again.version, 1);
  EXPECT_EQ(again.note, "why");
  Must(rules().PutRules({.text = std::nullopt, .note = "back to the files"}, 1));
  EXPECT_EQ(Must(rules().PutRules({.text = std::nullopt, .note = {}}, std::nullopt)).version, 2);
  EXPECT_EQ(Must(rules().NewestRules(1)).value().text, std::nullopt);
  EXPECT_EQ(Must(rules().PutRules({.text = "one", .note = {}}, 2)).version, 3);
}

TEST_P(StoreConformance, RulesOfSomeoneWhoHasNotSeenTheNewestAreRefused) {
  EXPECT_EQ(CodeOf(rules().PutRules({.text = "one", .note = {}}, 1)), ErrorCode::kConflict);
  Must(rules().PutRules({.text = "one", .note = {}}, 0));
  EXPECT_EQ(CodeOf(rules().PutRules({.text = "two", .note = {}}, 0)), ErrorCode::kConflict);
  EXPECT_THAT(Must(rules().RuleVersions()), SizeIs(1));
}

TEST_P(StoreConformance, RulesOutOfBoundsAreRefused) {
  const std::string nul("a\0b", 3);
  const std::pair<NewRules, std::string> refused[] = {
      {{.text = std::string(kMaxRuleText + 1, 'x'), .note = {}}, "text"},
      {{.text = nul, .note = {}}, "text"},
      {{.text = "x", .note = std::string(kMaxRuleNote + 1, 'x')}, "note"},
      {{.text = "x", .note = nul}, "note"},
  };
  for (const auto& [given, field] : refused) {
    const auto put = rules().PutRules(given, std::nullopt);
    ASSERT_FALSE(put);
    EXPECT_EQ(put.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(put.error().path, field);
  }
  Must(rules().PutRules({.text = std::string(kMaxRuleText, 'x'), .note = std::string(kMaxRuleNote, 'x')}, 0));
}

TEST_P(StoreConformance, OldRulesAreForgotten) {
  for (int i = 1; i <= kKeptRuleVersions + 2; ++i) {
    Must(rules().PutRules({.text = std::to_string(i), .note = {}}, std::nullopt));
  }
  const auto kept = Must(rules().RuleVersions());
  ASSERT_THAT(kept, SizeIs(kKeptRuleVersions));
  EXPECT_EQ(kept.front().version, kKeptRuleVersions + 2);
  EXPECT_EQ(kept.front().text, std::to_string(kKeptRuleVersions + 2));
  EXPECT_EQ(kept.back().version, 3);
  EXPECT_EQ(CodeOf(rules().GetRules(2)), ErrorCode::kNotFound);
}

TEST_P(StoreConformance, OfManyWhoExpectTheSameVersionOneWins) {
  std::atomic<int> won = 0;
  std::atomic<int> refused = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        const auto put = rules().PutRules({.text = std::to_string(i), .note = {}}, 0);
        if (put) ++won;
        if (!put && put.error().code == ErrorCode::kConflict) ++refused;
      });
    }
  }
  EXPECT_EQ(won, 1);
  EXPECT_EQ(refused, 3);
}

TEST_P(StoreConformance, RulesPutAtOnceAreAllVersions) {
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] { Must(rules().PutRules({.text = std::to_string(i), .note = {}}, std::nullopt)); });
    }
  }
  std::set<std::string> texts;
  for (const RuleVersion& version : Must(rules().RuleVersions())) texts.insert(version.text.value_or(""));
  EXPECT_THAT(texts, ElementsAre("0", "1", "2", "3"));
}

}  // namespace
}  // namespace seedcore::store
