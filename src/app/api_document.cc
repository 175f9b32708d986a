#include "app/api_document.h"

#include "service/cognitive.h"
#include "service/coordinator.h"
#include "service/energy.h"
#include "service/facts.h"
#include "service/ml.h"
#include "service/organism.h"
#include "service/state.h"
#include "service/system.h"
#include "service/tasks.h"
#include "service/workers.h"

namespace seedcore::app {

std::vector<service::ServiceInfo> ApiServices() {
  using namespace service;
  return {Describe(SystemOperations()),    Describe(TaskOperations()),        Describe(WorkerOperations()),
          Describe(FactOperations()),      Describe(CoordinatorOperations()), Describe(MlOperations()),
          Describe(CognitiveOperations()), Describe(OrganismOperations()),    Describe(StateOperations()),
          Describe(EnergyOperations())};
}

}  // namespace seedcore::app
