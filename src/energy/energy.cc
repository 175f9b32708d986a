#include "energy/energy.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace seedcore::energy {
namespace {

constexpr double kSmallestProbability = 1e-8;
constexpr std::size_t kRoles = 3;

bool AllFinite(std::span<const double> values) {
  return std::ranges::all_of(values, [](double x) { return std::isfinite(x); });
}

Result<void> Invalid(std::string message, std::string path) {
  return Fail(ErrorCode::kInvalidArgument, std::move(message), std::move(path));
}

Result<void> CheckWeights(const EnergyInput& input, const Weights& weights) {
  const std::array scalars{weights.alpha_entropy, weights.lambda_reg, weights.beta_mem, weights.w_pair_self,
                           weights.w_hyper_each};
  if (!AllFinite(scalars) || !AllFinite(weights.w_pair.data) || !AllFinite(weights.w_hyper)) {
    return Invalid("a weight is not finite", "weights");
  }
  const std::size_t agents = input.h.rows;
  if (!weights.w_pair.empty() && (weights.w_pair.rows != agents || weights.w_pair.cols != agents)) {
    return Invalid(fmt::format("expected {0} x {0}, one row per agent, got {1} x {2}", agents, weights.w_pair.rows,
                               weights.w_pair.cols),
                   "weights.W_pair");
  }
  if (!weights.w_hyper.empty() && weights.w_hyper.size() != input.e_sel.size()) {
    return Invalid(
        fmt::format("expected {} weights, one per pattern, got {}", input.e_sel.size(), weights.w_hyper.size()),
        "weights.W_hyper");
  }
  return {};
}

Result<void> CheckInput(const EnergyInput& input) {
  if (input.p.rows != input.h.rows) {
    return Invalid(fmt::format("{} rows of roles for {} agents", input.p.rows, input.h.rows), "p");
  }
  if (input.p.rows > 0 && input.p.cols != kRoles) {
    return Invalid(fmt::format("expected 3 roles, got {}", input.p.cols), "p");
  }
  if (!AllFinite(input.h.data)) return Invalid("an element is not finite", "h");
  if (!std::ranges::all_of(input.p.data, [](double x) { return std::isfinite(x) && x >= 0.0; })) {
    return Invalid("a probability is negative or not finite", "p");
  }
  if (!std::ranges::all_of(input.e_sel, [](double x) { return x >= 0.0 && x <= 1.0; })) {
    return Invalid("not within 0 and 1", "e_sel");
  }
  if (!(input.p_compress >= 0.0 && input.p_compress <= 1.0)) return Invalid("not within 0 and 1", "p_compress");
  if (!std::isfinite(input.r_effective)) return Invalid("not finite", "r_effective");
  if (input.s_norm && !std::isfinite(*input.s_norm)) return Invalid("not finite", "s_norm");
  return {};
}

double PairEnergy(const Matrix& h, const Weights& weights) {
  // Subtracted from zero, so that nothing is 0 and not -0.
  if (weights.w_pair.empty()) return 0.0 - weights.w_pair_self * Dot(h.data, h.data);
  double sum = 0.0;
  for (std::size_t i = 0; i < h.rows; ++i) {
    sum += weights.w_pair(i, i) * Dot(h.Row(i), h.Row(i));
    for (std::size_t j = 0; j < i; ++j) {
      sum += (weights.w_pair(i, j) + weights.w_pair(j, i)) * Dot(h.Row(i), h.Row(j));
    }
  }
  return 0.0 - sum;
}

double HyperEnergy(std::span<const double> e_sel, const Weights& weights) {
  if (!weights.w_hyper.empty()) return 0.0 - Dot(weights.w_hyper, e_sel);
  double sum = 0.0;
  for (const double e : e_sel) sum += e;
  return 0.0 - weights.w_hyper_each * sum;
}

double SNorm(const EnergyInput& input) { return input.s_norm ? *input.s_norm : Norm(input.h.data); }

}  // namespace

double CostVq(double p_compress, double r_effective) { return p_compress * (1.0 - 1.0 / std::max(r_effective, 1.0)); }

double Entropy(std::span<const double> p) {
  // With x = clip(p) and s = sum x:  -sum (x/s) ln (x/s) = ln s - (sum x ln x) / s.
  double sum = 0.0;
  double weighted = 0.0;
  for (const double value : p) {
    const double x = std::clamp(value, kSmallestProbability, 1.0);
    sum += x;
    weighted += x * std::log(x);
  }
  return sum > 0.0 ? std::log(sum) - weighted / sum : 0.0;
}

Result<EnergyTerms> ComputeEnergy(const EnergyInput& input, const Weights& weights) {
  SEEDCORE_RETURN_IF_ERROR(CheckInput(input));
  SEEDCORE_RETURN_IF_ERROR(CheckWeights(input, weights));
  EnergyTerms terms;
  terms.pair = PairEnergy(input.h, weights);
  terms.hyper = HyperEnergy(input.e_sel, weights);
  double entropy = 0.0;
  for (std::size_t i = 0; i < input.p.rows; ++i) entropy += Entropy(input.p.Row(i));
  terms.entropy = 0.0 - weights.alpha_entropy * entropy;
  const double s = SNorm(input);
  terms.reg = weights.lambda_reg * s * s;
  terms.mem = weights.beta_mem * CostVq(input.p_compress, input.r_effective);
  terms.total = terms.pair + terms.hyper + terms.entropy + terms.reg + terms.mem;
  if (!std::isfinite(terms.total)) {
    return Fail(ErrorCode::kInvalidArgument, "the values are too large: the energy is not finite", "h");
  }
  return terms;
}

