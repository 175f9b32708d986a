#include "organism/organism.h"

#include <fmt/format.h>

#include "base/log.h"

namespace seedcore::organism {
namespace {

/// Whether a failure says something about the agent, rather than about what it was asked or whether it may.
bool IsAgentsDoing(const std::optional<Error>& error) {
  if (!error) return true;
  switch (error->code) {
    case ErrorCode::kMalformed:
    case ErrorCode::kInvalidArgument:
    case ErrorCode::kPermissionDenied:
    case ErrorCode::kNotFound:
    case ErrorCode::kCancelled: return false;
    default: return true;
  }
}

store::NewLedgerEntry LedgerEntryOf(const Execution& execution, const TaskSpec& task) {
  const energy::EnergyTerms& before = execution.accounted.before;
  const energy::EnergyTerms& after = execution.accounted.after;
  return {.scope = "agent",
          .scope_id = execution.agent_id,
          .task_id = task.id,
          .energy_before = before.total,
          .energy_after = after.total,
          .delta_e = after.total - before.total,
          .cost = 0.0,
          .breakdown = {{"pair", after.pair - before.pair},
                        {"entropy", after.entropy - before.entropy},
                        {"reg", after.reg - before.reg}},
          .meta = {{"organ_id", execution.organ_id}, {"task_type", task.type}, {"drift", task.drift_score}}};
}

}  // namespace

Organism::Organism(OrganismConfig config, OrganismSettings settings, Env& env, store::Store& store, Metrics& metrics)
    : config_(std::move(config)),
      settings_(std::move(settings)),
      env_(env),
      store_(store),
      metrics_(metrics),
      energy_gauge_(metrics.GetGauge("seedcore_organism_energy", "Unified energy over the live agents")),
      population_(env, settings_.max_waiting),
      presence_(store.registry(), env, settings_.presence),
      routing_(store.registry(), executors_, env, DefaultRoutes(config_), config_.default_organ, settings_.routing) {}

Organism::~Organism() { presence_.Stop(); }

Result<void> Organism::CheckRunning() const {
  if (initialized_.load()) return {};
  return Fail(ErrorCode::kUnavailable, "the organism is not initialized: POST /organism/initialize");
}

Result<bool> Organism::Initialize() {
  const std::lock_guard lock(structure_mutex_);
  if (initialized_.load()) return false;
  if (!settings_.rolling_init) SEEDCORE_RETURN_IF_ERROR(store_.registry().SetCurrentEpoch(env_.NewId()));
  SEEDCORE_RETURN_IF_ERROR(DropEvolvedOrgans());
  if (auto created = CreateOrgans(); !created) {
    RemoveOrgans();
    return std::unexpected(std::move(created).error());
  }
  presence_.Start();
  routing_.Invalidate();
  initialized_.store(true);
  log::Info("organism initialized", {{"organs", config_.organs.size()}, {"agents", population_.Agents().size()}});
  return true;
}

Result<void> Organism::CreateOrgans() {
  store::RegistryStore& registry = store_.registry();
  for (const OrganConfig& organ : config_.organs) {
    SEEDCORE_RETURN_IF_ERROR(
        registry.EnsureOrgan(organ.id, organ.type, {{"description", organ.description}, {"origin", "configuration"}}));
    SEEDCORE_RETURN_IF_ERROR(population_.AddOrgan(organ.id, organ.type));
    for (int i = 0; i < organ.agent_count; ++i) {
      const std::string agent_id = fmt::format("{}_agent_{}", organ.id, i);
      SEEDCORE_RETURN_IF_ERROR(registry.EnsureAgent(agent_id, organ.id, {}));
      SEEDCORE_RETURN_IF_ERROR(registry.MoveAgent(agent_id, organ.id));
      population_.AddAgent(agent_id, organ.id, organ.agent_concurrency);
    }
    SEEDCORE_RETURN_IF_ERROR(presence_.Enter(organ.id));
  }
  return {};
}

/// Configuration decides what there is at the start; structure that evolved in an earlier run is not kept.
Result<void> Organism::DropEvolvedOrgans() {
  SEEDCORE_ASSIGN_OR_RETURN(const auto organs, store_.registry().Organs());
  for (const auto& organ : organs) {
    const json::value* origin = organ.props.if_contains("origin");
    if (origin == nullptr || *origin != "evolution") continue;
    SEEDCORE_RETURN_IF_ERROR(store_.registry().RemoveOrgan(organ.organ_id));
  }
  return {};
}

void Organism::RemoveOrgans() {
  presence_.Stop();
  for (const OrganSnapshot& organ : population_.Organs()) {
    if (auto left = presence_.Leave(organ.organ_id); !left) {
      log::Warning("organ could not be signed off", {{"organ_id", organ.organ_id}, {"error", ToString(left.error())}});
    }
  }
  population_.Clear();
  routing_.Invalidate();
}

Result<bool> Organism::Shutdown(const CallContext& call) {
  const std::lock_guard lock(structure_mutex_);
  if (!initialized_.exchange(false)) return false;
  const bool idle = population_.AwaitIdle(call.Within(settings_.drain, env_));
  RemoveOrgans();
  if (idle) return true;
  return Fail(ErrorCode::kDeadlineExceeded, "the organism is shut down, but executions are still under way");
}

OrganHosts::Done Organism::Run(const Executor& executor, const Population::Agent& agent, const std::string& organ_id,
                               const TaskSpec& task, const CallContext& call) {
  if (hosts_ != nullptr) {
    const std::function<Vitals()> vitals = [this] { return VitalsOf(*this); };
    auto done = hosts_->Execute({organ_id, agent.id, task, vitals}, call);
    if (done) return std::move(*done);
  }
  return {RunExecutor(executor, task, call, env_), {}};
}

Result<Execution> Organism::Execute(const std::string& organ_id, const TaskSpec& task, const CallContext& call) {
  SEEDCORE_RETURN_IF_ERROR(CheckRunning());
  SEEDCORE_ASSIGN_OR_RETURN(const auto executor, executors_.Find(task.type));
  const auto acquired = population_.Acquire(organ_id, task, call);
  if (!acquired) {
    // A shutdown meanwhile looks like a missing organ; what is meant is "try again later".
    SEEDCORE_RETURN_IF_ERROR(CheckRunning());
    return std::unexpected(acquired.error());
  }
  const Population::Slot& slot = *acquired;

  const Instant start = env_.Now();
  OrganHosts::Done done = Run(*executor, *slot.agent, organ_id, task, call);
  ExecutionResult& outcome = done.result;

  Execution execution{.success = outcome.success,
                      .error = std::move(outcome.error),
                      .result = std::move(outcome.result),
                      .quality = outcome.quality,
                      .mem_hits = outcome.mem_hits,
                      .organ_id = organ_id,
                      .agent_id = slot.agent->id,
                      .host = std::move(done.host),
                      .selection_score = slot.score,
                      .candidates = slot.candidates,
                      .latency = env_.Now() - start};
  if (execution.success) execution.effects = std::move(outcome.effects);
  if (IsAgentsDoing(execution.error)) {
    execution.accounted =
        population_.Finish(slot, {.type = task.type,
                                  .domain = task.domain,
                                  .description = task.description,
                                  .success = execution.success,
                                  .quality = execution.quality,
                                  .mem_hits = execution.mem_hits,
                                  .latency_ms = std::chrono::duration<double, std::milli>(execution.latency).count(),
                                  .at = env_.WallNow()});
    execution.effects.ledger.push_back(LedgerEntryOf(execution, task));
  } else {
    execution.accounted = population_.Release(slot);
  }
  Count(execution, task.type);
  return execution;
}

void Organism::Count(const Execution& execution, const std::string& type) {
  const TypeMetrics metrics = MetricsOf(type);
  (execution.success ? metrics.successes : metrics.failures)->Increment();
  metrics.seconds->Observe(std::chrono::duration<double>(execution.latency).count());
  energy_gauge_.Set(execution.accounted.after.total);
}

Organism::TypeMetrics Organism::MetricsOf(const std::string& type) {
  const std::lock_guard lock(metrics_mutex_);
  const auto known = type_metrics_.find(type);
  if (known != type_metrics_.end()) return known->second;
  const auto counter = [&](const char* outcome) {
    return &metrics_.GetCounter("seedcore_organism_executions_total", "Tasks that agents executed",
                                {{"type", type}, {"outcome", outcome}});
  };
  const TypeMetrics made{counter("success"), counter("failure"),
                         &metrics_.GetHistogram("seedcore_organism_execution_seconds", "Time an executor took",
                                                DurationBuckets(), {{"type", type}})};
  return type_metrics_.emplace(type, made).first->second;
}

Result<std::string> Organism::RandomOrgan() {
  SEEDCORE_RETURN_IF_ERROR(CheckRunning());
  const auto free = population_.FreeOrgans();
  if (free.empty()) return Fail(ErrorCode::kResourceExhausted, "every agent is busy");
  return free[env_.Random() % free.size()];
}

Result<void> Organism::ApplyEffects(const store::Effects& effects) {
  for (const store::NewFact& fact : effects.facts) SEEDCORE_RETURN_IF_ERROR(store_.facts().Add(fact));
  for (const store::NewLedgerEntry& entry : effects.ledger) SEEDCORE_RETURN_IF_ERROR(store_.ledger().Append(entry));
  for (const store::NewIncident& incident : effects.incidents) {
    SEEDCORE_RETURN_IF_ERROR(store_.incidents().Add(incident));
  }
  return {};
}

}  // namespace seedcore::organism
