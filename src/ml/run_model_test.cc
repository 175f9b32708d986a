#include "ml/run_model.h"

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

TEST(RunModelTest, ConstantSeriesHardlySurprises) {
  RunModel runs;
  for (int i = 0; i < 10000; ++i) EXPECT_LT(runs.Observe(i > 0).surprise, 2.7);
}

TEST(RunModelTest, RepeatsSurpriseWhereValuesNeverRepeat) {
  RunModel runs;
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(runs.Observe(false).surprise, 0.0);
  EXPECT_NEAR(runs.Observe(true).surprise, 2.2, 0.1);
  EXPECT_GT(runs.Observe(true).surprise, 4.0);
  const RunView third = runs.Observe(true);
  EXPECT_EQ(third.length, 3.0);
  EXPECT_EQ(third.longest_before, 0.0);
}

TEST(RunModelTest, OnlyTheLongestRunSurprises) {
  RunModel runs;
  for (int i = 0; i < 1000; ++i) runs.Observe(i % 20 >= 15);
  runs.Observe(false);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(runs.Observe(true).surprise, 0.0);
}

}  // namespace
}  // namespace seedcore::ml
