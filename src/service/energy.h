#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/json_binding.h"
#include "base/metrics.h"
#include "energy/energy.h"
#include "energy/flywheel.h"
#include "service/energy_ledger.h"
#include "service/operation.h"
#include "service/peer.h"
#include "service/state.h"
#include "store/store.h"

/// The Energy service, /energy: the unified energy, its gradients, its ledger and the adaptation of its weights
/// (P§1.5).
namespace seedcore::service {

struct EnergyScalars {
  double alpha_entropy = 0.0;
  double lambda_reg = 0.0;
  double beta_mem = 0.0;
  static constexpr auto kFields = Fields(Required("alpha_entropy", &EnergyScalars::alpha_entropy, "Entropy weight"),
                                         Required("lambda_reg", &EnergyScalars::lambda_reg, "Regularization weight"),
                                         Required("beta_mem", &EnergyScalars::beta_mem, "Memory weight"));
};

struct EnergyHealth {
  std::string status = "healthy";
  std::string service = "energy-service";
  bool initialized = true;
  bool state_service_connected = false;
  std::optional<std::string> error;
  [[nodiscard]] int HttpStatus() const { return initialized ? 200 : 503; }
  static constexpr auto kFields = Fields(
      Required("status", &EnergyHealth::status,
               "healthy; degraded: energy of a given state can be computed, that of the live state cannot; unhealthy "
               "(503): the weights cannot be read"),
      Required("service", &EnergyHealth::service, "energy-service"),
      Required("initialized", &EnergyHealth::initialized, "Whether the weights are loaded"),
      Required("state_service_connected", &EnergyHealth::state_service_connected, "Whether the State service answers"),
      Sparse("error", &EnergyHealth::error, "Why the status is not healthy"));
};

struct EnergyStatus {
  std::string status = "healthy";
  std::string service = "energy-service";
  bool initialized = true;
  bool state_service_connected = false;
  std::optional<std::string> error;
  EnergyScalars default_weights;
  std::optional<double> last_total;
  static constexpr auto kFields = Fields(
      Required("status", &EnergyStatus::status, "healthy or degraded"),
      Required("service", &EnergyStatus::service, "energy-service"),
      Required("initialized", &EnergyStatus::initialized, "Whether the weights are loaded"),
      Required("state_service_connected", &EnergyStatus::state_service_connected, "Whether the State service answers"),
      Sparse("error", &EnergyStatus::error, "Why the status is not healthy"),
      Required("default_weights", &EnergyStatus::default_weights, "The current weights of the cluster"),
      Sparse("last_total", &EnergyStatus::last_total, "Energy of the live state when last measured"));
};

/// Weights of one request; what is absent comes from the cluster's current weights.
struct EnergyWeightsPatch {
  std::optional<double> alpha_entropy;
  std::optional<double> lambda_reg;
  std::optional<double> beta_mem;
  std::optional<std::vector<std::vector<double>>> W_pair;
  std::optional<std::vector<double>> W_hyper;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields =
      Fields(Sparse("alpha_entropy", &EnergyWeightsPatch::alpha_entropy, "Entropy weight, 0 or more"),
             Sparse("lambda_reg", &EnergyWeightsPatch::lambda_reg, "Regularization weight, 0 or more"),
             Sparse("beta_mem", &EnergyWeightsPatch::beta_mem, "Memory weight, 0 or more"),
             Sparse("W_pair", &EnergyWeightsPatch::W_pair, "N x N, agents in the order of their ids; used as given"),
             Sparse("W_hyper", &EnergyWeightsPatch::W_hyper, "One weight per entry of E_patterns; used as given"));
};

struct ComputeEnergyRequest {
  state::UnifiedState unified_state;
  std::optional<EnergyWeightsPatch> weights;
  bool include_gradients = false;
  bool include_breakdown = true;
  static constexpr auto kFields = Fields(
      Required("unified_state", &ComputeEnergyRequest::unified_state, "The state, as /state/unified-state gives it"),
      Sparse("weights", &ComputeEnergyRequest::weights, "Weights that differ from the cluster's"),
      Optional("include_gradients", &ComputeEnergyRequest::include_gradients, "Add the gradients"),
      Optional("include_breakdown", &ComputeEnergyRequest::include_breakdown, "Add the five terms"));
};

/// The five terms, or the total alone.
struct EnergyValue {
  std::optional<double> pair;
  std::optional<double> hyper;
  std::optional<double> entropy;
  std::optional<double> reg;
  std::optional<double> mem;
  double total = 0.0;
  static constexpr auto kFields = Fields(
      Sparse("pair", &EnergyValue::pair, "Pair term"), Sparse("hyper", &EnergyValue::hyper, "Hyperedge term"),
      Sparse("entropy", &EnergyValue::entropy, "Entropy term"), Sparse("reg", &EnergyValue::reg, "Regularization term"),
      Sparse("mem", &EnergyValue::mem, "Memory term"), Required("total", &EnergyValue::total, "Sum of the five terms"));
};

struct GradientValues {
  std::vector<std::vector<double>> dE_dH;
  double dE_dP_entropy = 0.0;
  std::vector<std::vector<double>> dE_dP;
  std::optional<std::vector<double>> dE_dE_sel;
  double dE_ds_norm = 0.0;
  double dE_dmem = 0.0;
  static constexpr auto kFields =
      Fields(Required("dE/dH", &GradientValues::dE_dH, "N x D, agents in the order of their ids: -2 W_pair H"),
             Required("dE/dP_entropy", &GradientValues::dE_dP_entropy, "By the summed entropy: -alpha"),
             Required("dE/dP", &GradientValues::dE_dP, "N x 3 (E, S, O): alpha (ln p + H(p))"),
             Optional("dE/dE_sel", &GradientValues::dE_dE_sel, "-W_hyper; null without patterns"),
             Required("dE/ds_norm", &GradientValues::dE_ds_norm, "2 lambda ||H||_F"),
             Required("dE/dmem", &GradientValues::dE_dmem, "By the compression cost: beta"));
};

struct EnergyResponse {
  bool success = true;
  EnergyValue energy;
  std::optional<GradientValues> gradients;
  std::optional<energy::EnergyTerms> breakdown;
  std::vector<std::string> absent;
  double timestamp = 0.0;
  double computation_time_ms = 0.0;
  static constexpr auto kFields =
      Fields(Required("success", &EnergyResponse::success, "Always true: a failure is an HTTP error"),
             Required("energy", &EnergyResponse::energy, "The energy; with the terms when a breakdown was asked for"),
             Optional("gradients", &EnergyResponse::gradients, "Partial derivatives; null unless asked for"),
             Optional("breakdown", &EnergyResponse::breakdown, "The terms once more; null unless asked for"),
             Sparse("absent", &EnergyResponse::absent, "Inputs that the state lacks; their terms are 0"),
             Required("timestamp", &EnergyResponse::timestamp, "When, Unix seconds"),
             Required("computation_time_ms", &EnergyResponse::computation_time_ms, "How long it took"));
};

struct EnergyFromStateQuery {
  std::optional<std::vector<std::string>> agent_ids;
  bool include_gradients = false;
  bool include_breakdown = true;
  static constexpr auto kFields =
      Fields(Optional("agent_ids", &EnergyFromStateQuery::agent_ids, "Only these agents; absent: all"),
             Optional("include_gradients", &EnergyFromStateQuery::include_gradients, "Add the gradients"),
             Optional("include_breakdown", &EnergyFromStateQuery::include_breakdown, "Add the five terms"));
};

struct FlywheelRequest {
  double delta_e = 0.0;
  std::optional<energy::EnergyTerms> breakdown;
  std::optional<double> energy_before;
  std::optional<double> energy_after;
  double cost = 0.0;
  std::string scope = "cluster";
  std::string scope_id = "-";
  std::string task_id;
  std::optional<double> p_fast;
  std::optional<double> drift;
  std::optional<double> beta_mem;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields = Fields(
      Required("delta_e", &FlywheelRequest::delta_e, "Measured energy after minus before; negative is better"),
      Sparse("breakdown", &FlywheelRequest::breakdown, "Terms of the energy after"),
      Sparse("energy_before", &FlywheelRequest::energy_before, "Measured energy before"),
      Sparse("energy_after", &FlywheelRequest::energy_after, "Measured energy after; must agree with delta_e"),
      Optional("cost", &FlywheelRequest::cost, "What the work cost, in units of energy; 0 or more"),
      Optional("scope", &FlywheelRequest::scope, "agent, organ, cluster or evolution"),
      Optional("scope_id", &FlywheelRequest::scope_id, "Which agent or organ"),
      Sparse("task_id", &FlywheelRequest::task_id, "The task that did it"),
      Sparse("p_fast", &FlywheelRequest::p_fast, "Share of the fast path at the time, 0 to 1; kept with the entry"),
      Sparse("drift", &FlywheelRequest::drift, "Drift of the task; kept with the entry"),
      Sparse("beta_mem", &FlywheelRequest::beta_mem, "Sets the memory weight, within its bounds"));
};

struct FlywheelResponse {
  bool success = true;
  EnergyScalars updated_weights;
  bool ledger_ok = true;
  std::optional<double> balance_after;
  std::string tx_id;
  double timestamp = 0.0;
  static constexpr auto kFields =
      Fields(Required("success", &FlywheelResponse::success, "Always true: a failure is an HTTP error"),
             Required("updated_weights", &FlywheelResponse::updated_weights, "Weights after the adaptation"),
             Required("ledger_ok", &FlywheelResponse::ledger_ok, "Whether the entry is in the ledger"),
             Optional("balance_after", &FlywheelResponse::balance_after, "before - delta_e - cost"),
             Sparse("tx_id", &FlywheelResponse::tx_id, "Id of the ledger entry"),
             Required("timestamp", &FlywheelResponse::timestamp, "When, Unix seconds"));
};

struct OptimizeAgentsRequest {
  state::UnifiedState unified_state;
  json::object task;
  std::optional<EnergyWeightsPatch> weights;
  std::optional<int> max_agents;
  [[nodiscard]] Result<void> Validate() const;
  static constexpr auto kFields =
      Fields(Required("unified_state", &OptimizeAgentsRequest::unified_state, "The agents to choose from"),
             Required("task", &OptimizeAgentsRequest::task,
                      "What they are to do. Read: type, size (large, small), urgent, required_capability (0 to 1)"),
             Sparse("weights", &OptimizeAgentsRequest::weights, "Weights that differ from the cluster's"),
             Sparse("max_agents", &OptimizeAgentsRequest::max_agents, "At most this many; absent: all, best first"));
};

struct OptimizeAgentsResponse {
  bool success = true;
  std::vector<std::string> selected_agents;
  std::map<std::string, double> suitability_scores;
  std::map<std::string, std::string> recommended_roles;
  double task_complexity = 0.0;
  double timestamp = 0.0;
  double computation_time_ms = 0.0;
  static constexpr auto kFields =
      Fields(Required("success", &OptimizeAgentsResponse::success, "Always true: a failure is an HTTP error"),
             Required("selected_agents", &OptimizeAgentsResponse::selected_agents, "Best first"),
             Required("suitability_scores", &OptimizeAgentsResponse::suitability_scores,
                      "Score of every agent that may do it; smaller is better"),
             Required("recommended_roles", &OptimizeAgentsResponse::recommended_roles, "Role for each selected agent"),
             Required("task_complexity", &OptimizeAgentsResponse::task_complexity, "0.1 to 1"),
             Required("timestamp", &OptimizeAgentsResponse::timestamp, "When, Unix seconds"),
             Required("computation_time_ms", &OptimizeAgentsResponse::computation_time_ms, "How long it took"));
};

struct GradientResponse {
  bool success = true;
  energy::EnergyTerms breakdown;
  GradientValues gradients;
  std::vector<std::string> agent_ids;
  double timestamp = 0.0;
  static constexpr auto kFields =
      Fields(Required("success", &GradientResponse::success, "Always true: a failure is an HTTP error"),
             Required("breakdown", &GradientResponse::breakdown, "The energy, term by term"),
             Required("gradients", &GradientResponse::gradients, "Partial derivatives"),
             Required("agent_ids", &GradientResponse::agent_ids, "Which agent each row belongs to"),
             Required("timestamp", &GradientResponse::timestamp, "When, Unix seconds"));
};

struct EnergyDependencies {
  Env& env;
  Metrics& metrics;
  store::StreamStore& streams;
  store::LedgerStore& ledger;
  Peer<StateService> state;  ///< unbound: there is no State service
  /// Measured shares of the fast path and of escalations over recent traffic; nullopt before any. Empty: not measured.
  std::function<std::optional<std::pair<double, double>>()> routing_shares;
  energy::StabilitySettings stability;
};

/// Thread-safe; its dependencies outlive it. Weights are shared through the store: the operations that may block
/// re-read them at most every 5 s, ComputeEnergy takes the last ones read.
class EnergyService {
 public:
  explicit EnergyService(EnergyDependencies dependencies);
  ~EnergyService();
  EnergyService(const EnergyService&) = delete;
  EnergyService& operator=(const EnergyService&) = delete;

