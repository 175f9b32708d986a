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

/// The one route that is no operation: it answers for as long as the client listens.
json::object EventsPath() {
  const auto text = [](std::string_view name, std::string_view in, std::string_view description) {
    return json::object{{"name", name},
                        {"in", in},
                        {"required", false},
                        {"description", description},
                        {"schema", {{"type", "string"}}}};
  };
  json::array parameters{
      text("after", "query", "Only events after this one; default: those from now on"),
      text("task_id", "query", "Only events of this task"),
      text("Last-Event-ID", "header", "As after, sent by browsers that connect again"),
  };
  return {{"get",
           {{"operationId", "tasks.StreamEvents"},
            {"summary", "Every change of every task as it happens, as server-sent events called task"},
            {"tags", {"tasks"}},
            {"parameters", std::move(parameters)},
            {"responses",
             {{"200",
               {{"description", "Events; the data is a TaskEventRead, the id its seq"},
                {"content", {{"text/event-stream", {{"schema", {{"type", "string"}}}}}}}}},
              {"default",
               {{"description", "Error"},
                {"content", {{"application/json", {{"schema", {{"$ref", "#/components/schemas/Error"}}}}}}}}}}}}}};
}

}  // namespace

json::object ServicesDocument() {
  return service::OpenApiDocument(Services(), "SeedCore services", service::Version());
}

json::object TaskApiDocument() {
  json::object document = service::OpenApiDocument(TaskApi(), "SeedCore task API", service::Version());
  document["paths"].as_object()["/api/v1/events"] = EventsPath();
  return document;
}

std::vector<service::ServiceInfo> ApiServices() {
  std::vector<service::ServiceInfo> all = TaskApi();
  std::vector<service::ServiceInfo> services = Services();
  all.insert(all.end(), std::make_move_iterator(services.begin()), std::make_move_iterator(services.end()));
  return all;
}

}  // namespace seedcore::app
