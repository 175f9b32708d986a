#include "service/energy.h"

#include <algorithm>
#include <array>

#include "energy/selection.h"
#include "service/energy_wire.h"
#include "service/weight_store.h"

namespace seedcore::service {
namespace {

double UnixSeconds(Env& env) { return static_cast<double>(ToUnixMicros(env.WallNow())) / 1e6; }

double MillisecondsSince(Instant start, Env& env) {
  return std::chrono::duration<double, std::milli>(env.Now() - start).count();
}

}  // namespace

struct EnergyService::Impl {
  explicit Impl(EnergyDependencies parts)
      : dependencies(std::move(parts)),
        weights(dependencies.env, dependencies.streams),
        total(dependencies.metrics.GetGauge("energy_total", "Unified energy of the live state")),
        delta(dependencies.metrics.GetGauge("energy_delta_last", "Last reported change of energy")) {
    constexpr std::array<std::string_view, 5> kTerms{"pair", "hyper", "entropy", "reg", "mem"};
    for (std::size_t i = 0; i < kTerms.size(); ++i) {
      terms[i] = &dependencies.metrics.GetGauge("energy_term_value", "Terms of the unified energy of the live state",
                                                {{"term", std::string(kTerms[i])}});
    }
  }

  /// The live state, which must have agents.
  Result<state::UnifiedState> LiveState(const std::optional<std::vector<std::string>>& agent_ids,
                                        const CallContext& call) {
    const UnifiedStateRequest request{.agent_ids = agent_ids, .include_organs = false};
    auto reply = dependencies.state.Call<&StateService::UnifiedState>(request, call);
    if (!reply) {
      // An agent that the caller named and that does not exist is the caller's fault; all else is ours.
      if (reply.error().code == ErrorCode::kNotFound) return std::unexpected(reply.error());
      return Fail(ErrorCode::kUnavailable, "the live state is not available: " + reply.error().message);
    }
    if (reply->unified_state.agents.empty()) {
      const auto why = std::ranges::find(reply->missing, "agents", &state::MissingPart::part);
      return Fail(ErrorCode::kUnavailable,
                  "the live state has no agents" + (why == reply->missing.end() ? "" : ": " + why->reason));
    }
    return std::move(reply->unified_state);
  }

  void Publish(const energy::EnergyTerms& measured) {
    const std::array values{measured.pair, measured.hyper, measured.entropy, measured.reg, measured.mem};
    for (std::size_t i = 0; i < values.size(); ++i) terms[i]->Set(values[i]);
    total.Set(measured.total);
    const std::lock_guard lock(mutex);
    last_live = measured;
  }

  std::optional<energy::EnergyTerms> LastLive() {
    const std::lock_guard lock(mutex);
    return last_live;
  }

  /// Whether the State service answers; fills in `error` when not.
  bool StateConnected(const CallContext& call, std::optional<std::string>& error) {
    if (!dependencies.state.IsBound()) {
      error = "the State service is not connected";
      return false;
    }
    const auto health = dependencies.state.Call<&StateService::Health>(Empty{}, call);
    if (!health) error = "State: " + ToString(health.error());
    if (health && health->status == "unhealthy") error = "State: no part has a live source";
    return !error;
  }

