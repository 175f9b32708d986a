#pragma once

#include <optional>

#include "base/json_binding.h"
#include "energy/weights.h"

namespace seedcore::energy {

/// What a piece of work did to the energy.
struct FlywheelResult {
  double delta_e = 0.0;            ///< measured energy after minus before; negative is an improvement
  std::optional<double> beta_mem;  ///< sets the memory weight instead of letting it adapt
};

/// One step of adaptation, always within the bounds of weights.h. With gamma = 0.1 and g = delta_e clipped to [-1, 1]:
/// beta: the given value, else times 1.02 when delta_e > 0, times 0.98 when < 0; alpha times 1 + gamma g: more
/// exploration after a loss, less after a gain; W_hyper times 1 - gamma g. delta_e = 0 changes nothing.
[[nodiscard]] Weights Adapt(const Weights& weights, const FlywheelResult& result);

/// Settings of the stability estimate.
struct StabilitySettings {
  double beta_router = 1.0;  ///< SEEDCORE_BETA_ROUTER: gain of routing
  double beta_meta = 0.80;   ///< SEEDCORE_BETA_META: gain of the deep path
  double rho = 0.95;         ///< SEEDCORE_RHO_CLIP: gain that clipping allows
  double cap = 0.98;         ///< promotion needs L_tot below this
};

/// Estimate of the loop's Lipschitz constant. Below 1 the loop of routing, memory and adaptation is contractive.
struct Stability {
  double p_fast = 0.0;
  double p_esc = 0.0;
  double beta_router = 0.0;
  double beta_meta = 0.0;
  double rho = 0.0;
  double beta_mem = 0.0;
  double L_tot = 0.0;
  double cap = 0.0;
  bool ok_for_promotion = false;
  static constexpr auto kFields =
      Fields(Required("p_fast", &Stability::p_fast, "Share of tasks that took the fast path, measured"),
             Required("p_esc", &Stability::p_esc, "Share of tasks that were escalated, measured"),
             Required("beta_router", &Stability::beta_router, "Gain of routing"),
             Required("beta_meta", &Stability::beta_meta, "Gain of the deep path"),
             Required("rho", &Stability::rho, "Gain that clipping allows"),
             Required("beta_mem", &Stability::beta_mem, "Current memory weight"),
             Required("L_tot", &Stability::L_tot, "beta_router (p_fast + p_esc) beta_meta rho beta_mem, not clamped"),
             Required("cap", &Stability::cap, "A promotion needs L_tot below this"),
             Required("ok_for_promotion", &Stability::ok_for_promotion, "L_tot < cap, with traffic to measure it on"));
};

/// The one L_tot formula. p_fast and p_esc are shares in [0, 1]; both 0 means that nothing was routed yet, and then a
/// promotion is never allowed.
[[nodiscard]] Stability EstimateStability(double p_fast, double p_esc, double beta_mem,
                                          const StabilitySettings& settings);

}  // namespace seedcore::energy
