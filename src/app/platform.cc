#include "app/platform.h"

#include <utility>

#include <fmt/format.h>

#include "app/api_document.h"
#include "app/dispatch_unit.h"
#include "app/external_types.h"
#include "app/forwarding.h"
#include "app/foundation.h"
#include "app/section_settings.h"
#include "app/units.h"
#include "service/facts.h"
#include "service/graph.h"
#include "service/queues.h"
#include "service/schedules.h"
#include "service/steps.h"
#include "service/system.h"
#include "service/tasks.h"
#include "service/workers.h"
#include "settings/show.h"

namespace seedcore::app {
namespace {

constexpr std::size_t kServicesListener = 0;
constexpr std::size_t kApiListener = 1;

std::string ToUrl(const net::HostPort& endpoint) {
  const bool is_ipv6 = endpoint.host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("http://[{}]:{}", endpoint.host, endpoint.port)
                 : fmt::format("http://{}:{}", endpoint.host, endpoint.port);
}

net::Route TextRoute(std::string pattern, std::string content_type, std::function<std::string()> text, bool open) {
  net::Route route;
  route.pattern = std::move(pattern);
  route.requires_auth = !open;
  route.handler = [content_type = std::move(content_type), text = std::move(text)](const net::Request&) {
    return net::Response{.content_type = content_type, .body = text()};
  };
  return route;
}

}  // namespace

/// Everything, in the order it is built; destruction runs the other way round.
struct Platform::Parts {
  explicit Parts(const settings::Settings& given, Env& e) : settings(given), env(e), started(e.Now()) {}

  const settings::Settings settings;
  Env& env;
  const Instant started;
  std::chrono::milliseconds start_time{0};
  std::string services_url;
  std::string api_url;

  std::unique_ptr<Foundation> foundation;
  std::unique_ptr<MlUnit> ml;
  std::unique_ptr<CognitiveUnit> cognitive;
  std::unique_ptr<OrganismUnit> organism;
  std::unique_ptr<StateUnit> state;
  std::unique_ptr<CoordinatorUnit> coordinator;
  std::unique_ptr<EnergyUnit> energy;
  std::unique_ptr<LocalExecutables> executables;
  std::unique_ptr<ExternalTypes> external_types;
  std::unique_ptr<service::TaskService> tasks;
  std::unique_ptr<service::WorkerService> workers;
  std::unique_ptr<service::QueueService> queues;
  std::unique_ptr<service::StepService> steps;
  std::unique_ptr<service::ScheduleService> schedules;
  std::unique_ptr<service::FactService> facts;
  std::unique_ptr<service::GraphService> graph;
  std::unique_ptr<service::SystemService> system;
  std::unique_ptr<Forwarding> forwarding;  // where the services are elsewhere; then no unit is started
  std::unique_ptr<net::Server> server;
  std::unique_ptr<DispatchUnit> dispatch;

  Result<void> Start();
  void Stop();

