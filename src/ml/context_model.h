#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "ml/sliding_order.h"

namespace seedcore::ml {

/// Codes values as ranks among the last `kWindow` values: symbols 0..7 are the eighths of their
/// distribution, 8 is below and 9 above all of them. Codes do not depend on the units of the
/// values. O(kWindow) moves of doubles per step, constant memory.
class RankCoder {
 public:
  static constexpr std::size_t kSymbols = 10;
  static constexpr std::size_t kWindow = 1000;

  /// Symbol of the value among the earlier values; the value then joins the window.
  std::size_t Code(double value);

 private:
  SlidingOrder earlier_{kWindow};
};

/// Probability of each symbol given the three before it, blended over the context lengths 0..3.
///
/// The estimate of length k is interpolated with that of length k - 1 by a Dirichlet prior of
/// weight 2 (MacKay and Peto 1995). Contexts are indexed exactly, so memory is constant (1111
/// contexts of 10 counts).
class ContextModel {
 public:
  ContextModel();

  /// Surprise -log2 P(symbol | last symbols) in bits, >= 0, before the symbol is learnt.
  double Observe(std::size_t symbol);

 private:
  static constexpr std::size_t kOrder = 3;
  static constexpr std::size_t kSymbols = RankCoder::kSymbols;

  struct Context {
    std::array<float, kSymbols> count{};
    float total = 0.0F;
  };

  std::vector<Context> contexts_;
  std::array<std::size_t, kOrder> last_{};
};

/// Relative entropy (Kullback-Leibler, in nats) of the last `kWindow` symbols against all earlier
/// ones; a test for a changed distribution (Wang et al. 2011, "Statistical techniques for online
/// anomaly detection in data centers").
class SymbolDivergence {
 public:
  static constexpr std::size_t kWindow = 48;

  /// Adds a symbol and returns the divergence; empty until the earlier part holds more than 50
  /// symbols.
  std::optional<double> Observe(std::size_t symbol);

 private:
  static constexpr std::size_t kSymbols = RankCoder::kSymbols;

  std::array<std::size_t, kWindow> recent_{};
  std::array<double, kSymbols> recent_count_{};
  std::array<double, kSymbols> earlier_count_{};
  std::uint64_t seen_ = 0;
};

}  // namespace seedcore::ml