  Result<EnergyHealth> Health(const Empty& request, const CallContext& call);
  Result<EnergyStatus> Status(const Empty& request, const CallContext& call);

  Result<EnergyResponse> ComputeEnergy(const ComputeEnergyRequest& request, const CallContext& call);
  Result<GradientResponse> Gradient(const ComputeEnergyRequest& request, const CallContext& call);
  Result<OptimizeAgentsResponse> OptimizeAgents(const OptimizeAgentsRequest& request, const CallContext& call);

  // Of the live state: kUnavailable when it cannot be collected or has no agents.
  Result<EnergyResponse> EnergyFromState(const EnergyFromStateQuery& request, const CallContext& call);
  Result<GradientResponse> LiveGradient(const Empty& request, const CallContext& call);
  Result<energy::EnergyTerms> LiveTerms(const Empty& request, const CallContext& call);

  /// Appends to the ledger and adapts the weights.
  Result<FlywheelResponse> Flywheel(const FlywheelRequest& request, const CallContext& call);
  Result<BalanceResponse> Balance(const BalanceRequest& request, const CallContext& call);
  Result<LedgerReply> Ledger(const LedgerQuery& request, const CallContext& call);
  /// kUnavailable before any task was routed.
  Result<energy::Stability> Meta(const Empty& request, const CallContext& call);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

[[nodiscard]] OperationTable<EnergyService> EnergyOperations();

}  // namespace seedcore::service
