#include <fmt/format.h>

#include "organism/executors/executors.h"
#include "organism/organism.h"

namespace seedcore::organism {

Vitals VitalsOf(const Organism& organism) {
  Vitals vitals{.initialized = organism.IsInitialized()};
  for (const OrganSnapshot& organ : organism.population().Organs()) {
    ++vitals.organs;
    vitals.agents += static_cast<int>(organ.agent_ids.size());
    vitals.running_tasks += organ.running;
    vitals.free_slots += organ.capacity - organ.running;
    const auto registration = organism.presence().Of(organ.organ_id);
    if (!registration) {
      vitals.problems.push_back(fmt::format("{} is not registered", organ.organ_id));
    } else if (!registration->problem.empty()) {
      vitals.problems.push_back(fmt::format("{}: {}", organ.organ_id, registration->problem));
    }
  }
  return vitals;
}

}  // namespace seedcore::organism