  EnergyDependencies dependencies;
  WeightStore weights;
  std::array<Gauge*, 5> terms{};
  Gauge& total;
  Gauge& delta;
  std::mutex mutex;  // guards last_live
  std::optional<energy::EnergyTerms> last_live;
};

EnergyService::EnergyService(EnergyDependencies dependencies)
    : impl_(std::make_unique<Impl>(std::move(dependencies))) {}
EnergyService::~EnergyService() = default;

Result<EnergyHealth> EnergyService::Health(const Empty&, const CallContext& call) {
  EnergyHealth health;
  health.state_service_connected = impl_->StateConnected(call, health.error);
  const auto weights = impl_->weights.Fresh();
  health.initialized = weights.has_value();
  if (const std::string error = impl_->weights.LastError(); !error.empty()) health.error = "weights: " + error;
  health.status = !health.initialized ? "unhealthy" : health.error ? "degraded" : "healthy";
  return health;
}

Result<EnergyStatus> EnergyService::Status(const Empty& request, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const EnergyHealth health, Health(request, call));
  EnergyStatus status;
  status.status = health.status;
  status.initialized = health.initialized;
  status.state_service_connected = health.state_service_connected;
  status.error = health.error;
  SEEDCORE_ASSIGN_OR_RETURN(const energy::Weights weights, impl_->weights.Fresh());
  status.default_weights = ToScalars(weights);
  if (const auto last = impl_->LastLive()) status.last_total = last->total;
  return status;
}

Result<EnergyResponse> EnergyService::ComputeEnergy(const ComputeEnergyRequest& request, const CallContext&) {
  Env& env = impl_->dependencies.env;
  const Instant start = env.Now();
  SEEDCORE_ASSIGN_OR_RETURN(const energy::EnergyInput input, ReadState(request.unified_state, "unified_state"));
  SEEDCORE_ASSIGN_OR_RETURN(energy::Weights current, impl_->weights.Cached());
  SEEDCORE_ASSIGN_OR_RETURN(const energy::Weights weights,
                            MergeWeights(std::move(current), request.weights, input.h.rows));
  SEEDCORE_ASSIGN_OR_RETURN(const energy::EnergyTerms terms, energy::ComputeEnergy(input, weights));

  EnergyResponse response;
  response.energy = ToValue(terms, request.include_breakdown);
  if (request.include_breakdown) response.breakdown = terms;
  if (request.include_gradients) {
    SEEDCORE_ASSIGN_OR_RETURN(const auto gradients, energy::ComputeGradients(input, weights));
    response.gradients = ToValues(gradients);
  }
  response.absent = AbsentInputs(request.unified_state);
  response.timestamp = UnixSeconds(env);
  response.computation_time_ms = MillisecondsSince(start, env);
  return response;
}

Result<GradientResponse> EnergyService::Gradient(const ComputeEnergyRequest& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const energy::EnergyInput input, ReadState(request.unified_state, "unified_state"));
  SEEDCORE_ASSIGN_OR_RETURN(energy::Weights current, impl_->weights.Fresh());
  SEEDCORE_ASSIGN_OR_RETURN(const energy::Weights weights,
                            MergeWeights(std::move(current), request.weights, input.h.rows));
  GradientResponse response;
  SEEDCORE_ASSIGN_OR_RETURN(response.breakdown, energy::ComputeEnergy(input, weights));
  SEEDCORE_ASSIGN_OR_RETURN(const auto gradients, energy::ComputeGradients(input, weights));
  response.gradients = ToValues(gradients);
  for (const auto& [id, agent] : request.unified_state.agents) response.agent_ids.push_back(id);
  response.timestamp = UnixSeconds(impl_->dependencies.env);
  return response;
}

