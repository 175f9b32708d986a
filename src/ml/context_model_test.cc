#include "ml/context_model.h"

#include <cmath>

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

TEST(RankCoderTest, CodesRanksAndRecords) {
  RankCoder coder;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(coder.Code(i), 0U) << "too few values yet";
  EXPECT_EQ(coder.Code(100.0), 9U);
  EXPECT_EQ(coder.Code(-1.0), 8U);
  EXPECT_EQ(coder.Code(0.0), 1U);
  EXPECT_EQ(coder.Code(9.0), 7U);
}

TEST(RankCoderTest, ConstantSeriesIsInTheMiddle) {
  RankCoder coder;
  for (int i = 0; i < 10; ++i) coder.Code(3.0);
  for (int i = 0; i < 3000; ++i) ASSERT_EQ(coder.Code(3.0), 4U);
}

TEST(RankCoderTest, ForgetsOldValues) {
  RankCoder coder;
  coder.Code(1e6);
  for (std::size_t i = 0; i < RankCoder::kWindow; ++i) coder.Code(static_cast<double>(i % 10));
  EXPECT_EQ(coder.Code(1e5), 9U);
}

TEST(ContextModelTest, LearnsSequence) {
  ContextModel model;
  double surprise = 0.0;
  for (std::size_t i = 0; i < 400; ++i) surprise = model.Observe(i % 4);
  EXPECT_LT(surprise, 0.3);
  EXPECT_GT(model.Observe(3), 5.0) << "0 was due";
}

TEST(ContextModelTest, FirstSymbolIsUniform) {
  ContextModel model;
  EXPECT_NEAR(model.Observe(7), std::log2(10.0), 1e-6);
}

TEST(SymbolDivergenceTest, SeesChangedDistribution) {
  SymbolDivergence divergence;
  std::optional<double> value;
  for (std::size_t i = 0; i < 98; ++i) EXPECT_FALSE(divergence.Observe(i % 4).has_value());
  for (std::size_t i = 98; i < 1000; ++i) value = divergence.Observe(i % 4);
  EXPECT_LT(*value, 0.05);
  for (std::size_t i = 0; i < 48; ++i) value = divergence.Observe(1);
  EXPECT_NEAR(*value, std::log(4.0), 0.05);
}

}  // namespace
}  // namespace seedcore::ml
