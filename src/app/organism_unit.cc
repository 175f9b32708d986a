#include <utility>

#include "app/live_state.h"
#include "app/section_settings.h"
#include "app/units.h"
#include "app/webhook.h"
#include "base/log.h"
#include "organism/executors/executors.h"
#include "organism/executors/graph.h"

namespace seedcore::app {

Result<std::unique_ptr<OrganismUnit>> OrganismUnit::Build(const settings::Settings& settings, Foundation& foundation) {
  SEEDCORE_ASSIGN_OR_RETURN(auto config, OrganismConfigFrom(settings.organism));
  auto unit = std::make_unique<OrganismUnit>();
  unit->organism_ = std::make_unique<organism::Organism>(std::move(config), OrganismSettingsFrom(settings.organism),
                                                         foundation.env, *foundation.store, foundation.metrics);
  organism::Organism& organism = *unit->organism_;
  unit->service_ = std::make_unique<service::OrganismService>(organism, foundation.env);
  organism::ExecutorParts parts{
      .env = foundation.env,
      .store = *foundation.store,
      .host = *foundation.host,
      .vitals = [&organism] { return VitalsOf(organism); },
      .webhook_post = MakeWebhookPost(settings.organism, foundation.env),
      .webhook_allow = settings.organism.webhook_allow,
      .anomaly_triage = [coordinator = foundation.peers.coordinator](
                            const json::object& request,
                            const CallContext& call) -> Result<organism::AnomalyTriageOutcome> {
        SEEDCORE_ASSIGN_OR_RETURN(auto triage, FromJson<service::AnomalyTriageRequest>(request));
        triage.effects = service::EffectsMode::kReturn;
        SEEDCORE_ASSIGN_OR_RETURN(auto reply,
                                  coordinator.Call<&service::CoordinatorService::AnomalyTriage>(triage, call));
        store::Effects effects = std::exchange(reply.effects, std::nullopt).value_or(service::TaskEffects{}).ToStore();
        return organism::AnomalyTriageOutcome{.reply = ToJson(reply), .effects = std::move(effects)};
      },
      .more_tools = {}};
  SEEDCORE_RETURN_IF_ERROR(organism::RegisterExecutors(organism.executors(), std::move(parts)));
  SEEDCORE_ASSIGN_OR_RETURN(
      unit->graph_, graph::Engine::Make(foundation.store->graph(), foundation.env, GraphSettingsFrom(settings.graph)));
  SEEDCORE_RETURN_IF_ERROR(organism::RegisterGraphExecutors(organism.executors(), *unit->graph_, foundation.env));
  return unit;
}

std::vector<net::Route> OrganismUnit::Routes() { return service::Routes(service::OrganismOperations(), *service_); }

Result<void> OrganismUnit::Start() {
  SEEDCORE_ASSIGN_OR_RETURN([[maybe_unused]] const bool fresh, organism_->Initialize());
  return {};
}

void OrganismUnit::Stop(const CallContext& call) {
  if (!organism_->IsInitialized()) return;
  if (const auto stopped = organism_->Shutdown(call); !stopped) {
    log::Warning("the organism did not stop cleanly", {{"error", ToString(stopped.error())}});
  }
}

}  // namespace seedcore::app
