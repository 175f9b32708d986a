#pragma once

#include <array>
#include <chrono>
#include <cstdint>

/// Whoever submits tasks names their streams, by type and domain, so the states of streams (StreamStore) need a bound.
/// The look of the retention (TaskStore::DeleteFinished) forgets those that nobody has touched for long, and of more
/// than so many those that were touched longest ago. What is forgotten starts anew when it is touched again: a drift
/// valve is shut, a baseline is cold. Other kinds, such as the weights of the energy function, are kept for ever.
namespace seedcore::store {

struct StreamRetention {
  std::chrono::milliseconds keep = std::chrono::days(30);  ///< since the last change
  std::int64_t most = 100'000;                             ///< of one kind; more between two looks
};

/// Kinds that a task names the streams of: drift baselines and OCPS valves.
inline constexpr std::array kForgottenKinds = {"drift", "ocps"};
/// By one of the two rules, of one kind, in one look.
inline constexpr std::int64_t kMostStreamsForgotten = 25'000;

}  // namespace seedcore::store
