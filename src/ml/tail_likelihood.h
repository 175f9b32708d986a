#pragma once

#include <array>
#include <cstdint>

namespace seedcore::ml {

/// Learns online how rare a value of a non-negative evidence statistic is.
///
/// The distribution is a histogram over log2(evidence). Above its upper 3 % quantile the
/// log-excesses are taken as exponential, which is the peaks-over-threshold model with a Pareto
/// tail (Pickands 1975; Hill 1975), so a value beyond everything seen still gets a finite, ordered
/// tail probability. The estimate is invariant to the scale of the statistic, which makes surprises
/// of different statistics comparable.
///
/// Memory is constant (about 1.3 KiB); both calls are O(kBins).
class TailLikelihood {
 public:
  /// -log10 P(evidence' >= evidence), in decades (0 = certain, 3 = one in a thousand). Returns 0
  /// while fewer than eight values have been learnt, and at most log10(n + 1) + 2 after n values: a
  /// sample of n cannot support a claim much rarer than 1/n. Precondition: evidence >= 0 and
  /// finite.
  [[nodiscard]] double Surprise(double evidence) const;

  /// Adds one value to the distribution. Precondition: evidence >= 0 and finite.
  void Learn(double evidence);

  /// Number of values learnt so far.
  [[nodiscard]] std::uint64_t count() const { return total_; }

 private:
  static constexpr std::size_t kBins = 320;

  std::array<std::uint32_t, kBins> count_{};
  std::uint64_t total_ = 0;
};

}  // namespace seedcore::ml
