#include "ml/context_model.h"

#include <algorithm>
#include <cmath>

namespace seedcore::ml {
namespace {

constexpr std::size_t kEighths = 8;
constexpr std::size_t kBelowAll = 8;
constexpr std::size_t kAboveAll = 9;
constexpr std::size_t kFirstCoded = 10;
constexpr double kPriorWeight = 2.0;
/// Counts are halved here, which forgets slowly and keeps floats exact.
constexpr float kCountLimit = 2000.0F;
constexpr double kFirstDivergence = 50.0;

}  // namespace

std::size_t RankCoder::Code(double value) {
  std::size_t symbol = 0;
  const std::span<const double> sorted = earlier_.ascending();
  if (sorted.size() >= kFirstCoded) {
    const auto lower = std::lower_bound(sorted.begin(), sorted.end(), value);
    const auto upper = std::upper_bound(lower, sorted.end(), value);
    if (lower == sorted.end()) {
      symbol = kAboveAll;
    } else if (upper == sorted.begin()) {
      symbol = kBelowAll;
    } else {
      // Equal values share their middle rank, so a constant series stays in the middle.
      const auto twice_rank = static_cast<std::size_t>((lower - sorted.begin()) + (upper - sorted.begin()));
      symbol = std::min(kEighths - 1, twice_rank * kEighths / (2 * sorted.size()));
    }
  }
  earlier_.Push(value);
  return symbol;
}

ContextModel::ContextModel() {
  std::size_t contexts = 0;
  std::size_t of_order = 1;
  for (std::size_t order = 0; order <= kOrder; ++order, of_order *= kSymbols) contexts += of_order;
  contexts_.resize(contexts);
}

double ContextModel::Observe(std::size_t symbol) {
  double probability = 1.0 / static_cast<double>(kSymbols);
  std::size_t first_of_order = 0;
  std::size_t of_order = 1;
  std::size_t index = 0;
  for (std::size_t order = 0; order <= kOrder; ++order) {
    if (order > 0) index += of_order / kSymbols * last_[order - 1];
    Context& context = contexts_[first_of_order + index];
    probability = (context.count[symbol] + kPriorWeight * probability) / (context.total + kPriorWeight);
    context.count[symbol] += 1.0F;
    context.total += 1.0F;
    if (context.total > kCountLimit) {
      for (float& count : context.count) count *= 0.5F;
      context.total *= 0.5F;
    }
    first_of_order += of_order;
    of_order *= kSymbols;
  }
  std::shift_right(last_.begin(), last_.end(), 1);
  last_.front() = symbol;
  return -std::log2(probability);
}

std::optional<double> SymbolDivergence::Observe(std::size_t symbol) {
  std::size_t& slot = recent_[seen_ % kWindow];
  if (seen_ >= kWindow) {
    recent_count_[slot] -= 1.0;
    earlier_count_[slot] += 1.0;
  }
  slot = symbol;
  recent_count_[symbol] += 1.0;
  ++seen_;

  const double earlier = static_cast<double>(seen_) - static_cast<double>(kWindow);
  if (earlier <= kFirstDivergence) return std::nullopt;
  double divergence = 0.0;
  for (std::size_t s = 0; s < kSymbols; ++s) {
    if (recent_count_[s] == 0.0) continue;
    const double recent_share = recent_count_[s] / static_cast<double>(kWindow);
    const double smoothing = 0.5;
    const double earlier_share =
        (earlier_count_[s] + smoothing) / (earlier + smoothing * static_cast<double>(kSymbols));
    divergence += recent_share * std::log(recent_share / earlier_share);
  }
  return std::max(divergence, 0.0);
}

}  // namespace seedcore::ml
