#include "ml/tail_likelihood.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace seedcore::ml {
namespace {

constexpr double kBinsPerOctave = 8.0;
constexpr double kLowestOctave = -20.0;
constexpr double kTailShare = 0.03;
constexpr std::uint64_t kMinimumSample = 8;
/// Mean log-excess assumed before data, in bins (a quarter octave), with the weight of three
/// values. It is also the least slope: a steeper tail would turn rounding differences into
/// certainty.
constexpr double kPriorSlope = 2.0;
constexpr double kSlopeWeight = 3.0;
/// Excesses count at most this much (six octaves): one absurd value must not flatten the tail.
constexpr double kLargestExcess = 48.0;
constexpr double kMostDecadesBeyondSample = 2.0;

/// Position on the histogram's axis, in bins.
double Position(double evidence, std::size_t bins) {
  const double floor = std::exp2(kLowestOctave);
  const double position = (std::log2(std::max(evidence, floor)) - kLowestOctave) * kBinsPerOctave;
  return std::min(position, static_cast<double>(bins) - 1.0);
}

}  // namespace

double TailLikelihood::Surprise(double evidence) const {
  if (total_ < kMinimumSample) return 0.0;
  const double n = static_cast<double>(total_);
  const double position = Position(evidence, kBins);
  const auto own_bin = static_cast<std::size_t>(position);

  const double wanted = std::max(kTailShare * n, 1.0);
  double above = 0.0;
  double excess = 0.0;
  std::size_t edge = kBins;
  while (edge > 0 && above + count_[edge - 1] < wanted) above += count_[--edge];
  for (std::size_t bin = edge; bin < kBins; ++bin) {
    excess += count_[bin] * std::min(static_cast<double>(bin - edge) + 0.5, kLargestExcess);
  }

  double surprise = 0.0;
  if (edge > 0 && position > static_cast<double>(edge)) {
    const double slope = std::max(kPriorSlope, (excess + kSlopeWeight * kPriorSlope) / (above + kSlopeWeight));
    const double mass = above > 0.0 ? above + 0.5 : count_[edge - 1];
    surprise = std::log10((n + 1.0) / mass) + (position - static_cast<double>(edge)) / slope * std::numbers::log10e;
  } else {
    double rank = count_[own_bin] * (1.0 - (position - static_cast<double>(own_bin)));
    for (std::size_t bin = own_bin + 1; bin < kBins; ++bin) rank += count_[bin];
    surprise = std::log10((n + 1.0) / (rank + 0.5));
  }
  return std::clamp(surprise, 0.0, std::log10(n + 1.0) + kMostDecadesBeyondSample);
}

void TailLikelihood::Learn(double evidence) {
  ++count_[static_cast<std::size_t>(Position(evidence, kBins))];
  ++total_;
}

}  // namespace seedcore::ml
