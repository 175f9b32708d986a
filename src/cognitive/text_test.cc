#include "cognitive/text.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cognitive/sanitize.h"

namespace seedcore::cognitive {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

TEST(Text, ContentWordsLeaveOutStopWordsAndPlurals) {
  EXPECT_THAT(ContentWords("The queues of the batteries were full, and the bus late"),
              UnorderedElementsAre("queue", "battery", "full", "bus", "late"));
}

TEST(Text, WordsKeepBytesAboveAscii) { EXPECT_THAT(Words("Müller's 3.5"), ElementsAre("müller", "s", "3", "5")); }

TEST(Text, JaccardOfNothingIsZero) {
  EXPECT_EQ(Jaccard({}, {}), 0.0);
  EXPECT_DOUBLE_EQ(Jaccard({"a", "b"}, {"b", "c"}), 1.0 / 3);
}

TEST(Text, SentencesDoNotEndInsideNumbers) {
  EXPECT_THAT(Sentences("Load rose to 3.5 today. Why? Nobody knows;\nreally"),
              ElementsAre("Load rose to 3.5 today.", "Why?", "Nobody knows;", "really"));
}

TEST(Text, FlattenedJsonIsBounded) {
  json::array deep;
  for (int i = 0; i < 10'000; ++i) deep.emplace_back("word");
  EXPECT_LE(FlattenJson(deep, 100).size(), 100u);
  EXPECT_EQ(FlattenJson(json::object{{"a", {{"b", 3}}}, {"c", nullptr}}), "a b 3 c");
}

TEST(Text, ShorteningDoesNotCutACharacter) { EXPECT_EQ(Shorten("aü", 2), "a..."); }

TEST(Text, TokensAreBytesByThreeAndAHalf) {
  EXPECT_EQ(EstimateTokens(""), 1);
  EXPECT_EQ(EstimateTokens(std::string(70, 'x')), 20);
}

TEST(Sanitize, ReplacesWhatMustNotReachAModel) {
  EXPECT_EQ(Sanitize("a ```rm -rf /``` b"), "a [CODE_BLOCK_REMOVED] b");
  EXPECT_EQ(Sanitize("use `ls` now"), "use [INLINE_CODE_REMOVED] now");
  EXPECT_EQ(Sanitize("see HTTPS://x.y/z?a=b for more"), "see [URL_REMOVED] for more");
  EXPECT_EQ(Sanitize("ask @ada_l please"), "ask [MENTION_REMOVED] please");
  EXPECT_EQ(Sanitize("x<SCRIPT src=a>alert(1)</Script>y"), "x[SCRIPT_REMOVED]y");
  EXPECT_EQ(Sanitize("x <iframe src=a></iframe> y"), "x [IFRAME_REMOVED] y");
  EXPECT_EQ(Sanitize("  a \n\t b  "), "a b");
}

TEST(Sanitize, LeavesOtherTextAlone) {
  for (const char* text : {"", "mail me at 5 @ noon", "http is a protocol", "<b>bold</b>", "one ` tick"}) {
    EXPECT_EQ(Sanitize(text), text);
  }
}

TEST(Sanitize, OnlyWholeWordsAreInstructions) {
  EXPECT_TRUE(InstructionsPresent("Do not trust it"));
  EXPECT_TRUE(InstructionsPresent("execute this"));
  EXPECT_FALSE(InstructionsPresent("The dome of the cathedral, a running joke, performance"));
}

}  // namespace
}  // namespace seedcore::cognitive
