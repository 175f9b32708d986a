#include "app/platform.h"

#include <cstdlib>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "app/api_document.h"
#include "app/event_bridge.h"
#include "app/external_types.h"
#include "app/live_state.h"
#include "app/section_settings.h"
#include "app/webhook.h"
#include "base/log.h"
#include "cognitive/rules/rules.h"
#include "coordinator/rule_book.h"
#include "queue/event_feed.h"
#include "service/cognitive.h"
#include "service/energy.h"
#include "service/facts.h"
#include "service/ml.h"
#include "service/organism.h"
#include "service/state.h"
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
  std::string data_dir;
  std::string services_url;
  std::string api_url;

  Metrics metrics;
  SpanStore spans;
  std::unique_ptr<store::Store> store;

  // Bound once all services exist; until then a call answers "not connected".
  service::CallRecorder recorder{&env, &spans};
  service::Peer<service::MlService> ml_peer{recorder};
  service::Peer<service::CognitiveService> cognitive_peer{recorder};
  service::Peer<service::OrganismService> organism_peer{recorder};
  service::Peer<service::StateService> state_peer{recorder};
  service::Peer<service::CoordinatorService> coordinator_peer{recorder};

  std::unique_ptr<state::HostSampler> host;
  std::unique_ptr<service::MlService> ml;
  std::unique_ptr<cognitive::rules::RulesProvider> rules_provider;
  std::unique_ptr<cognitive::Engine> cognitive_engine;
  std::unique_ptr<service::CognitiveService> cognitive;
  std::unique_ptr<organism::Organism> organism;
  std::unique_ptr<service::OrganismService> organism_service;
  std::unique_ptr<service::StateService> state;
  std::unique_ptr<coordinator::RuleBook> rules;
  std::unique_ptr<coordinator::RuleWatcher> rule_watcher;
  std::unique_ptr<service::CoordinatorService> coordinator;
  std::unique_ptr<service::EnergyService> energy;
  std::unique_ptr<ExternalTypes> external_types;
  std::unique_ptr<service::TaskService> tasks;
  std::unique_ptr<service::WorkerService> workers;
  std::unique_ptr<service::FactService> facts;
  std::unique_ptr<service::SystemService> system;
  std::unique_ptr<queue::EventFeed> feed;
  std::unique_ptr<net::Server> server;
  std::unique_ptr<queue::Reaper> reaper;
  std::unique_ptr<queue::Dispatcher> dispatcher;

  Result<void> Start();
  void Stop();

  Result<void> OpenStore();
  Result<void> BuildServices();
  Result<void> BuildOrganism();
  Result<void> Listen();
  std::vector<net::Route> ServiceRoutes();
  std::vector<net::Route> ApiRoutes();
  json::value DebugEnvironment() const { return settings::ConfigShowJson(settings); }
};

Result<void> Platform::Parts::Start() {
  SEEDCORE_RETURN_IF_ERROR(OpenStore());
  SEEDCORE_RETURN_IF_ERROR(BuildServices());
  SEEDCORE_ASSIGN_OR_RETURN([[maybe_unused]] const bool fresh, organism->Initialize());
  SEEDCORE_RETURN_IF_ERROR(Listen());
  rule_watcher->Start();
  reaper = std::make_unique<queue::Reaper>(env, store->tasks(), metrics, ReaperSettingsFrom(settings.queue));
  auto dispatching = DispatcherSettingsFrom(settings.queue);
  dispatching.types = external_types->Embedded();
  dispatcher = std::make_unique<queue::Dispatcher>(
      env, store->tasks(), metrics, std::move(dispatching),
      [this](const store::Task& task, const CallContext& call) { return coordinator->HandleTask(task, call); });
  start_time = std::chrono::duration_cast<std::chrono::milliseconds>(env.Now() - started);
  return {};
}

Result<void> Platform::Parts::OpenStore() {
  SEEDCORE_ASSIGN_OR_RETURN(data_dir, PrepareDataDir(settings.store.data_dir.string()));
  SEEDCORE_ASSIGN_OR_RETURN(store,
                            store::sqlite::OpenSqliteStore(SqliteSettingsFrom(settings.store, data_dir), env, metrics));
  return {};
}