Result<EnergyGradients> ComputeGradients(const EnergyInput& input, const Weights& weights) {
  SEEDCORE_RETURN_IF_ERROR(CheckInput(input));
  SEEDCORE_RETURN_IF_ERROR(CheckWeights(input, weights));
  const Matrix& h = input.h;
  EnergyGradients gradients;
  gradients.de_dh = Matrix(h.rows, h.cols);
  for (std::size_t i = 0; i < h.rows; ++i) {
    const auto row = gradients.de_dh.Row(i);
    if (weights.w_pair.empty()) {
      for (std::size_t d = 0; d < h.cols; ++d) row[d] = -2.0 * weights.w_pair_self * h(i, d);
      continue;
    }
    for (std::size_t j = 0; j < h.rows; ++j) {
      const double weight = weights.w_pair(i, j) + weights.w_pair(j, i);
      for (std::size_t d = 0; d < h.cols; ++d) row[d] -= weight * h(j, d);
    }
  }

  gradients.de_dp_entropy = -weights.alpha_entropy;
  gradients.de_dp = Matrix(input.p.rows, kRoles);
  for (std::size_t i = 0; i < input.p.rows; ++i) {
    const auto p = input.p.Row(i);
    double sum = 0.0;
    for (const double value : p) sum += std::clamp(value, kSmallestProbability, 1.0);
    const double entropy = Entropy(p);
    for (std::size_t r = 0; r < kRoles; ++r) {
      // The clip is flat outside its interval.
      if (p[r] < kSmallestProbability || p[r] > 1.0) continue;
      gradients.de_dp(i, r) = weights.alpha_entropy * (std::log(p[r] / sum) + entropy) / sum;
    }
  }

  gradients.de_dsel.resize(input.e_sel.size());
  for (std::size_t k = 0; k < input.e_sel.size(); ++k) {
    gradients.de_dsel[k] = weights.w_hyper.empty() ? -weights.w_hyper_each : -weights.w_hyper[k];
  }
  gradients.de_ds_norm = 2.0 * weights.lambda_reg * SNorm(input);
  gradients.de_dmem = weights.beta_mem;
  return gradients;
}

Matrix TotalGradientH(const EnergyInput& input, const Weights& weights, const EnergyGradients& gradients) {
  Matrix total = gradients.de_dh;
  for (std::size_t i = 0; i < total.data.size(); ++i) total.data[i] += 2.0 * weights.lambda_reg * input.h.data[i];
  return total;
}

Result<EnergyInput> InputFromState(const state::UnifiedState& state) {
  EnergyInput input;
  const std::size_t count = state.agents.size();
  const std::size_t width = count == 0 ? 0 : state.agents.begin()->second.h.size();
  input.h.rows = count;
  input.h.cols = width;
  input.h.data.reserve(count * width);
  input.p = Matrix(count, kRoles);
  std::size_t row = 0;
  for (const auto& [id, agent] : state.agents) {
    if (agent.h.size() != width) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("length {}, while the first agent has {}", agent.h.size(), width), "agents." + id + ".h");
    }
    if (!AllFinite(agent.h)) {
      return Fail(ErrorCode::kInvalidArgument, "an element is not finite", "agents." + id + ".h");
    }
    if (!AllFinite(std::array{agent.p.E, agent.p.S, agent.p.O})) {
      return Fail(ErrorCode::kInvalidArgument, "a probability is not finite", "agents." + id + ".p");
    }
    input.h.data.insert(input.h.data.end(), agent.h.begin(), agent.h.end());
    const state::RoleProbabilities roles = state::Projected(agent.p);
    input.p(row, 0) = roles.E;
    input.p(row, 1) = roles.S;
    input.p(row, 2) = roles.O;
    ++row;
  }
  if (state.system) {
    input.e_sel = state.system->E_patterns;
    if (!AllFinite(input.e_sel)) {
      return Fail(ErrorCode::kInvalidArgument, "an element is not finite", "system.E_patterns");
    }
    for (double& e : input.e_sel) e = std::clamp(e, 0.0, 1.0);
  }
  if (state.memory && state.memory->compression) {
    const state::Compression& compression = *state.memory->compression;
    if (!(compression.p_compress >= 0.0 && compression.p_compress <= 1.0)) {
      return Fail(ErrorCode::kInvalidArgument, "not within 0 and 1", "memory.compression.p_compress");
    }
    if (!(compression.r_effective > 0.0 && std::isfinite(compression.r_effective))) {
      return Fail(ErrorCode::kInvalidArgument, "not a positive number", "memory.compression.r_effective");
    }
    input.p_compress = compression.p_compress;
    input.r_effective = compression.r_effective;
  }
  return input;
}

}  // namespace seedcore::energy
