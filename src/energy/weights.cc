#include "energy/weights.h"

#include <algorithm>

#include "base/json_binding.h"

namespace seedcore::energy {
namespace {

struct StoredWeights {
  double alpha_entropy = Weights{}.alpha_entropy;
  double lambda_reg = Weights{}.lambda_reg;
  double beta_mem = Weights{}.beta_mem;
  double w_pair_self = Weights{}.w_pair_self;
  double w_hyper_each = Weights{}.w_hyper_each;
  static constexpr auto kFields =
      Fields(Required("alpha_entropy", &StoredWeights::alpha_entropy, "Entropy weight"),
             Required("lambda_reg", &StoredWeights::lambda_reg, "Regularization weight"),
             Required("beta_mem", &StoredWeights::beta_mem, "Memory weight"),
             Required("w_pair_self", &StoredWeights::w_pair_self, "Diagonal of W_pair"),
             Required("w_hyper_each", &StoredWeights::w_hyper_each, "Weight of every pattern"));
};

double Within(double value, const Bounds& bounds) { return std::clamp(value, bounds.min, bounds.max); }

}  // namespace

Weights Project(Weights weights) {
  weights.alpha_entropy = Within(weights.alpha_entropy, kAlphaBounds);
  weights.lambda_reg = Within(weights.lambda_reg, kLambdaBounds);
  weights.beta_mem = Within(weights.beta_mem, kBetaBounds);
  weights.w_pair_self = std::clamp(weights.w_pair_self, -1.0, 1.0);
  weights.w_hyper_each = std::clamp(weights.w_hyper_each, -1.0, 1.0);
  for (double& weight : weights.w_hyper) weight = std::clamp(weight, -1.0, 1.0);

  Matrix& pair = weights.w_pair;
  if (pair.empty()) return weights;
  for (std::size_t i = 0; i < pair.rows; ++i) {
    for (std::size_t j = 0; j < i; ++j) pair(i, j) = pair(j, i) = (pair(i, j) + pair(j, i)) / 2.0;
  }
  const double norm = SpectralNorm(pair);
  // Within the error of the norm there is nothing to do, which keeps the projection idempotent.
  if (norm <= 1.0 + 1e-9) return weights;
  for (double& weight : pair.data) weight /= norm;
  return weights;
}

json::value WeightsToJson(const Weights& weights) {
  return ToJson(StoredWeights{weights.alpha_entropy, weights.lambda_reg, weights.beta_mem, weights.w_pair_self,
                              weights.w_hyper_each});
}

Result<Weights> WeightsFromJson(const json::value& stored) {
  if (stored.is_null()) return Weights{};
  auto read = FromJson<StoredWeights>(stored);
  if (!read) return Fail(ErrorCode::kCorrupt, "stored energy weights: " + read.error().message, read.error().path);
  Weights weights;
  weights.alpha_entropy = read->alpha_entropy;
  weights.lambda_reg = read->lambda_reg;
  weights.beta_mem = read->beta_mem;
  weights.w_pair_self = read->w_pair_self;
  weights.w_hyper_each = read->w_hyper_each;
  return Project(std::move(weights));
}

}  // namespace seedcore::energy
