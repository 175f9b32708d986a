#include "ml/pattern_novelty.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace seedcore::ml {
namespace {

constexpr std::size_t kLevels = DoublingGrid::kLevels;
constexpr std::size_t kExtremesWindow = 16;
constexpr std::size_t kShortMean = 8;
constexpr std::size_t kLongMean = 32;

/// A pattern seen fewer times than this is rare, and counts with a small share of its surprise.
constexpr std::uint16_t kRareCount = 8;
constexpr double kRareShare = 0.3;
constexpr double kRareDecades = 1.5;

}  // namespace

std::optional<DoublingGrid::CellMap> DoublingGrid::Cover(double value) {
  if (width_ == 0.0) {
    width_ = std::max(std::abs(value), 1e-9) * 1e-3 / static_cast<double>(kLevels);
    low_ = value - 0.5 * static_cast<double>(kLevels) * width_;
    return std::nullopt;
  }
  const auto range = [this] { return static_cast<double>(kLevels) * width_; };
  const bool covered = value >= low_ && value < low_ + range();
  if (covered) return std::nullopt;
  CellMap moved{};
  for (std::size_t cell = 0; cell < kLevels; ++cell) moved[cell] = cell;
  while (value < low_ || value >= low_ + range()) {
    const bool downwards = value < low_;
    if (downwards) low_ -= range();
    width_ *= 2.0;
    for (std::size_t& cell : moved) cell = cell / 2 + (downwards ? kLevels / 2 : 0);
  }
  return moved;
}

std::size_t DoublingGrid::Cell(double value) const {
  const double cell = std::floor((value - low_) / width_);
  return static_cast<std::size_t>(std::clamp(cell, 0.0, static_cast<double>(kLevels - 1)));
}

PatternNovelty::PatternTable::PatternTable(std::size_t cells, std::size_t others) : cell_digits(cells) {
  std::size_t size = 1;
  for (std::size_t digit = 0; digit < cells + others; ++digit) size *= kLevels;
  count.resize(size);
}

void PatternNovelty::PatternTable::Merge(const DoublingGrid::CellMap& moved) {
  std::vector<std::uint16_t> merged(count.size());
  for (std::size_t index = 0; index < count.size(); ++index) {
    if (count[index] == 0) continue;
    std::size_t rest = index;
    std::size_t target = 0;
    std::size_t place = 1;
    for (std::size_t digit = 0; place < count.size(); ++digit, place *= kLevels) {
      const std::size_t cell = rest % kLevels;
      rest /= kLevels;
      target += place * (digit < cell_digits ? moved[cell] : cell);
    }
    const auto sum = static_cast<std::uint32_t>(merged[target]) + count[index];
    const std::uint32_t most = std::numeric_limits<std::uint16_t>::max();
    merged[target] = static_cast<std::uint16_t>(std::min(sum, most));
  }
  count = std::move(merged);
  seen_once = static_cast<double>(std::ranges::count(count, 1));
}

double PatternNovelty::PatternTable::Observe(std::span<const std::size_t> digits, bool& unseen) {
  std::size_t index = 0;
  std::size_t place = 1;
  for (const std::size_t digit : digits) {
    index += place * digit;
    place *= kLevels;
  }
  std::uint16_t& own = count[index];
  unseen = own == 0;
  double surprise = 0.0;
  if (unseen) {
    surprise = std::log10((seen + 1.0) / (seen_once + 0.5));
  } else if (own < kRareCount) {
    surprise = kRareShare * (std::log10((seen + 1.0) / own) - kRareDecades);
  }
  if (own == 0) seen_once += 1.0;
  if (own == 1) seen_once -= 1.0;
  if (own < std::numeric_limits<std::uint16_t>::max()) ++own;
  seen += 1.0;
  return std::max(surprise, 0.0);
}

PatternNovelty::PatternNovelty() {
  tables_.reserve(kTypes);
  for (const std::size_t cells : {1U, 2U, 3U, 3U, 3U, 3U}) tables_.emplace_back(cells, 0U);
  tables_.emplace_back(1U, 1U);
}

NoveltyView PatternNovelty::Observe(const ValueHistory& history, std::optional<double> day_share) {
  if (const auto moved = grid_.Cover(history.At(0))) {
    for (PatternTable& table : tables_) table.Merge(*moved);
  }
  const auto cell = [&](std::size_t lag) { return grid_.Cell(history.At(lag)); };
  double high = history.At(0);
  double low = high;
  for (std::size_t lag = 1; lag <= kExtremesWindow; ++lag) {
    high = std::max(high, history.At(lag));
    low = std::min(low, history.At(lag));
  }
  using Digits = std::array<std::size_t, 3>;
  const std::size_t level = cell(0);
  const Digits latest{level, cell(1), cell(2)};
  const Digits spread{level, cell(4), cell(8)};
  const Digits extremes{level, grid_.Cell(high), grid_.Cell(low)};
  const Digits means{level, grid_.Cell(history.Mean(0, kShortMean)), grid_.Cell(history.Mean(0, kLongMean))};

  NoveltyView view;
  bool unseen = false;
  const std::span<const std::size_t> recent(latest);
  view.surprise += tables_[0].Observe(recent.first(1), view.new_level);
  view.surprise += tables_[1].Observe(recent.first(2), unseen);
  view.surprise += tables_[2].Observe(recent, unseen);
  view.surprise += tables_[3].Observe(spread, unseen);
  view.surprise += tables_[4].Observe(extremes, unseen);
  view.surprise += tables_[5].Observe(means, unseen);
  if (day_share) {
    const auto part = static_cast<std::size_t>(*day_share * static_cast<double>(kLevels));
    view.surprise += tables_[6].Observe(std::array{level, part}, unseen);
  }
  return view;
}

}  // namespace seedcore::ml
