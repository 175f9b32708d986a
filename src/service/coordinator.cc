#include "service/coordinator.h"

#include <fmt/format.h>

#include "service/coordinator_impl.h"
#include "service/edge.h"
#include "service/task_route.h"
#include "service/tasks.h"

namespace seedcore::service {

using coordinator::Signal;

namespace {

constexpr int kMaxShownStreams = 100;
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

Result<PredicateStatus> CoordinatorService::PredicatesStatus(const Empty&, const CallContext&) {
  const auto rules = impl_->deps.rules.Current();
  const auto book = impl_->deps.rules.status();
  PredicateStatus out;
  PredicateConfigStatus& config = out.predicate_config;
  config.version = TextOf(rules->metadata, "version");
  config.commit = TextOf(rules->metadata, "commit");
  config.loaded_at = rules->loaded_at;
  config.file = rules->source;
  config.file_hash = rules->hash;
  config.routing_rules = static_cast<std::int64_t>(rules->routing.size());
  config.mutation_rules = static_cast<std::int64_t>(rules->mutations.size());
  config.routing_enabled = rules->routing_enabled;
  config.mutations_enabled = rules->mutations_enabled;
  config.gpu_guard_enabled = rules->gpu_guard_enabled;
  config.is_fallback = !impl_->deps.rules.file().empty() && rules->source == "built-in";
  config.loads = static_cast<std::int64_t>(book.loads);
  config.failed_loads = static_cast<std::int64_t>(book.failures);
  if (book.last_error) config.last_error = ToString(*book.last_error);

  // The priority and complexity of a task are no measurement of now.
  coordinator::Signals signals = impl_->MakeSignals({}, 5, 0.5);
  out.signals = signals.ToJson();
  out.signals.erase("task_priority");
  out.signals.erase("task_complexity");
  out.escalation_ratio = signals.Get(Signal::kEscalationRatio);

  SEEDCORE_ASSIGN_OR_RETURN(const auto streams, impl_->deps.streams.List("ocps", kMaxShownStreams));
  for (const auto& [stream, stored] : streams) {
    if (const auto state = FromJson<coordinator::OcpsState>(stored)) {
      out.ocps[stream] = {.stream = stream, .cusum = state->cusum, .fast = state->fast, .escalated = state->escalated};
    }
  }
  return out;
}

Result<PredicateConfigResponse> CoordinatorService::PredicatesConfig(const Empty&, const CallContext&) {
  return FromJson<PredicateConfigResponse>(coordinator::ToJson(*impl_->deps.rules.Current()));
}

Result<PredicateReloadResponse> CoordinatorService::ReloadPredicates(const Empty&, const CallContext&) {
  SEEDCORE_RETURN_IF_ERROR(impl_->deps.rules.Load());
  const auto rules = impl_->deps.rules.Current();
  return PredicateReloadResponse{.success = true,
                                 .message = fmt::format("{} routing rules and {} mutation rules from {}",
                                                        rules->routing.size(), rules->mutations.size(), rules->source)};
}

Result<CoordinatorHealth> CoordinatorService::Health(const Empty& request, const CallContext& caller) {
  const CallContext call = caller.Within(kHealthTimeout, impl_->deps.env);
  CoordinatorHealth out;
  out.parts["ml"] = Verdict(impl_->deps.ml.Call<&MlService::Health>(request, call));
  out.parts["cognitive"] = Verdict(impl_->deps.cognitive.Call<&CognitiveService::Health>(request, call));
  const auto organism = impl_->deps.organism.Call<&OrganismService::Health>(request, call);
  out.parts["organism"] = Verdict(organism);
  const auto book = impl_->deps.rules.status();
  out.parts["rules"] = book.last_error ? ToString(*book.last_error) : std::string("ok");
  const auto streams = impl_->deps.streams.Load("ocps", "health");
  out.parts["store"] = streams ? std::string("ok") : ToString(streams.error());
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
           Get<&CoordinatorService::PredicatesConfig>("/predicates/config", "The whole rule file as it is in force"),
           Post<&CoordinatorService::ReloadPredicates>("/predicates/reload", "Load the rule file again"),
           Get<&CoordinatorService::Health>("/health", "What this service can do now").Open()},
          "/pipeline/pipeline"};
}

}  // namespace seedcore::service
