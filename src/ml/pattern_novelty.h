#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "ml/value_history.h"

namespace seedcore::ml {

/// A linear grid of `kLevels` cells that covers all values seen; it doubles its cell width as often
/// as needed.
class DoublingGrid {
 public:
  static constexpr std::size_t kLevels = 16;
  using CellMap = std::array<std::size_t, kLevels>;

  /// Widens the grid until it covers the value. Returns where the old cells went, or nothing if it
  /// did not change. Precondition: |value| <= 1e300. O(log(range)).
  std::optional<CellMap> Cover(double value);

  /// Cell of a value; values outside belong to the nearest cell. Precondition: Cover() was called.
  [[nodiscard]] std::size_t Cell(double value) const;

 private:
  double low_ = 0.0;
  double width_ = 0.0;
};

/// What was new about one value.
struct NoveltyView {
  double surprise = 0.0;   ///< Sum of the surprises of all pattern types, in decades; >= 0.
  bool new_level = false;  ///< The value's own level had never been seen.
};

/// Surprise about patterns which have never, or hardly ever, occurred in the series.
///
/// Several discrete views of the recent past (the level itself, pairs and triples of levels at
/// several lags, the level with the recent extremes, with two moving means, with the time of day)
/// are counted in exact tables. A pattern not seen before has the probability mass of all unseen
/// patterns of its type, which Good and Turing estimate as (patterns seen once) / (patterns seen)
/// (Good 1953): in a series whose patterns are always new, newness is no news. When the range of
/// values grows, cells merge pairwise and the tables are merged with them. Memory is constant
/// (about 36 KiB); a step is O(1) but for a merge, O(table).
class PatternNovelty {
 public:
  PatternNovelty();

  /// Observes the newest value of `history` (which holds at least the 32 last values where there
  /// are as many). `day_share` is the time of day in [0, 1), if known.
  NoveltyView Observe(const ValueHistory& history, std::optional<double> day_share);

 private:
  static constexpr std::size_t kTypes = 7;

  struct PatternTable {
    explicit PatternTable(std::size_t cell_digits, std::size_t other_digits);

    void Merge(const DoublingGrid::CellMap& moved);
    double Observe(std::span<const std::size_t> digits, bool& unseen);

    std::size_t cell_digits;  ///< Leading digits that are cells of the doubling grid.
    std::vector<std::uint16_t> count;
    double seen = 0.0;
    double seen_once = 0.0;
  };

  DoublingGrid grid_;
  std::vector<PatternTable> tables_;
};

}  // namespace seedcore::ml
