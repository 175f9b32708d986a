#include "ml/sliding_order.h"

#include <algorithm>

namespace seedcore::ml {

SlidingOrder::SlidingOrder(std::size_t window) : window_(window) {
  sorted_.reserve(window + 1);
  by_age_.reserve(window);
}

void SlidingOrder::Push(double value) {
  sorted_.insert(std::lower_bound(sorted_.begin(), sorted_.end(), value), value);
  if (by_age_.size() < window_) {
    by_age_.push_back(value);
    return;
  }
  sorted_.erase(std::lower_bound(sorted_.begin(), sorted_.end(), by_age_[oldest_]));
  by_age_[oldest_] = value;
  oldest_ = (oldest_ + 1) % window_;
}

}  // namespace seedcore::ml
