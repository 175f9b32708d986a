#include "app/api_document.h"

#include <iterator>
#include <string_view>
#include <utility>

#include "service/cognitive.h"
#include "service/coordinator.h"
#include "service/energy.h"
#include "service/facts.h"
#include "service/graph.h"
#include "service/ml.h"
#include "service/organism.h"
#include "service/queues.h"
#include "service/schedules.h"
#include "service/state.h"
#include "service/steps.h"
#include "service/system.h"
#include "service/tasks.h"
#include "service/workers.h"

namespace seedcore::app {
namespace {

using service::Describe;

std::vector<service::ServiceInfo> TaskApi() {
  return {Describe(service::SystemOperations()),   Describe(service::TaskOperations()),
          Describe(service::WorkerOperations()),   Describe(service::QueueOperations()),
          Describe(service::ScheduleOperations()), Describe(service::StepOperations()),
          Describe(service::FactOperations()),     Describe(service::GraphOperations())};
}

std::vector<service::ServiceInfo> Services() {
  return {Describe(service::CoordinatorOperations()), Describe(service::MlOperations()),
          Describe(service::CognitiveOperations()),   Describe(service::OrganismOperations()),
          Describe(service::StateOperations()),       Describe(service::EnergyOperations())};
}

}  // namespace

json::object ServicesDocument() {
  return service::OpenApiDocument(Services(), "SeedCore services", service::Version());
}

json::object TaskApiDocument() { return service::OpenApiDocument(TaskApi(), "SeedCore task API", service::Version()); }

std::vector<service::ServiceInfo> ApiServices() {
  std::vector<service::ServiceInfo> all = TaskApi();
  std::vector<service::ServiceInfo> services = Services();
  all.insert(all.end(), std::make_move_iterator(services.begin()), std::make_move_iterator(services.end()));
  return all;
}

}  // namespace seedcore::app
