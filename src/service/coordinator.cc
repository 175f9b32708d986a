#include "service/coordinator.h"

#include <fmt/format.h>

#include "service/coordinator_impl.h"
#include "service/edge.h"
#include "service/task_route.h"
#include "service/tasks.h"
#include "store/health_reason.h"

namespace seedcore::service {

namespace {

constexpr auto kHealthTimeout = std::chrono::seconds(1);

std::optional<double> Ratio(std::int64_t part, std::int64_t whole) {
  if (whole == 0) return std::nullopt;
  return static_cast<double>(part) / static_cast<double>(whole);
}

/// "ok", or what another service's health answer says is wrong.
template <class Health>
std::string Verdict(const Result<Health>& health) {
  if (!health) return ToString(health.error());
  if constexpr (requires { health->HttpStatus(); }) {
    if (health->HttpStatus() != 200) return health->status;
  }
  return health->status == "healthy" ? "ok" : health->status;
}

}  // namespace

CoordinatorService::Impl::Impl(CoordinatorDependencies dependencies)
    : deps(std::move(dependencies)), instruments(deps.metrics), load(deps.env), machine(deps.env) {}

CoordinatorService::CoordinatorService(CoordinatorDependencies dependencies)
    : impl_(std::make_unique<Impl>(std::move(dependencies))) {}
CoordinatorService::~CoordinatorService() = default;

Result<RouteResponse> CoordinatorService::RouteAndExecute(const RouteRequest& request, const CallContext& call) {
  return impl_->Route(request, call);
}

queue::TaskOutcome CoordinatorService::HandleTask(const store::Task& task, const CallContext& call) {
  return OutcomeOf(impl_->Route(RouteRequestOf(task, call), call), impl_->deps.settings.retry_delay);
}

Result<AnomalyTriageResponse> CoordinatorService::AnomalyTriage(const AnomalyTriageRequest& request,
                                                                const CallContext& call) {
  return impl_->Triage(request, call);
}

Result<CoordinatorMetrics> CoordinatorService::GetMetrics(const Empty&, const CallContext&) {
  const CoordinatorCounters& counters = impl_->counters;
  const auto reading = impl_->load.Read();
  const auto mean_ms = [](std::int64_t us, std::int64_t count) -> std::optional<double> {
    if (count == 0) return std::nullopt;
    return static_cast<double>(us) / 1000.0 / static_cast<double>(count);
  };
  CoordinatorMetrics out;
  out.total_tasks = counters.total;
  out.successful_tasks = counters.succeeded;
  out.failed_tasks = counters.failed;
  out.fast_path_tasks = counters.fast;
  out.hgnn_tasks = counters.hgnn;
  out.held_tasks = counters.held;
  out.retried_tasks = counters.retried;
  out.escalation_failures = counters.escalation_failures;
  out.escalations_refused = counters.escalations_refused;
  out.escalations_in_flight = impl_->escalations;
  out.triages = counters.triages;
  out.rules_skipped = counters.rules_skipped;
  out.fast_path_latency_ms = reading.fast_path_latency_ms;
  out.hgnn_latency_ms = reading.hgnn_latency_ms;
  out.fast_path_latency_ms_avg = mean_ms(counters.fast_us, counters.fast_executions);
  out.hgnn_latency_ms_avg = mean_ms(counters.hgnn_us, counters.hgnn_executions);
  out.success_rate = Ratio(out.successful_tasks, out.successful_tasks + out.failed_tasks);
  out.fast_path_rate = Ratio(out.fast_path_tasks, out.total_tasks);
  out.hgnn_rate = Ratio(out.hgnn_tasks, out.total_tasks);
  out.p_fast = reading.p_fast;
  return out;
}

Result<CoordinatorHealth> CoordinatorService::Health(const Empty& request, const CallContext& caller) {
  const CallContext call = caller.Within(kHealthTimeout, impl_->deps.env);
  CoordinatorHealth out;
  out.parts["ml"] = Verdict(impl_->deps.ml.Call<&MlService::Health>(request, call));
  out.parts["cognitive"] = Verdict(impl_->deps.cognitive.Call<&CognitiveService::Health>(request, call));
  const auto organism = impl_->deps.organism.Call<&OrganismService::Health>(request, call);
  out.parts["organism"] = Verdict(organism);
  out.parts["rules"] = RulesVerdict();
  const auto streams = impl_->deps.streams.Load("ocps", "health");
  out.parts["store"] = streams ? std::string("ok") : store::ReasonForAnybody(streams.error());
  for (const auto& [part, verdict] : out.parts) {
    if (verdict != "ok") out.status = "degraded";
  }
  const bool can_execute = organism && organism->HttpStatus() == 200 && streams;
  if (!can_execute) out.status = "unhealthy";
  return out;
}

Result<void> CoordinatorService::StreamEvents(const EventsRequest& request, const CallContext&,
                                              const std::shared_ptr<net::EventStream>& stream) {
  return StreamTaskEvents(impl_->deps.events, request, stream);
}

std::optional<std::pair<double, double>> CoordinatorService::RoutingShares() const {
  const auto escalated = impl_->load.Read().escalation_ratio;
  if (!escalated) return std::nullopt;
  return std::pair(1.0 - *escalated, *escalated);
}

OperationTable<CoordinatorService> CoordinatorOperations() {
  return {"/pipeline",
          "Coordinator: decides how each task is executed, has it executed, and triages anomalies",
          {Post<&CoordinatorService::RouteAndExecute>("/route-and-execute", "Route one task and have it executed"),
           Post<&CoordinatorService::AnomalyTriage>("/anomaly-triage",
                                                    "Find anomalies in a series, reason about them, decide"),
           Stream<&CoordinatorService::StreamEvents, TaskEventRead>("/events",
                                                                    "Every change of every stored task as it happens"),
           Get<&CoordinatorService::GetMetrics>("/metrics", "What was routed, where to, and how it went"),
           Get<&CoordinatorService::PredicatesStatus>("/predicates/status", "Rules in force and live signals"),
           Get<&CoordinatorService::PredicatesConfig>("/predicates/config", "All rules as they are in force"),
           Post<&CoordinatorService::ReloadPredicates>("/predicates/reload",
                                                       "Read the rules of the store, or the rule file, again"),
           Put<&CoordinatorService::PutPredicates>(
               "/predicates", "Put rules into the store, for all replicas: they follow within about a second"),
           Delete<&CoordinatorService::WithdrawPredicates>(
               "/predicates", "Withdraw the rules of the store: each replica goes back to its file"),
           Get<&CoordinatorService::PredicateVersions>("/predicates/versions", "Rules of the store, newest first"),
           Get<&CoordinatorService::PredicateVersion>("/predicates/versions/{version}", "One of them, with its text"),
           Get<&CoordinatorService::Health>("/health", "What this service can do now").Open()},
          "/pipeline/pipeline"};
}

}  // namespace seedcore::service