Result<OptimizeAgentsResponse> EnergyService::OptimizeAgents(const OptimizeAgentsRequest& request, const CallContext&) {
  Env& env = impl_->dependencies.env;
  const Instant start = env.Now();
  SEEDCORE_RETURN_IF_ERROR(request.Validate());
  SEEDCORE_ASSIGN_OR_RETURN(const OptimizeTask task, ReadOptimizeTask(request.task));
  SEEDCORE_ASSIGN_OR_RETURN(const energy::EnergyInput input, ReadState(request.unified_state, "unified_state"));
  SEEDCORE_ASSIGN_OR_RETURN(energy::Weights current, impl_->weights.Fresh());
  SEEDCORE_ASSIGN_OR_RETURN(const energy::Weights weights,
                            MergeWeights(std::move(current), request.weights, input.h.rows));
  // Refuses what the shares could not be computed from.
  SEEDCORE_RETURN_IF_ERROR(energy::ComputeEnergy(input, weights));
  const std::vector<double> shares = energy::EnergyShares(input, weights);
  const energy::Role role = energy::IdealRole(task.type);

  OptimizeAgentsResponse response;
  response.task_complexity = energy::TaskComplexity(task.type, task.size, task.urgent);
  std::vector<std::pair<double, std::string>> ranked;
  std::size_t row = 0;
  for (const auto& [id, agent] : request.unified_state.agents) {
    const double share = shares[row++];
    if (agent.c < task.required_capability || agent.lifecycle == "Archived") continue;
    const double score = energy::Suitability(agent, role, response.task_complexity, share);
    response.suitability_scores[id] = score;
    ranked.emplace_back(score, id);
  }
  std::ranges::sort(ranked);
  if (request.max_agents) ranked.resize(std::min(ranked.size(), static_cast<std::size_t>(*request.max_agents)));
  for (auto& [score, id] : ranked) {
    response.recommended_roles[id] = energy::ToString(role);
    response.selected_agents.push_back(std::move(id));
  }
  response.timestamp = UnixSeconds(env);
  response.computation_time_ms = MillisecondsSince(start, env);
  return response;
}

Result<EnergyResponse> EnergyService::EnergyFromState(const EnergyFromStateQuery& request, const CallContext& call) {
  ComputeEnergyRequest compute;
  compute.include_gradients = request.include_gradients;
  compute.include_breakdown = true;
  SEEDCORE_ASSIGN_OR_RETURN(compute.unified_state, impl_->LiveState(request.agent_ids, call));
  SEEDCORE_RETURN_IF_ERROR(impl_->weights.Fresh());
  SEEDCORE_ASSIGN_OR_RETURN(EnergyResponse response, ComputeEnergy(compute, call));
  if (!request.agent_ids) impl_->Publish(*response.breakdown);
  if (!request.include_breakdown) {
    response.energy = ToValue(*response.breakdown, false);
    response.breakdown.reset();
  }
  return response;
}

Result<GradientResponse> EnergyService::LiveGradient(const Empty&, const CallContext& call) {
  ComputeEnergyRequest compute;
  SEEDCORE_ASSIGN_OR_RETURN(compute.unified_state, impl_->LiveState(std::nullopt, call));
  SEEDCORE_ASSIGN_OR_RETURN(GradientResponse response, Gradient(compute, call));
  impl_->Publish(response.breakdown);
  return response;
}

Result<energy::EnergyTerms> EnergyService::LiveTerms(const Empty&, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const state::UnifiedState state, impl_->LiveState(std::nullopt, call));
  SEEDCORE_ASSIGN_OR_RETURN(const energy::EnergyInput input, ReadState(state, "state"));
  SEEDCORE_ASSIGN_OR_RETURN(const energy::Weights weights, impl_->weights.Fresh());
  SEEDCORE_ASSIGN_OR_RETURN(const energy::EnergyTerms terms, energy::ComputeEnergy(input, weights));
  impl_->Publish(terms);
  return terms;
}

