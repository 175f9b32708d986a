#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "base/json_binding.h"
#include "base/result.h"
#include "energy/matrix.h"
#include "energy/weights.h"
#include "state/unified_state.h"

/// The unified energy: one number that says how well the whole is arranged; lower is better. This is its only
/// definition. With natural logarithms, rows of P in the order E, S, O, and the dot product as similarity:
///
///     E = E_pair + E_hyper + E_entropy + E_reg + E_mem
///     E_pair    = -sum_ij W_pair[i,j] <h_i, h_j>        over all i and j, the diagonal included
///     E_hyper   = -sum_k W_hyper[k] E_sel[k]            E_sel in [0, 1]
///     E_entropy = -alpha sum_i H(p_i)                   H(p) = -sum q ln q, q = clip(p, 1e-8, 1) / its sum
///     E_reg     = lambda s^2                            s = Frobenius norm of H unless given
///     E_mem     = beta CostVQ                           CostVQ = p_compress (1 - 1 / max(r_effective, 1))
namespace seedcore::energy {

struct EnergyInput {
  Matrix h;                      ///< N x D, one embedding per agent
  Matrix p;                      ///< N x 3, role probabilities E, S, O
  std::vector<double> e_sel;     ///< K, each in [0, 1]
  std::optional<double> s_norm;  ///< nullopt: the Frobenius norm of `h`
  double p_compress = 0.0;       ///< share of memory items that are compressed, [0, 1]
  double r_effective = 1.0;      ///< compression ratio, raw / stored
};

struct EnergyTerms {
  double pair = 0.0;
  double hyper = 0.0;
  double entropy = 0.0;
  double reg = 0.0;
  double mem = 0.0;
  double total = 0.0;
  static constexpr auto kFields = Fields(Required("pair", &EnergyTerms::pair, "-sum W_pair[i,j] <h_i, h_j>"),
                                         Required("hyper", &EnergyTerms::hyper, "-sum W_hyper[k] E_sel[k]"),
                                         Required("entropy", &EnergyTerms::entropy, "-alpha sum H(p_i), in nats"),
                                         Required("reg", &EnergyTerms::reg, "lambda ||H||_F^2"),
                                         Required("mem", &EnergyTerms::mem, "beta p_compress (1 - 1/r_effective)"),
                                         Required("total", &EnergyTerms::total, "Sum of the five terms"));
};

/// Partial derivatives of E, each with the other inputs held still; s counts as an input of its own, so that dE/dH is
/// that of E_pair alone. TotalGradientH puts the two together.
struct EnergyGradients {
  Matrix de_dh;                 ///< N x D: -(W_pair + W_pair^T) H, which is -2 W_pair H for a symmetric W_pair
  double de_dp_entropy = 0.0;   ///< -alpha: by sum_i H(p_i)
  Matrix de_dp;                 ///< N x 3: alpha (ln q + H(p_i)) / sum; 0 where p is below 1e-8
  std::vector<double> de_dsel;  ///< K: -W_hyper
  double de_ds_norm = 0.0;      ///< 2 lambda s
  double de_dmem = 0.0;         ///< beta: by CostVQ
};

/// kInvalidArgument: shapes that do not fit each other or the weights, an E_sel or p_compress outside [0, 1], a
/// negative p, anything not finite. O(N D) with the default W_pair, O(N^2 D) with one given.
[[nodiscard]] Result<EnergyTerms> ComputeEnergy(const EnergyInput& input, const Weights& weights);
[[nodiscard]] Result<EnergyGradients> ComputeGradients(const EnergyInput& input, const Weights& weights);

/// dE/dH with s = ||H||_F: de_dh + 2 lambda H.
[[nodiscard]] Matrix TotalGradientH(const EnergyInput& input, const Weights& weights, const EnergyGradients& gradients);

/// Compression cost, variant (a) of four that were in use: p_compress (1 - 1 / max(r_effective, 1)).
[[nodiscard]] double CostVq(double p_compress, double r_effective);
/// -sum q ln q in nats with q = clip(p, 1e-8, 1) / its sum.
[[nodiscard]] double Entropy(std::span<const double> p);

/// The input that a unified state stands for: agents in the order of their ids, roles projected onto the simplex,
/// E_patterns clipped to [0, 1], compression from the memory part. kInvalidArgument when embeddings differ in length,
/// or something is not finite; the path is relative to the state.
[[nodiscard]] Result<EnergyInput> InputFromState(const state::UnifiedState& state);

}  // namespace seedcore::energy
