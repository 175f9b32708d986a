#pragma once

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "coordinator/plan.h"
#include "coordinator/router.h"
#include "coordinator/triage.h"
#include "service/coordinator.h"

/// What the files of the Coordinator service share.
namespace seedcore::service {

/// A task as routing sees it: every value present and within its range.
struct RoutedTask {
  std::string id;
  std::string type;
  std::string description;
  std::string domain;
  json::object params;
  json::object features;
  std::vector<std::string> history_ids;
  int priority = 5;
  double complexity = 0.5;
  std::string idempotency_key;
  int attempt = 1;
  EffectsMode effects = EffectsMode::kApply;
  std::optional<store::Lease> lease{};  ///< of the stored task

  [[nodiscard]] coordinator::TaskView View() const {
    return {.type = type,
            .domain = domain,
            .priority = priority,
            .complexity = complexity,
            .params = &params,
            .features = &features};
  }
};

/// params.priority as a number in 1..10 or one of low, medium, high, critical; else `fallback`, else 5.
[[nodiscard]] int NormalizedPriority(const json::object& params, std::optional<int> fallback);
/// params.complexity, clamped to 0..1; else 0.5.
[[nodiscard]] double NormalizedComplexity(const json::object& params);
/// params.organ_timeout_s clamped to 1..300; 30 when it is missing or no number.
[[nodiscard]] double NormalizedOrganTimeout(const json::object& params);
/// What drift is measured on: description, domain, type and the plain parameters, in words (C§4.2). Arrays and objects
/// are data of the task, not its wording, and are left out.
[[nodiscard]] std::string DriftText(const RoutedTask& task);

/// Metric handles, looked up once.
struct CoordinatorInstruments {
  explicit CoordinatorInstruments(Metrics& metrics);
  void CountRequest(std::string_view path, bool success);
  void CountRouting(const coordinator::RouteDecision& decision);
  void CountMutation(const coordinator::MutationDecision& decision);
  void SetSignals(const coordinator::Signals& signals);

  Metrics& metrics;
  Counter& total_requests;
  Counter& escalation_requests;
  Counter& drift_measured;
  Counter& drift_failed;
  Counter& synthesis_done;
  Counter& synthesis_failed;
  Histogram& router_ms;
  Histogram& end_to_end_ms;
  Histogram& drift_seconds;
  Histogram& drift_scores;
  Histogram& evaluation_seconds;
  std::array<Gauge*, coordinator::kSignalCount> signal_gauges{};  ///< null for what is not exported

 private:
  void CountEvaluations(std::string_view rule_type, const coordinator::RuleTrace& trace, bool matched);
};

/// Counts for GET /pipeline/metrics.
struct CoordinatorCounters {
  std::atomic<std::int64_t> total{0};
  std::atomic<std::int64_t> succeeded{0};
  std::atomic<std::int64_t> failed{0};
  std::atomic<std::int64_t> fast{0};
  std::atomic<std::int64_t> hgnn{0};
  std::atomic<std::int64_t> held{0};
  std::atomic<std::int64_t> retried{0};
  std::atomic<std::int64_t> escalation_failures{0};
  std::atomic<std::int64_t> escalations_refused{0};
  std::atomic<std::int64_t> triages{0};
  std::atomic<std::int64_t> rules_skipped{0};
  std::atomic<std::int64_t> fast_us{0};
  std::atomic<std::int64_t> fast_executions{0};
  std::atomic<std::int64_t> hgnn_us{0};
  std::atomic<std::int64_t> hgnn_executions{0};
};

/// A place among the escalations under way, given back on destruction.
class EscalationSlot {
 public:
  /// kResourceExhausted when `limit` are taken.
  [[nodiscard]] static Result<EscalationSlot> Take(std::atomic<int>& taken, int limit);
  EscalationSlot(EscalationSlot&& other) noexcept : taken_(std::exchange(other.taken_, nullptr)) {}
  EscalationSlot& operator=(EscalationSlot&&) = delete;
  ~EscalationSlot() {
    if (taken_ != nullptr) taken_->fetch_sub(1);
  }

 private:
  explicit EscalationSlot(std::atomic<int>& taken) : taken_(&taken) {}
  std::atomic<int>* taken_;
};

struct CoordinatorService::Impl {
  explicit Impl(CoordinatorDependencies dependencies);

  // coordinator_routing.cc
  [[nodiscard]] RoutedTask Normalize(const RouteRequest& request);
  /// Drift from ML, then the valve of the stream. Without drift the task is still routed: what is missing is a warning.
  /// Fails only when the call is over.
  [[nodiscard]] Result<Evidence> MeasureDrift(const RoutedTask& task, const CallContext& call);
  [[nodiscard]] coordinator::Signals MakeSignals(const Evidence& evidence, int priority, double complexity);
  [[nodiscard]] coordinator::RouteDecision Decide(const coordinator::RuleSet& rules, const coordinator::TaskView& task,
                                                  const coordinator::Signals& signals);
  Result<RouteResponse> Route(const RouteRequest& request, const CallContext& call);

  // coordinator_execution.cc
  /// Resolves the organ (`preferred` may be empty) and executes.
  [[nodiscard]] Result<ExecuteReply> Execute(OrganTask task, const std::string& preferred, double timeout_s,
                                             EffectsMode effects, const CallContext& call);
  void ExecuteFast(const RoutedTask& task, const std::string& organ, const CallContext& call, RouteResponse& out);
  void ExecuteEscalated(const RoutedTask& task, const CallContext& call, RouteResponse& out);

  // coordinator_triage.cc
  Result<AnomalyTriageResponse> Triage(const AnomalyTriageRequest& request, const CallContext& call);
  Result<void> Reason(const AnomalyTriageRequest& request, const CallContext& call, AnomalyTriageResponse& out);
  Result<void> Remember(const AnomalyTriageRequest& request, const CallContext& call, AnomalyTriageResponse& out);

  CoordinatorDependencies deps;
  CoordinatorInstruments instruments;
  CoordinatorCounters counters;
  coordinator::LoadMeter load;
  coordinator::MachineLoad machine;
  std::atomic<int> escalations{0};
};

/// "inner failure is outer failure": fills the response as a failed one.
void SetError(RouteResponse& response, const Error& error, const std::string& original_type);

[[nodiscard]] double ToMilliseconds(std::chrono::nanoseconds duration);

}  // namespace seedcore::service
