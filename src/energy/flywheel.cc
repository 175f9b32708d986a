#include "energy/flywheel.h"

#include <algorithm>

namespace seedcore::energy {

Weights Adapt(const Weights& weights, const FlywheelResult& result) {
  constexpr double kGamma = 0.1;
  const double g = std::clamp(result.delta_e, -1.0, 1.0);
  Weights adapted = weights;
  if (result.beta_mem) {
    adapted.beta_mem = *result.beta_mem;
  } else if (result.delta_e > 0.0) {
    adapted.beta_mem *= 1.02;
  } else if (result.delta_e < 0.0) {
    adapted.beta_mem *= 0.98;
  }
  adapted.alpha_entropy *= 1.0 + kGamma * g;
  adapted.w_hyper_each *= 1.0 - kGamma * g;
  for (double& weight : adapted.w_hyper) weight *= 1.0 - kGamma * g;
  return Project(std::move(adapted));
}

Stability EstimateStability(double p_fast, double p_esc, double beta_mem, const StabilitySettings& settings) {
  Stability stability{.p_fast = p_fast,
                      .p_esc = p_esc,
                      .beta_router = settings.beta_router,
                      .beta_meta = settings.beta_meta,
                      .rho = settings.rho,
                      .beta_mem = beta_mem,
                      .cap = settings.cap};
  stability.L_tot = settings.beta_router * (p_fast + p_esc) * settings.beta_meta * settings.rho * beta_mem;
  stability.ok_for_promotion = p_fast + p_esc > 0.0 && stability.L_tot < settings.cap;
  return stability;
}

}  // namespace seedcore::energy
