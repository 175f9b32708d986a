#include "app/units.h"

#include <algorithm>

#include "app/live_state.h"
#include "app/section_settings.h"
#include "base/log.h"

namespace seedcore::app {
namespace {

template <class Unit>
Result<std::unique_ptr<ServiceUnit>> BuildUnit(const settings::Settings& settings, Foundation& foundation) {
  SEEDCORE_ASSIGN_OR_RETURN(std::unique_ptr<ServiceUnit> unit, Unit::Build(settings, foundation));
  return unit;
}

/// Shares of the fast path and of escalations, as the coordinator that answers has lately measured them.
Result<std::optional<std::pair<double, double>>> RoutingShares(
    const service::Peer<service::CoordinatorService>& coordinator, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const auto status,
                            coordinator.Call<&service::CoordinatorService::PredicatesStatus>(service::Empty{}, call));
  if (!status.escalation_ratio) return std::nullopt;
  return std::pair(1.0 - *status.escalation_ratio, *status.escalation_ratio);
}

}  // namespace

const std::vector<ServiceKind>& ServiceKinds() {
  static const std::vector<ServiceKind> kinds = {
      {"ml", "/ml", &BuildUnit<MlUnit>},
      {"cognitive", "/cognitive", &BuildUnit<CognitiveUnit>},
      {"coordinator", "/pipeline", &BuildUnit<CoordinatorUnit>, /*streams_events=*/true},
      {"state", "/state", &BuildUnit<StateUnit>},
      {"energy", "/energy", &BuildUnit<EnergyUnit>},
      {"organism", "/organism", &BuildUnit<OrganismUnit>},
  };
  return kinds;
}

const ServiceKind* FindServiceKind(std::string_view name) {
  const auto found = std::ranges::find(ServiceKinds(), name, &ServiceKind::name);
  return found == ServiceKinds().end() ? nullptr : &*found;
}

Result<std::unique_ptr<MlUnit>> MlUnit::Build(const settings::Settings& settings, Foundation& foundation) {
  auto unit = std::make_unique<MlUnit>();
  unit->service_ = std::make_unique<service::MlService>(
      service::MlDependencies{.env = foundation.env,
                              .streams = foundation.store->streams(),
                              .host = [&foundation] { return foundation.host->Sample(); },
                              .drift = {.shared = foundation.store_is_shared},
                              .max_series_points = static_cast<std::size_t>(settings.ml.max_series_length)});
  return unit;
}

std::vector<net::Route> MlUnit::Routes() { return service::Routes(service::MlOperations(), *service_); }

void MlUnit::Stop(const CallContext&) {
  if (const auto flushed = service_->Flush(); !flushed) {
    log::Warning("drift baselines were not saved", {{"error", ToString(flushed.error())}});
  }
}

Result<std::unique_ptr<CognitiveUnit>> CognitiveUnit::Build(const settings::Settings& settings,
                                                            Foundation& foundation) {
  auto unit = std::make_unique<CognitiveUnit>();
  unit->provider_ = std::make_unique<cognitive::rules::RulesProvider>(foundation.env);
  unit->engine_ = std::make_unique<cognitive::Engine>(
      cognitive::Engine::Parts{foundation.store->facts(), foundation.store->incidents(), *unit->provider_,
                               *unit->provider_, foundation.metrics, foundation.env},
      settings.cognitive);
  unit->service_ = std::make_unique<service::CognitiveService>(*unit->engine_, foundation.env);
  return unit;
}

std::vector<net::Route> CognitiveUnit::Routes() { return service::Routes(service::CognitiveOperations(), *service_); }

Result<std::unique_ptr<CoordinatorUnit>> CoordinatorUnit::Build(const settings::Settings& settings,
                                                                Foundation& foundation) {
  auto unit = std::make_unique<CoordinatorUnit>();
  const std::filesystem::path& file = settings.coordinator.predicates_path;
  unit->rules_ =
      std::make_unique<coordinator::RuleBook>(foundation.env, service::RuleSourcesOf(foundation.store->rules(), file));
  SEEDCORE_RETURN_IF_ERROR(unit->rules_->LoadShared());
  if (!file.empty()) SEEDCORE_RETURN_IF_ERROR(unit->rules_->LoadOwn());
  unit->watcher_ = std::make_unique<coordinator::RuleWatcher>(foundation.env, *unit->rules_);
  unit->service_ = std::make_unique<service::CoordinatorService>(
      service::CoordinatorDependencies{.env = foundation.env,
                                       .metrics = foundation.metrics,
                                       .streams = foundation.store->streams(),
                                       .steps = &foundation.store->steps(),
                                       .events = foundation.events.get(),
                                       .incidents = foundation.store->incidents(),
                                       .rules = *unit->rules_,
                                       .shared_rules = foundation.store->rules(),
                                       .ml = foundation.peers.ml,
                                       .cognitive = foundation.peers.cognitive,
                                       .organism = foundation.peers.organism,
                                       .settings = CoordinatorSettingsFrom(settings.coordinator, settings.queue)});
  return unit;
}

std::vector<net::Route> CoordinatorUnit::Routes() {
  return service::Routes(service::CoordinatorOperations(), *service_);
}

Result<void> CoordinatorUnit::Start() {
  watcher_->Start();
  return {};
}

void CoordinatorUnit::Stop(const CallContext&) { watcher_.reset(); }

Result<std::unique_ptr<StateUnit>> StateUnit::Build(const settings::Settings&, Foundation& foundation) {
  auto unit = std::make_unique<StateUnit>();
  unit->service_ =
      std::make_unique<service::StateService>(foundation.env, LiveState(foundation.peers.organism, *foundation.host));
  return unit;
}

std::vector<net::Route> StateUnit::Routes() { return service::Routes(service::StateOperations(), *service_); }

Result<std::unique_ptr<EnergyUnit>> EnergyUnit::Build(const settings::Settings& settings, Foundation& foundation) {
  auto unit = std::make_unique<EnergyUnit>();
  unit->service_ = std::make_unique<service::EnergyService>(service::EnergyDependencies{
      .env = foundation.env,
      .metrics = foundation.metrics,
      .streams = foundation.store->streams(),
      .ledger = foundation.store->ledger(),
      .state = foundation.peers.state,
      .routing_shares = [coordinator = foundation.peers.coordinator](
                            const CallContext& call) { return RoutingShares(coordinator, call); },
      .stability = {.beta_router = settings.energy.beta_router,
                    .beta_meta = settings.energy.beta_meta,
                    .rho = settings.energy.rho_clip,
                    .cap = settings.energy.l_tot_cap}});
  return unit;
}

std::vector<net::Route> EnergyUnit::Routes() { return service::Routes(service::EnergyOperations(), *service_); }

}  // namespace seedcore::app
