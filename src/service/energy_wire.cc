#include "service/energy_wire.h"

#include <algorithm>
#include <array>
#include <cmath>

#include <fmt/format.h>

namespace seedcore::service {
namespace {

std::vector<std::vector<double>> ToRows(const energy::Matrix& matrix) {
  std::vector<std::vector<double>> rows;
  rows.reserve(matrix.rows);
  for (std::size_t i = 0; i < matrix.rows; ++i) rows.emplace_back(matrix.Row(i).begin(), matrix.Row(i).end());
  return rows;
}

Result<energy::Matrix> ToPairMatrix(const std::vector<std::vector<double>>& rows, std::size_t agents) {
  const bool square =
      rows.size() == agents && std::ranges::all_of(rows, [&](const auto& row) { return row.size() == agents; });
  if (!square) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected {0} x {0}, one row and column per agent", agents),
                "weights.W_pair");
  }
  energy::Matrix matrix(agents, agents);
  for (std::size_t i = 0; i < agents; ++i) std::ranges::copy(rows[i], matrix.Row(i).begin());
  return matrix;
}

Result<void> AtLeastZero(const std::optional<double>& value, std::string path) {
  if (!value || *value >= 0.0) return {};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("must be 0 or more, got {}", *value), std::move(path));
}

}  // namespace

Result<void> EnergyWeightsPatch::Validate() const {
  SEEDCORE_RETURN_IF_ERROR(AtLeastZero(alpha_entropy, "alpha_entropy"));
  SEEDCORE_RETURN_IF_ERROR(AtLeastZero(lambda_reg, "lambda_reg"));
  return AtLeastZero(beta_mem, "beta_mem");
}

Result<void> FlywheelRequest::Validate() const {
  // Far beyond any energy, and far from where a sum of entries could overflow.
  constexpr double kLargest = 1e12;
  constexpr std::array<std::string_view, 4> kScopes{"agent", "organ", "cluster", "evolution"};
  SEEDCORE_RETURN_IF_ERROR(AtLeastZero(cost, "cost"));
  SEEDCORE_RETURN_IF_ERROR(AtLeastZero(beta_mem, "beta_mem"));
  if (!(std::abs(delta_e) <= kLargest)) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("must be within -1e12 and 1e12, got {}", delta_e), "delta_e");
  }
  if (!(cost <= kLargest)) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("must be at most 1e12, got {}", cost), "cost");
  }
  if (std::ranges::find(kScopes, scope) == kScopes.end()) {
    return Fail(ErrorCode::kInvalidArgument, "expected agent, organ, cluster or evolution, got \"" + scope + "\"",
                "scope");
  }
  if (p_fast && !(*p_fast >= 0.0 && *p_fast <= 1.0)) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("must be within 0 and 1, got {}", *p_fast), "p_fast");
  }
  if (energy_before && energy_after) {
    const double measured = *energy_after - *energy_before;
    const double tolerance = 1e-6 * (1.0 + std::abs(*energy_before) + std::abs(*energy_after));
    if (std::abs(measured - delta_e) > tolerance) {
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("energy_after - energy_before is {}, delta_e says {}", measured, delta_e), "delta_e");
    }
  }
  return {};
}

Result<void> OptimizeAgentsRequest::Validate() const {
  if (unified_state.agents.empty()) {
    return Fail(ErrorCode::kInvalidArgument, "no agents to choose from", "unified_state.agents");
  }
  if (max_agents && *max_agents < 1) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("must be 1 or more, got {}", *max_agents), "max_agents");
  }
  return {};
}

Result<energy::Weights> MergeWeights(energy::Weights current, const std::optional<EnergyWeightsPatch>& patch,
                                     std::size_t agents) {
  if (!patch) return current;
  if (patch->alpha_entropy) current.alpha_entropy = *patch->alpha_entropy;
  if (patch->lambda_reg) current.lambda_reg = *patch->lambda_reg;
  if (patch->beta_mem) current.beta_mem = *patch->beta_mem;
  if (patch->W_pair) {
    SEEDCORE_ASSIGN_OR_RETURN(current.w_pair, ToPairMatrix(*patch->W_pair, agents));
  }
  if (patch->W_hyper) {
    current.w_hyper = *patch->W_hyper;
    // No weights at all: an empty vector would stand for the default.
    if (current.w_hyper.empty()) current.w_hyper_each = 0.0;
  }
  return current;
}

Result<energy::EnergyInput> ReadState(const state::UnifiedState& state, const std::string& prefix) {
  auto input = energy::InputFromState(state);
  if (!input) input.error().path = prefix + "." + input.error().path;
  return input;
}

std::vector<std::string> AbsentInputs(const state::UnifiedState& state) {
  std::vector<std::string> absent;
  if (state.agents.empty()) absent.emplace_back("agents");
  if (!state.system || state.system->E_patterns.empty()) absent.emplace_back("system.E_patterns");
  if (!state.memory || !state.memory->compression) absent.emplace_back("memory.compression");
  return absent;
}

EnergyValue ToValue(const energy::EnergyTerms& terms, bool with_terms) {
  EnergyValue value;
  value.total = terms.total;
  if (!with_terms) return value;
  value.pair = terms.pair;
  value.hyper = terms.hyper;
  value.entropy = terms.entropy;
  value.reg = terms.reg;
  value.mem = terms.mem;
  return value;
}

GradientValues ToValues(const energy::EnergyGradients& gradients) {
  GradientValues values;
  values.dE_dH = ToRows(gradients.de_dh);
  values.dE_dP_entropy = gradients.de_dp_entropy;
  values.dE_dP = ToRows(gradients.de_dp);
  if (!gradients.de_dsel.empty()) values.dE_dE_sel = gradients.de_dsel;
  values.dE_ds_norm = gradients.de_ds_norm;
  values.dE_dmem = gradients.de_dmem;
  return values;
}

EnergyScalars ToScalars(const energy::Weights& weights) {
  return {weights.alpha_entropy, weights.lambda_reg, weights.beta_mem};
}

Result<OptimizeTask> ReadOptimizeTask(const json::object& task) {
  json::object relevant;
  for (const char* name : {"type", "size", "urgent", "required_capability"}) {
    if (const json::value* value = task.if_contains(name)) relevant[name] = *value;
  }
  auto read = FromJson<OptimizeTask>(relevant);
  if (!read) read.error().path = "task." + read.error().path;
  return read;
}

store::NewLedgerEntry ToLedgerEntry(const FlywheelRequest& request, const CallContext& call) {
  store::NewLedgerEntry entry;
  entry.scope = request.scope;
  entry.scope_id = request.scope_id;
  entry.task_id = request.task_id;
  entry.delta_e = request.delta_e;
  entry.cost = request.cost;
  if (request.energy_after || request.breakdown) {
    entry.energy_after = request.energy_after ? *request.energy_after : request.breakdown->total;
    entry.energy_before = request.energy_before.value_or(entry.energy_after - request.delta_e);
  } else {
    // Only the change is known; the levels are relative to the energy before, whatever it was.
    entry.energy_before = request.energy_before.value_or(0.0);
    entry.energy_after = entry.energy_before + request.delta_e;
    if (!request.energy_before) entry.meta["levels"] = "relative";
  }
  if (request.breakdown) entry.breakdown = ToJson(*request.breakdown).as_object();
  if (request.p_fast) entry.meta["p_fast"] = *request.p_fast;
  if (request.drift) entry.meta["drift"] = *request.drift;
  if (!call.idempotency_key.empty()) entry.meta["idempotency_key"] = call.idempotency_key;
  return entry;
}

}  // namespace seedcore::service
