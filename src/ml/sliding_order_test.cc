#include "ml/sliding_order.h"

#include <algorithm>
#include <deque>
#include <random>

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

TEST(SlidingOrderTest, HoldsTheLastValuesInOrder) {
  std::mt19937 random(1);
  SlidingOrder order(10);
  std::deque<double> last;
  for (int i = 0; i < 200; ++i) {
    const double value = static_cast<double>(random() % 7);  // many equal ones
    order.Push(value);
    last.push_back(value);
    if (last.size() > 10) last.pop_front();
    std::vector<double> expected(last.begin(), last.end());
    std::ranges::sort(expected);
    ASSERT_EQ(std::vector<double>(order.ascending().begin(), order.ascending().end()), expected);
    EXPECT_EQ(order.Largest(0), expected.back());
    EXPECT_EQ(order.Median(), expected[expected.size() / 2]);
  }
}

}  // namespace
}  // namespace seedcore::ml