Result<FlywheelResponse> EnergyService::Flywheel(const FlywheelRequest& request, const CallContext& call) {
  SEEDCORE_RETURN_IF_ERROR(request.Validate());
  store::LedgerStore& ledger = impl_->dependencies.ledger;
  FlywheelResponse response;
  response.timestamp = UnixSeconds(impl_->dependencies.env);

  if (!call.idempotency_key.empty() && !request.task_id.empty()) {
    SEEDCORE_ASSIGN_OR_RETURN(const auto entries, ledger.ForTask(request.task_id));
    for (const store::LedgerEntry& entry : entries) {
      const json::value* key = entry.meta.if_contains("idempotency_key");
      if (key == nullptr || !key->is_string() || key->get_string() != call.idempotency_key) continue;
      SEEDCORE_ASSIGN_OR_RETURN(const energy::Weights weights, impl_->weights.Fresh());
      response.updated_weights = ToScalars(weights);
      response.balance_after = entry.balance_after;
      response.tx_id = entry.tx_id;
      return response;
    }
  }

  // The weights first: should the ledger fail and the caller try again, a small bounded step is taken twice, but no
  // amount is ever booked twice.
  SEEDCORE_ASSIGN_OR_RETURN(const energy::Weights weights,
                            impl_->weights.Adapt({.delta_e = request.delta_e, .beta_mem = request.beta_mem}));
  SEEDCORE_ASSIGN_OR_RETURN(const store::LedgerEntry written, ledger.Append(ToLedgerEntry(request, call)));

  impl_->delta.Set(request.delta_e);
  response.updated_weights = ToScalars(weights);
  response.balance_after = written.balance_after;
  response.tx_id = written.tx_id;
  return response;
}

Result<BalanceResponse> EnergyService::Balance(const BalanceRequest& request, const CallContext&) {
  SEEDCORE_ASSIGN_OR_RETURN(const double balance, impl_->dependencies.ledger.Balance(request.scope, request.scope_id));
  return BalanceResponse{request.scope, request.scope_id, balance};
}

Result<LedgerReply> EnergyService::Ledger(const LedgerQuery& request, const CallContext&) {
  SEEDCORE_RETURN_IF_ERROR(request.Validate());
  store::LedgerStore& ledger = impl_->dependencies.ledger;
  SEEDCORE_ASSIGN_OR_RETURN(auto entries,
                            request.task_id ? ledger.ForTask(*request.task_id) : ledger.Recent(request.limit));
  return ToReply(std::move(entries));
}

Result<energy::Stability> EnergyService::Meta(const Empty&, const CallContext&) {
  const auto shares = impl_->dependencies.routing_shares ? impl_->dependencies.routing_shares() : std::nullopt;
  if (!shares) return Fail(ErrorCode::kUnavailable, "no task has been routed yet, so that there is nothing to measure");
  SEEDCORE_ASSIGN_OR_RETURN(const energy::Weights weights, impl_->weights.Fresh());
  return energy::EstimateStability(shares->first, shares->second, weights.beta_mem, impl_->dependencies.stability);
}

OperationTable<EnergyService> EnergyOperations() {
  return {
      "/energy",
      "Energy: the unified energy, its gradients, its ledger and the adaptation of its weights",
      {
          Get<&EnergyService::Health>("/health", "What this service can serve now").Open(),
          Get<&EnergyService::Status>("/status", "Health, current weights and the last energy"),
          Post<&EnergyService::ComputeEnergy>("/compute-energy", "Energy of a unified state, term by term").Inline(),
          Post<&EnergyService::Gradient>("/gradient", "Gradients of the energy of a unified state"),
          Get<&EnergyService::LiveGradient>("/gradient", "Gradients of the energy of the live state"),
          Post<&EnergyService::Flywheel>("/flywheel/result", "Books a change of energy and adapts the weights"),
          Get<&EnergyService::Balance>("/balance", "Balance of a scope in the energy ledger"),
          Get<&EnergyService::Ledger>("/ledger", "Entries of the energy ledger: of one task, or the newest"),
          Post<&EnergyService::OptimizeAgents>("/optimize-agents", "Which agents suit a task, best first"),
          Get<&EnergyService::LiveTerms>("/metrics", "Energy of the live state, term by term"),
          Get<&EnergyService::LiveTerms>("/telemetry", "The same as /metrics"),
          Get<&EnergyService::EnergyFromState>("/energy-from-state", "Energy of the live state"),
          Get<&EnergyService::Meta>("/meta", "Stability of the loop, and whether a promotion is allowed"),
      },
      ""};
}

}  // namespace seedcore::service
