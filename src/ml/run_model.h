#pragma once

#include <algorithm>
#include <cmath>

namespace seedcore::ml {

/// A run of equal values, as seen at its newest value.
struct RunView {
  double length = 0.0;          ///< Repetitions so far; 0 for a value that differs from the last.
  double longest_before = 0.0;  ///< Repetitions in the longest earlier run.
  double beyond_longest = 0.0;  ///< max(0, length - longest_before).
  double surprise = 0.0;        ///< -log10 P(so long a continuation), in decades; <= 5.
};

/// Runs of equal values in a series. The part of a run beyond the longest earlier one is taken as
/// geometric with the share of repeated values so far, so a series which often repeats needs a long
/// run to surprise, and a constant series stays below 2.7 decades.
class RunModel {
 public:
  RunView Observe(bool repeats) {
    if (repeats) {
      length_ += 1.0;
    } else {
      longest_ = std::max(longest_, length_);
      length_ = 0.0;
    }
    values_ += 1.0;
    if (repeats) repeats_ += 1.0;
    const double beyond = std::max(0.0, length_ - longest_);
    const double odds = (repeats_ + kPriorRepeats) / (values_ + kPriorValues);
    return {length_, longest_, beyond, std::min(kMostDecades, -beyond * std::log10(odds))};
  }

 private:
  /// Before any data every other value repeats, with the weight of ten values.
  static constexpr double kPriorRepeats = 5.0;
  static constexpr double kPriorValues = 10.0;
  static constexpr double kMostDecades = 5.0;

  double length_ = 0.0;
  double longest_ = 0.0;
  double values_ = 0.0;
  double repeats_ = 0.0;
};

}  // namespace seedcore::ml