  /// The dispatcher of this process would execute tasks by the services of this process.
  bool DispatchesElsewhere() const { return settings.queue.dispatch_elsewhere || settings.server.services_elsewhere; }
  /// Those that were built, in the order they start; they stop the other way round.
  std::vector<ServiceUnit*> Units() const;
  Result<void> BuildServices();
  Result<void> BuildApi();
  /// Takes the addresses. What handlers use is complete before anybody is answered.
  Result<void> Bind();
  std::vector<net::Route> ServiceRoutes();
  std::vector<net::Route> ApiRoutes();
  json::value DebugEnvironment() const { return settings::ConfigShowJson(settings); }
};

Result<void> Platform::Parts::Start() {
  settings::StoreSettings store = settings.store;
  store.shared = store.shared || settings.server.services_elsewhere;
  const FirstTasks first_tasks = settings.server.services_elsewhere ? FirstTasks::kSeldom : FirstTasks::kAtOnce;
  SEEDCORE_ASSIGN_OR_RETURN(foundation, Foundation::Open(store, env, first_tasks));
  foundation->FeedEvents();
  SEEDCORE_RETURN_IF_ERROR(BuildServices());
  SEEDCORE_RETURN_IF_ERROR(BuildApi());
  if (settings.server.services_elsewhere) {
    SEEDCORE_ASSIGN_OR_RETURN(forwarding, Forwarding::Start(settings, *foundation));
  } else {
    for (ServiceUnit* unit : Units()) SEEDCORE_RETURN_IF_ERROR(unit->Start());
  }
  SEEDCORE_RETURN_IF_ERROR(Bind());
  SEEDCORE_ASSIGN_OR_RETURN(
      dispatch, DispatchUnit::Start(
                    settings, *foundation,
                    {.dispatcher = DispatchesElsewhere() ? "" : "seedcore_dispatcher_0", .reaper = "seedcore_reaper"},
                    [this] { return external_types->Claimed(); },
                    external_types->HandingBack([this](const store::Task& task, const CallContext& call) {
                      return coordinator->service().HandleTask(task, call);
                    })));
  SEEDCORE_RETURN_IF_ERROR(server->Start());
  start_time = std::chrono::duration_cast<std::chrono::milliseconds>(env.Now() - started);
  return {};
}

std::vector<ServiceUnit*> Platform::Parts::Units() const {
  std::vector<ServiceUnit*> units{ml.get(),    cognitive.get(),   organism.get(),
                                  state.get(), coordinator.get(), energy.get()};
  std::erase(units, nullptr);
  return units;
}

Result<void> Platform::Parts::BuildServices() {
  SEEDCORE_ASSIGN_OR_RETURN(ml, MlUnit::Build(settings, *foundation));
  SEEDCORE_ASSIGN_OR_RETURN(cognitive, CognitiveUnit::Build(settings, *foundation));
  SEEDCORE_ASSIGN_OR_RETURN(organism, OrganismUnit::Build(settings, *foundation));
  SEEDCORE_ASSIGN_OR_RETURN(state, StateUnit::Build(settings, *foundation));
  SEEDCORE_ASSIGN_OR_RETURN(coordinator, CoordinatorUnit::Build(settings, *foundation));
  SEEDCORE_ASSIGN_OR_RETURN(energy, EnergyUnit::Build(settings, *foundation));
  const Peers& peers = foundation->peers;
  peers.ml.BindLocal(ml->service());
  peers.cognitive.BindLocal(cognitive->service());
  peers.organism.BindLocal(organism->service());
  peers.state.BindLocal(state->service());
  peers.coordinator.BindLocal(coordinator->service());
  return {};
}

Result<void> Platform::Parts::BuildApi() {
  executables = std::make_unique<LocalExecutables>(organism->executors());
  external_types =
      std::make_unique<ExternalTypes>(env, foundation->store->queues(), *executables, TypesLeftToOthers(settings));
  SEEDCORE_RETURN_IF_ERROR(external_types->Register(settings.queue.external_types));
  const auto check_task = [this](const std::string& type, const json::object& params) {
    return external_types->Check(type, params);
  };
  tasks = std::make_unique<service::TaskService>(
      service::TaskService::Dependencies{.tasks = &foundation->store->tasks(),
                                         .spans = &foundation->spans,
                                         .default_retry = RetryPolicyFrom(settings.queue),
                                         .on_cancelled = [this] { dispatch->RenewNow(); },
                                         .check_task = check_task,
                                         .events = foundation->events.get()});
  workers = std::make_unique<service::WorkerService>(service::WorkerService::Dependencies{
      .env = &env,
      .tasks = &foundation->store->tasks(),
      .steps = &foundation->store->steps(),
      .metrics = &foundation->metrics,
      .on_types = [this](const auto& types) { return external_types->Offer(types); }});
  queues = std::make_unique<service::QueueService>(foundation->store->queues());
  schedules = std::make_unique<service::ScheduleService>(
      service::ScheduleService::Dependencies{.env = &env,
                                             .schedules = &foundation->store->schedules(),
                                             .tasks = &foundation->store->tasks(),
                                             .check_task = check_task});
  steps = std::make_unique<service::StepService>(foundation->store->tasks(), foundation->store->steps());
  facts = std::make_unique<service::FactService>(foundation->store->facts());
  graph = std::make_unique<service::GraphService>(organism->graph());
  system = std::make_unique<service::SystemService>(service::SystemService::Dependencies{
      .env = &env,
      .store = foundation->store.get(),
      .dispatcher = [this] { return dispatch->Dispatcher().value_or(queue::DispatcherStatus{}); },
      .dispatches_elsewhere = DispatchesElsewhere()});
  return {};
}

std::vector<net::Route> Platform::Parts::ServiceRoutes() {
  if (forwarding) return forwarding->Routes();
  std::vector<net::Route> routes;
  for (ServiceUnit* unit : Units()) {
    for (net::Route& route : unit->Routes()) routes.push_back(std::move(route));
  }
  return routes;
}

std::vector<net::Route> Platform::Parts::ApiRoutes() {
  std::vector<net::Route> routes = Routes(service::SystemOperations(), *system);
  for (net::Route& route : Routes(service::TaskOperations(), *tasks)) routes.push_back(std::move(route));
  for (net::Route& route : Routes(service::WorkerOperations(), *workers)) routes.push_back(std::move(route));
  for (net::Route& route : Routes(service::QueueOperations(), *queues)) routes.push_back(std::move(route));
  for (net::Route& route : Routes(service::StepOperations(), *steps)) routes.push_back(std::move(route));
  for (net::Route& route : Routes(service::ScheduleOperations(), *schedules)) routes.push_back(std::move(route));
  for (net::Route& route : Routes(service::FactOperations(), *facts)) routes.push_back(std::move(route));
  for (net::Route& route : Routes(service::GraphOperations(), *graph)) routes.push_back(std::move(route));
  if (settings.server.debug_env) {
    routes.push_back(TextRoute("/_env", "application/json", [this] { return WriteJson(DebugEnvironment()); }, false));
  }
  return routes;
}

Result<void> Platform::Parts::Bind() {
  server = std::make_unique<net::Server>(ServerOptionsFrom(settings.server), env, foundation->metrics);
  SEEDCORE_RETURN_IF_ERROR(server->AddRoutes(kServicesListener, ServiceRoutes()));
  SEEDCORE_RETURN_IF_ERROR(server->AddRoutes(kApiListener, ApiRoutes()));
  for (const auto& [listener, document] :
       {std::pair(kServicesListener, &ServicesDocument), std::pair(kApiListener, &TaskApiDocument)}) {
    SEEDCORE_RETURN_IF_ERROR(server->AddRoutes(
        listener,
        {TextRoute(
             "/openapi.json", "application/json", [document] { return WriteJson(document()); }, true),
         TextRoute("/metrics", "text/plain; version=0.0.4", [this] { return foundation->metrics.Expose(); }, true)}));
  }
  SEEDCORE_RETURN_IF_ERROR(server->Bind());
  services_url = ToUrl(server->endpoints()[kServicesListener]);
  api_url = ToUrl(server->endpoints()[kApiListener]);
  return {};
}

void Platform::Parts::Stop() {
  const Instant deadline = env.Now() + settings.server.drain_timeout;
  if (workers) workers->Close();  // they would wait through the whole drain
  if (server) server->Stop(settings.server.drain_timeout);
  if (dispatch) dispatch->Stop(deadline);
  if (foundation && foundation->events) foundation->events->Stop();
  if (forwarding) {
    forwarding->Stop();
    return;  // nothing else was started
  }
  CallContext call;
  call = call.Within(settings.server.drain_timeout, env);
  const std::vector<ServiceUnit*> units = Units();
  for (auto unit = units.rbegin(); unit != units.rend(); ++unit) (*unit)->Stop(call);
}

Platform::Platform(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Platform::~Platform() { Stop(); }

Result<std::unique_ptr<Platform>> Platform::Start(const settings::Settings& settings, Env& env) {
  std::unique_ptr<Platform> platform(new Platform(std::make_unique<Parts>(settings, env)));
  SEEDCORE_RETURN_IF_ERROR(platform->parts_->Start());
  return platform;
}

const std::string& Platform::services_url() const { return parts_->services_url; }
const std::string& Platform::api_url() const { return parts_->api_url; }
std::chrono::milliseconds Platform::start_time() const { return parts_->start_time; }

Result<void> Platform::ReloadRules() { return parts_->coordinator->rules().Load(); }

void Platform::Stop() {
  if (parts_) parts_->Stop();
}

}  // namespace seedcore::app
