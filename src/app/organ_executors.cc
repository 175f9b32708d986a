#include "app/organ_executors.h"

#include <utility>

#include "app/section_settings.h"
#include "app/webhook.h"
#include "organism/executors/executors.h"
#include "organism/executors/graph.h"
#include "service/coordinator.h"

namespace seedcore::app {

Result<std::unique_ptr<graph::Engine>> RegisterAllExecutors(organism::ExecutorRegistry& registry,
                                                            const settings::Settings& settings, Foundation& foundation,
                                                            std::function<organism::Vitals()> vitals) {
  organism::ExecutorParts parts{
      .env = foundation.env,
      .store = *foundation.store,
      .host = *foundation.host,
      .vitals = std::move(vitals),
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
  SEEDCORE_RETURN_IF_ERROR(organism::RegisterExecutors(registry, std::move(parts)));
  SEEDCORE_ASSIGN_OR_RETURN(
      auto graph, graph::Engine::Make(foundation.store->graph(), foundation.env, GraphSettingsFrom(settings.graph)));
  SEEDCORE_RETURN_IF_ERROR(organism::RegisterGraphExecutors(registry, *graph, foundation.env));
  return graph;
}

}  // namespace seedcore::app