Result<void> Platform::Parts::BuildServices() {
  host = std::make_unique<state::HostSampler>(env, data_dir);
  ml = std::make_unique<service::MlService>(service::MlDependencies{
      .env = env, .streams = store->streams(), .host = [this] { return host->Sample(); }, .drift = {}});

  rules_provider = std::make_unique<cognitive::rules::RulesProvider>(env);
  cognitive_engine = std::make_unique<cognitive::Engine>(
      cognitive::Engine::Parts{store->facts(), store->incidents(), *rules_provider, *rules_provider, metrics, env},
      settings.cognitive);
  cognitive = std::make_unique<service::CognitiveService>(*cognitive_engine, env);

  SEEDCORE_RETURN_IF_ERROR(BuildOrganism());
  state = std::make_unique<service::StateService>(env, LiveState(*organism, *host));

  rules = std::make_unique<coordinator::RuleBook>(env, settings.coordinator.predicates_path);
  if (!settings.coordinator.predicates_path.empty()) SEEDCORE_RETURN_IF_ERROR(rules->Load());
  rule_watcher = std::make_unique<coordinator::RuleWatcher>(env, *rules);
  coordinator = std::make_unique<service::CoordinatorService>(
      service::CoordinatorDependencies{.env = env,
                                       .metrics = metrics,
                                       .streams = store->streams(),
                                       .incidents = store->incidents(),
                                       .rules = *rules,
                                       .ml = ml_peer,
                                       .cognitive = cognitive_peer,
                                       .organism = organism_peer,
                                       .settings = CoordinatorSettingsFrom(settings.coordinator, settings.queue)});
  energy = std::make_unique<service::EnergyService>(
      service::EnergyDependencies{.env = env,
                                  .metrics = metrics,
                                  .streams = store->streams(),
                                  .ledger = store->ledger(),
                                  .state = state_peer,
                                  .routing_shares = [this] { return coordinator->RoutingShares(); },
                                  .stability = {.beta_router = settings.energy.beta_router,
                                                .beta_meta = settings.energy.beta_meta,
                                                .rho = settings.energy.rho_clip,
                                                .cap = settings.energy.l_tot_cap}});

  external_types = std::make_unique<ExternalTypes>(settings.queue.external_types, organism->executors());
  tasks = std::make_unique<service::TaskService>(service::TaskService::Dependencies{
      .tasks = &store->tasks(),
      .spans = &spans,
      .default_retry = RetryPolicyFrom(settings.queue),
      .on_cancelled =
          [this] {
            if (dispatcher) dispatcher->RenewNow();
          },
      .check_type = [this](const std::string& type) { return external_types->Check(type); }});
  workers = std::make_unique<service::WorkerService>(
      service::WorkerService::Dependencies{.env = &env, .tasks = &store->tasks()});
  facts = std::make_unique<service::FactService>(store->facts());
  system = std::make_unique<service::SystemService>(
      service::SystemService::Dependencies{.env = &env, .store = store.get(), .dispatcher = [this] {
                                             return dispatcher ? dispatcher->Status() : queue::DispatcherStatus{};
                                           }});

  ml_peer.BindLocal(*ml);
  cognitive_peer.BindLocal(*cognitive);
  organism_peer.BindLocal(*organism_service);
  state_peer.BindLocal(*state);
  coordinator_peer.BindLocal(*coordinator);
  return {};
}

Result<void> Platform::Parts::BuildOrganism() {
  SEEDCORE_ASSIGN_OR_RETURN(auto config, OrganismConfigFrom(settings.organism));
  organism = std::make_unique<organism::Organism>(std::move(config), OrganismSettingsFrom(settings.organism), env,
                                                  *store, metrics);
  organism_service = std::make_unique<service::OrganismService>(*organism, env);
  organism::ExecutorParts parts{
      .env = env,
      .store = *store,
      .host = *host,
      .vitals = [this] { return VitalsOf(*organism); },
      .webhook_post = MakeWebhookPost(settings.organism, env),
      .webhook_allow = settings.organism.webhook_allow,
      .anomaly_triage = [this](const json::object& request,
                               const CallContext& call) -> Result<organism::AnomalyTriageOutcome> {
        SEEDCORE_ASSIGN_OR_RETURN(auto triage, FromJson<service::AnomalyTriageRequest>(request));
        triage.effects = service::EffectsMode::kReturn;
        SEEDCORE_ASSIGN_OR_RETURN(auto reply,
                                  coordinator_peer.Call<&service::CoordinatorService::AnomalyTriage>(triage, call));
        store::Effects effects = std::exchange(reply.effects, std::nullopt).value_or(service::TaskEffects{}).ToStore();
        return organism::AnomalyTriageOutcome{.reply = ToJson(reply), .effects = std::move(effects)};
      },
      .more_tools = {}};
  return organism::RegisterExecutors(organism->executors(), std::move(parts));
}

