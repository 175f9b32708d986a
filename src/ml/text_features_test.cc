#include "ml/text_features.h"

#include <cmath>
#include <string>

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

TEST(TextFeaturesTest, EqualTextsAreEqualAndOfUnitLength) {
  const TextVector vector = FeaturizeText("Check the taxi demand");
  EXPECT_EQ(vector, FeaturizeText("Check the taxi demand"));
  EXPECT_NEAR(Cosine(vector, vector), 1.0, 1e-6);
}

TEST(TextFeaturesTest, TheHashIsTheSameOnEveryMachine) {
  EXPECT_EQ(StableHash("seedcore"), StableHash("seedcore"));
  EXPECT_NE(StableHash("seedcore"), StableHash("seedcore", 1));
  EXPECT_EQ(StableHash(""), 0xefd01f60ba992926ULL);
}

TEST(TextFeaturesTest, CaseAndPunctuationDoNotMatter) {
  EXPECT_EQ(FeaturizeText("Check the taxi demand!"), FeaturizeText("check, the: TAXI demand"));
}

TEST(TextFeaturesTest, NumbersAndIdsAreAllTheSame) {
  EXPECT_EQ(FeaturizeText("window 17 of run a1b2"), FeaturizeText("window 2014 of run c3d4"));
}

TEST(TextFeaturesTest, RelatedTextsAreNearerThanUnrelatedOnes) {
  const TextVector base = FeaturizeText("analyze taxi demand in Manhattan");
  const double related = Cosine(base, FeaturizeText("analyze the taxi demand near the airport"));
  const double unrelated = Cosine(base, FeaturizeText("pay the invoice of the steel supplier"));
  EXPECT_GT(related, 0.4);
  EXPECT_LT(unrelated, 0.25);
}

TEST(TextFeaturesTest, WordFormsShareTrigrams) {
  EXPECT_GT(Cosine(FeaturizeText("detecting anomalies"), FeaturizeText("detect anomaly")), 0.15);
}

TEST(TextFeaturesTest, NoWordsGiveNoVector) {
  EXPECT_EQ(FeaturizeText(""), TextVector{});
  EXPECT_EQ(FeaturizeText("... !? --"), TextVector{});
  EXPECT_EQ(Cosine(FeaturizeText(""), FeaturizeText("word")), 0.0);
}

TEST(TextFeaturesTest, OnlyTheFirstCharactersCount) {
  const std::string start(kMaxTextCharacters - 1, 'a');
  EXPECT_EQ(FeaturizeText(start + " zebra"), FeaturizeText(start + " giraffe"));
}

TEST(TextFeaturesTest, CharactersOfSeveralBytesAreNotCut) {
  std::string text;
  for (std::size_t i = 0; i < kMaxTextCharacters; ++i) text += "\u00e9";
  EXPECT_EQ(FeaturizeText(text), FeaturizeText(text + "\u00e9"));
}

}  // namespace
}  // namespace seedcore::ml
