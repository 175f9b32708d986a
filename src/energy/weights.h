#pragma once

#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "energy/matrix.h"

namespace seedcore::energy {

/// Closed interval of an adapted weight.
struct Bounds {
  double min;
  double max;
};
inline constexpr Bounds kAlphaBounds{0.1, 2.0};
inline constexpr Bounds kLambdaBounds{0.001, 0.1};
inline constexpr Bounds kBetaBounds{0.05, 0.5};

/// Weights of the unified energy. Dimensionless. Empty `w_pair` stands for w_pair_self * I over however many agents
/// there are, empty `w_hyper` for w_hyper_each at every pattern.
struct Weights {
  double alpha_entropy = 0.1;
  double lambda_reg = 0.01;
  double beta_mem = 0.05;
  double w_pair_self = 0.1;
  double w_hyper_each = 0.1;
  Matrix w_pair;                ///< N x N
  std::vector<double> w_hyper;  ///< K

  friend bool operator==(const Weights&, const Weights&) = default;
};

/// The nearest allowed weights: scalars within their bounds, W_pair symmetrized and scaled to a spectral norm of at
/// most 1, W_hyper within [-1, 1]. Idempotent. Weights must be finite.
[[nodiscard]] Weights Project(Weights weights);

/// What is stored of the weights: the scalars. Matrices belong to one request and are never stored.
[[nodiscard]] json::value WeightsToJson(const Weights& weights);
/// Defaults for null. kCorrupt when the stored value is not what WeightsToJson writes; the result is projected.
[[nodiscard]] Result<Weights> WeightsFromJson(const json::value& stored);

}  // namespace seedcore::energy
