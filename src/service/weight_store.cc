#include "service/weight_store.h"

namespace seedcore::service {
namespace {

const std::string kKind = "energy_weights";
const std::string kKey = "cluster";
constexpr std::chrono::seconds kFreshFor{5};

}  // namespace

Result<energy::Weights> WeightStore::Read() {
  auto stored = streams_.Load(kKind, kKey);
  auto weights = stored ? energy::WeightsFromJson(*stored) : Result<energy::Weights>(std::unexpected(stored.error()));
  Remember(weights);
  return weights;
}

void WeightStore::Remember(const Result<energy::Weights>& weights) {
  const std::lock_guard lock(mutex_);
  read_at_ = env_.Now();
  error_ = weights ? std::string() : ToString(weights.error());
  if (weights) weights_ = *weights;
}

Result<energy::Weights> WeightStore::Cached() {
  {
    const std::lock_guard lock(mutex_);
    if (weights_) return *weights_;
  }
  return Read();
}

Result<energy::Weights> WeightStore::Fresh() {
  {
    const std::lock_guard lock(mutex_);
    if (weights_ && env_.Now() - read_at_ < kFreshFor) return *weights_;
  }
  auto weights = Read();
  if (weights) return weights;
  const std::lock_guard lock(mutex_);
  if (weights_) return *weights_;
  return weights;
}

Result<energy::Weights> WeightStore::Adapt(const energy::FlywheelResult& result) {
  const auto update = [&](const json::value& stored) {
    // Damaged weights are replaced by the defaults, adapted: the loop must be able to go on.
    return energy::WeightsToJson(energy::Adapt(energy::WeightsFromJson(stored).value_or(energy::Weights{}), result));
  };
  auto stored = streams_.Update(kKind, kKey, update);
  auto weights = stored ? energy::WeightsFromJson(*stored) : Result<energy::Weights>(std::unexpected(stored.error()));
  Remember(weights);
  return weights;
}

std::string WeightStore::LastError() const {
  const std::lock_guard lock(mutex_);
  return error_;
}

}  // namespace seedcore::service
