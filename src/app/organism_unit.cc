#include <utility>

#include "app/organ_executors.h"
#include "app/section_settings.h"
#include "app/units.h"
#include "base/log.h"
#include "organism/vitals.h"

namespace seedcore::app {

Result<std::unique_ptr<OrganismUnit>> OrganismUnit::Build(const settings::Settings& settings, Foundation& foundation) {
  SEEDCORE_ASSIGN_OR_RETURN(auto config, OrganismConfigFrom(settings.organism));
  auto unit = std::make_unique<OrganismUnit>();
  unit->organism_ = std::make_unique<organism::Organism>(std::move(config), OrganismSettingsFrom(settings.organism),
                                                         foundation.env, *foundation.store, foundation.metrics);
  organism::Organism& organism = *unit->organism_;
  if (foundation.organ_hosts) organism.WorkOn(*foundation.organ_hosts);
  unit->service_ = std::make_unique<service::OrganismService>(organism, foundation.env);
  SEEDCORE_ASSIGN_OR_RETURN(unit->graph_, RegisterAllExecutors(organism.executors(), settings, foundation,
                                                               [&organism] { return VitalsOf(organism); }));
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