std::vector<net::Route> Platform::Parts::ServiceRoutes() {
  std::vector<net::Route> routes;
  const auto add = [&](std::vector<net::Route> more) {
    routes.insert(routes.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  };
  add(Routes(service::MlOperations(), *ml));
  add(Routes(service::CognitiveOperations(), *cognitive));
  add(Routes(service::CoordinatorOperations(), *coordinator));
  add(Routes(service::StateOperations(), *state));
  add(Routes(service::EnergyOperations(), *energy));
  add(Routes(service::OrganismOperations(), *organism_service));
  return routes;
}

std::vector<net::Route> Platform::Parts::ApiRoutes() {
  std::vector<net::Route> routes = Routes(service::SystemOperations(), *system);
  for (net::Route& route : Routes(service::TaskOperations(), *tasks)) routes.push_back(std::move(route));
  for (net::Route& route : Routes(service::WorkerOperations(), *workers)) routes.push_back(std::move(route));
  for (net::Route& route : Routes(service::FactOperations(), *facts)) routes.push_back(std::move(route));
  net::Route events;
  events.pattern = "/api/v1/events";
  events.stream = [this](const net::Request& request, std::shared_ptr<net::EventStream> stream) {
    return StreamEvents(*feed, request, std::move(stream));
  };
  routes.push_back(std::move(events));
  if (settings.server.debug_env) {
    routes.push_back(TextRoute("/_env", "application/json", [this] { return WriteJson(DebugEnvironment()); }, false));
  }
  return routes;
}

Result<void> Platform::Parts::Listen() {
  feed = std::make_unique<queue::EventFeed>(env, store->tasks(), metrics);
  server = std::make_unique<net::Server>(ServerOptionsFrom(settings.server), env, metrics);
  SEEDCORE_RETURN_IF_ERROR(server->AddRoutes(kServicesListener, ServiceRoutes()));
  SEEDCORE_RETURN_IF_ERROR(server->AddRoutes(kApiListener, ApiRoutes()));
  for (const auto& [listener, document] :
       {std::pair(kServicesListener, &ServicesDocument), std::pair(kApiListener, &TaskApiDocument)}) {
    SEEDCORE_RETURN_IF_ERROR(server->AddRoutes(
        listener, {TextRoute(
                       "/openapi.json", "application/json", [document] { return WriteJson(document()); }, true),
                   TextRoute("/metrics", "text/plain; version=0.0.4", [this] { return metrics.Expose(); }, true)}));
  }
  SEEDCORE_RETURN_IF_ERROR(server->Start());
  services_url = ToUrl(server->endpoints()[kServicesListener]);
  api_url = ToUrl(server->endpoints()[kApiListener]);
  return {};
}

void Platform::Parts::Stop() {
  const Instant deadline = env.Now() + settings.server.drain_timeout;
  if (workers) workers->Close();  // they would wait through the whole drain
  if (server) server->Stop(settings.server.drain_timeout);
  if (dispatcher) dispatcher->Stop(deadline);
  if (reaper) reaper->Stop();
  if (feed) feed->Stop();
  rule_watcher.reset();
  if (organism && organism->IsInitialized()) {
    CallContext call;
    if (const auto stopped = organism->Shutdown(call.Within(settings.server.drain_timeout, env)); !stopped) {
      log::Warning("the organism did not stop cleanly", {{"error", ToString(stopped.error())}});
    }
  }
  if (ml) {
    if (const auto flushed = ml->Flush(); !flushed) {
      log::Warning("drift baselines were not saved", {{"error", ToString(flushed.error())}});
    }
  }
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

Result<void> Platform::ReloadRules() { return parts_->rules->Load(); }

void Platform::Stop() {
  if (parts_) parts_->Stop();
}

Result<std::string> PrepareDataDir(const std::string& data_dir) {
  std::string path = data_dir;
  if (path.starts_with("~")) {
    const char* home = std::getenv("HOME");
    if (home == nullptr) {
      return Fail(ErrorCode::kInvalidArgument, "HOME is not set; name a directory with --data-dir", "store.data_dir");
    }
    path = home + path.substr(1);
  }
  std::error_code error;
  const bool created = std::filesystem::create_directories(path, error);
  if (error) {
    return Fail(ErrorCode::kUnavailable, fmt::format("cannot create the data directory {}: {}", path, error.message()),
                "store.data_dir");
  }
  if (created) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  return path;
}

}  // namespace seedcore::app
