#pragma once

#include <string>
#include <vector>

#include "energy/energy.h"
#include "service/energy.h"

/// Between the JSON of the Energy service and the values of the energy room.
namespace seedcore::service {

/// `current` with what the patch names put in its place. kInvalidArgument when W_pair is not square with one row per
/// agent.
[[nodiscard]] Result<energy::Weights> MergeWeights(energy::Weights current,
                                                   const std::optional<EnergyWeightsPatch>& patch, std::size_t agents);

/// InputFromState with `prefix` before the path of an error.
[[nodiscard]] Result<energy::EnergyInput> ReadState(const state::UnifiedState& state, const std::string& prefix);

/// Inputs of the energy that the state does not have.
[[nodiscard]] std::vector<std::string> AbsentInputs(const state::UnifiedState& state);

/// What of a task matters for the choice of agents.
struct OptimizeTask {
  std::string type;
  std::string size;
  bool urgent = false;
  double required_capability = 0.0;
  static constexpr auto kFields =
      Fields(Optional("type", &OptimizeTask::type, "Kind of work"), Optional("size", &OptimizeTask::size, "Size"),
             Optional("urgent", &OptimizeTask::urgent, "Urgency"),
             Optional("required_capability", &OptimizeTask::required_capability, "Least capability"));
};

/// Reads those members of a task and lets all others be.
[[nodiscard]] Result<OptimizeTask> ReadOptimizeTask(const json::object& task);

/// The entry that books a result. Levels that are not given are relative to the energy before, and marked so in `meta`.
[[nodiscard]] store::NewLedgerEntry ToLedgerEntry(const FlywheelRequest& request, const CallContext& call);

[[nodiscard]] EnergyValue ToValue(const energy::EnergyTerms& terms, bool with_terms);
[[nodiscard]] GradientValues ToValues(const energy::EnergyGradients& gradients);
[[nodiscard]] EnergyScalars ToScalars(const energy::Weights& weights);

}  // namespace seedcore::service
