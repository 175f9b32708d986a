#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "base/env.h"
#include "energy/flywheel.h"
#include "energy/weights.h"
#include "store/store.h"

namespace seedcore::service {

/// The cluster's energy weights: StreamStore("energy_weights", "cluster") with the last ones read kept at hand.
/// Thread-safe.
class WeightStore {
 public:
  WeightStore(Env& env, store::StreamStore& streams) : env_(env), streams_(streams) {}

  /// The last weights read, without I/O once there are any. kUnavailable when they could never be read.
  [[nodiscard]] Result<energy::Weights> Cached();
  /// The same, read anew when older than 5 s. While the store does not answer, the last ones read stay good.
  [[nodiscard]] Result<energy::Weights> Fresh();
  /// Adapts the stored weights in one transaction and returns the new ones.
  [[nodiscard]] Result<energy::Weights> Adapt(const energy::FlywheelResult& result);

  /// Why the last read or write failed; empty when it did not.
  [[nodiscard]] std::string LastError() const;

 private:
  Result<energy::Weights> Read();
  void Remember(const Result<energy::Weights>& weights);

  Env& env_;
  store::StreamStore& streams_;
  mutable std::mutex mutex_;  // guards everything below
  std::optional<energy::Weights> weights_;
  Instant read_at_{};
  std::string error_;
};

}  // namespace seedcore::service
