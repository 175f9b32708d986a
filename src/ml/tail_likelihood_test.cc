#include "ml/tail_likelihood.h"

#include <cmath>

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

/// A tail that has learnt the quantiles of the Pareto distribution P(x) = 1/x.
TailLikelihood LearntPareto(int size) {
  TailLikelihood tail;
  for (int i = 0; i < size; ++i) tail.Learn(static_cast<double>(size) / (i + 0.5));
  return tail;
}

TEST(TailLikelihoodTest, KnowsNothingAtFirst) {
  TailLikelihood tail;
  EXPECT_EQ(tail.Surprise(1e9), 0.0);
  for (int i = 0; i < 7; ++i) tail.Learn(1.0);
  EXPECT_EQ(tail.Surprise(1e9), 0.0);
  EXPECT_EQ(tail.count(), 7U);
}

TEST(TailLikelihoodTest, GivesTailProbabilityOfKnownDistribution) {
  const TailLikelihood tail = LearntPareto(10000);
  EXPECT_NEAR(tail.Surprise(2.0), std::log10(2.0), 0.05);
  EXPECT_NEAR(tail.Surprise(10.0), 1.0, 0.05);
  EXPECT_NEAR(tail.Surprise(100.0), 2.0, 0.2);
  EXPECT_NEAR(tail.Surprise(1e5), 5.0, 1.0);
}

TEST(TailLikelihoodTest, GrowsWithEvidenceUpToItsSample) {
  const TailLikelihood tail = LearntPareto(1000);
  double last = 0.0;
  for (double evidence = 0.5; evidence < 1e15; evidence *= 1.1) {
    const double surprise = tail.Surprise(evidence);
    EXPECT_GE(surprise, last);
    last = surprise;
  }
  EXPECT_NEAR(last, std::log10(1001.0) + 2.0, 1e-9);
}

TEST(TailLikelihoodTest, AllEqualEvidenceIsUnsurprising) {
  TailLikelihood tail;
  for (int i = 0; i < 1000; ++i) tail.Learn(0.0);
  EXPECT_LT(tail.Surprise(0.0), 0.1);
  EXPECT_GT(tail.Surprise(1.0), 3.0);
}

}  // namespace
}  // namespace seedcore::ml
