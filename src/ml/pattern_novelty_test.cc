#include "ml/pattern_novelty.h"

#include <gtest/gtest.h>

namespace seedcore::ml {
namespace {

TEST(DoublingGridTest, MergedCellsStillHoldTheirValues) {
  DoublingGrid grid;
  grid.Cover(1.0);
  grid.Cover(9.0);
  grid.Cover(-4.0);
  const double values[] = {-3.0, 0.0, 1.0, 2.5, 8.0};
  for (const double far : {12.0, 30.0, -200.0, 1e6, -1e300}) {
    std::size_t before[5];
    for (std::size_t i = 0; i < 5; ++i) before[i] = grid.Cell(values[i]);
    const auto moved = grid.Cover(far);
    if (!moved) continue;
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ((*moved)[before[i]], grid.Cell(values[i]));
  }
}

TEST(DoublingGridTest, CoveredValueChangesNothing) {
  DoublingGrid grid;
  grid.Cover(0.0);
  EXPECT_TRUE(grid.Cover(5.0).has_value());
  EXPECT_FALSE(grid.Cover(4.0).has_value());
  EXPECT_EQ(grid.Cell(1e9), DoublingGrid::kLevels - 1);
  EXPECT_EQ(grid.Cell(-1e9), 0U);
}

TEST(PatternNoveltyTest, NewLevelSurprisesOnceOnly) {
  PatternNovelty novelty;
  ValueHistory history(32);
  NoveltyView view;
  for (int i = 0; i < 500; ++i) {
    history.Push(i % 2 == 0 ? 0.0 : 10.0);
    view = novelty.Observe(history, std::nullopt);
  }
  EXPECT_EQ(view.surprise, 0.0);
  history.Push(5.0);
  view = novelty.Observe(history, std::nullopt);
  EXPECT_TRUE(view.new_level);
  EXPECT_GT(view.surprise, 6.0);
  for (int i = 0; i < 10; ++i) {
    history.Push(5.0);
    view = novelty.Observe(history, std::nullopt);
    EXPECT_FALSE(view.new_level);
  }
  EXPECT_LT(view.surprise, 6.0);
}

TEST(PatternNoveltyTest, KnownLevelInNewOrderIsNovel) {
  PatternNovelty novelty;
  ValueHistory history(32);
  NoveltyView view;
  for (int i = 0; i < 900; ++i) {
    history.Push(static_cast<double>(i % 3));
    view = novelty.Observe(history, 0.5);
  }
  EXPECT_EQ(view.surprise, 0.0);
  history.Push(2.0);
  view = novelty.Observe(history, 0.5);
  EXPECT_FALSE(view.new_level);
  EXPECT_GT(view.surprise, 3.0);
}

}  // namespace
}  // namespace seedcore::ml
