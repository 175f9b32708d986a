#include "app/engine.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "app/cluster_token.h"
#include "app/fixed_settings.h"
#include "app/organ_lanes.h"
#include "app/progress_relay.h"
#include "app/remote_peers.h"
#include "app/section_settings.h"
#include "app/several_hosts.h"
#include "app/user_config.h"
#include "base/log.h"
#include "net/route_table.h"
#include "service/system.h"

namespace seedcore::app {
namespace {

std::string ServiceNames() {
  std::string names;
  for (const ServiceKind& kind : ServiceKinds()) {
    if (!names.empty()) names += ", ";
    names += kind.name;
  }
  return names;
}

/// The path as the operation table has it, whatever the mount point is called.
std::string Target(const ServiceKind& kind, const EngineRequest& request) {
  std::string target = request.raw_path;
  const std::string& root = request.root_path;
  const bool is_below = target.starts_with(root) && (target.size() == root.size() || target[root.size()] == '/');
  if (!root.empty() && is_below) target.replace(0, root.size(), kind.prefix);
  if (!request.query.empty()) target += "?" + request.query;
  return target;
}

/// A stream keeps one of the few requests that Serve lets a replica have at a time; others must get through.
net::ServerOptions ThroughServe(const settings::ServerSettings& settings) {
  constexpr std::size_t kStreams = 8;
  net::ServerOptions options = ServerOptionsFrom(settings);
  options.limits.streams = kStreams;
  return options;
}

}  // namespace

/// The service as it is configured now. Requests under way keep it alive after it has been replaced.
struct ServiceEngine::Live {
  explicit Live(settings::Settings s, Metrics& metrics) : settings(std::move(s)), routes(metrics) {}

  settings::Settings settings;
  std::unique_ptr<ServiceUnit> unit;
  net::RouteTable routes;
  std::vector<net::Route> answers;  // the unit's routes as they are asked, in their order
};

ServiceEngine::ServiceEngine(EngineOptions options, const ServiceKind& kind, Env& env)
    : options_(std::move(options)), kind_(kind), env_(env) {}

Result<std::unique_ptr<ServiceEngine>> ServiceEngine::Start(EngineOptions options, Env& env) {
  const ServiceKind* kind = FindServiceKind(options.service);
  if (kind == nullptr) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("there is no service '{}'; there are {}", options.service, ServiceNames()), "service");
  }
  std::unique_ptr<ServiceEngine> engine(new ServiceEngine(std::move(options), *kind, env));
  SEEDCORE_RETURN_IF_ERROR(engine->Open());
  return engine;
}

ServiceEngine::~ServiceEngine() { Drain(std::chrono::milliseconds(0)); }

Result<void> ServiceEngine::Open() {
  SEEDCORE_ASSIGN_OR_RETURN(settings::Settings settings, LoadSettings(options_.user_config));
  log::Configure(settings.log.level, settings.log.format);
  for (const std::string& warning : settings.warnings) log::Warning(warning);
  SEEDCORE_RETURN_IF_ERROR(CheckStoreReaches(settings.store, options_.hosts));
  SEEDCORE_ASSIGN_OR_RETURN(foundation_, Foundation::Open(settings.store, env_));
  if (kind_.streams_events) foundation_->FeedEvents();
  progress_ = std::make_unique<queue::ProgressKeeper>(env_, foundation_->store->tasks(), foundation_->metrics);
  SEEDCORE_ASSIGN_OR_RETURN(const std::string gateway, GatewayUrl(options_.gateway_url, settings, env_));
  SEEDCORE_RETURN_IF_ERROR(BindPeers(settings, gateway));
  server_ = std::make_unique<net::LocalServer>(ThroughServe(settings.server), env_, foundation_->metrics);
  SEEDCORE_ASSIGN_OR_RETURN(std::shared_ptr<Live> live, Build(std::move(settings)));
  SEEDCORE_RETURN_IF_ERROR(live->unit->Start());
  live_ = std::move(live);
  if (live_->settings.direct.enabled) SEEDCORE_RETURN_IF_ERROR(Listen());
  if (directory_) {
    // At once, so that the first calls find the replicas there are; a failure is tried again, and logged, by the
    // thread.
    (void)directory_->Refresh();
    directory_->Start();
  }
  log::Info("service started", {{"service", kind_.name},
                                {"gateway", gateway},
                                {"address", DirectAddress()},
                                {"data_dir", foundation_->data_dir}});
  return {};
}

Result<void> ServiceEngine::BindPeers(const settings::Settings& settings, const std::string& gateway) {
  std::optional<DirectLanes> lanes;
  const bool forwards = settings.direct.enabled && settings.direct.gateway;
  if ((settings.direct.peers || forwards) && !IsLocalOnly(settings.direct, options_.hosts)) {
    directory_ = std::make_unique<ReplicaDirectory>(foundation_->store->registry(), EjectionFrom(settings.gateway),
                                                    settings.gateway.refresh, env_);
  }
  if (directory_ && settings.direct.peers) {
    SEEDCORE_ASSIGN_OR_RETURN(std::string token, ClusterToken(settings.direct, foundation_->store->streams()));
    lanes = {.directory = directory_.get(), .token = std::move(token), .timeouts = LaneTimeoutsFrom(settings)};
  }
  // Only the organism has work for the hosts of organs.
  if (lanes && settings.direct.organs && kind_.name == "organism") {
    foundation_->organ_hosts = std::make_shared<OrganLanes>(*lanes, *foundation_);
  }
  return BindRemotePeers(foundation_->peers, gateway, settings.client, env_, lanes);
}

std::shared_ptr<ServiceEngine::Live> ServiceEngine::Current() {
  const std::scoped_lock lock(live_mutex_);
  return live_;
}

Result<void> ServiceEngine::Listen() {
  const settings::Settings& settings = live_->settings;
  if (IsLocalOnly(settings.direct, options_.hosts)) {
    log::Warning(
        "there are several hosts and listeners are bound to loopback: this replica is reached through Serve alone; "
        "SEEDCORE_DIRECT_LISTEN=0.0.0.0:0 with SEEDCORE_CLUSTER_TOKEN changes that",
        {{"service", kind_.name}});
    return {};
  }
  ListenerIdentity identity = IdentityOf(kind_);
  std::vector<net::Route> routes = DirectRoutes();
  if (settings.direct.gateway) {
    SEEDCORE_ASSIGN_OR_RETURN(forwarding_, Forwarding::Over(*directory_, settings, *foundation_));
    forwarding_->ForwardWhen(routes, kind_.name,
                             [this] { return draining_ && !directory_->Of(kind_.name)->List().empty(); });
    for (net::Route& route : forwarding_->Routes(kind_.name)) routes.push_back(std::move(route));
    identity.api_tokens = settings.server.api_tokens;  // it is an entry for clients, too
  }
  SEEDCORE_ASSIGN_OR_RETURN(direct_,
                            DirectListener::Start(settings, identity, options_.place, std::move(routes), *foundation_));
  return {};
}

/// The listener's routes are fixed, what answers them changes with each Reconfigure.
std::vector<net::Route> ServiceEngine::DirectRoutes() {
  std::vector<net::Route> routes = live_->unit->Routes();
  for (std::size_t i = 0; i < routes.size(); ++i) {
    if (routes[i].stream) {
      routes[i].stream = [this, i](const net::Request& request, const std::shared_ptr<net::EventStream>& stream) {
        return Current()->answers[i].stream(request, stream);
      };
      continue;
    }
    routes[i].handler = [this, i](const net::Request& request) { return Current()->answers[i].handler(request); };
  }
  return routes;
}

Result<settings::Settings> ServiceEngine::LoadSettings(const json::object& user_config) const {
  SEEDCORE_ASSIGN_OR_RETURN(const auto flags, FlagsFromUserConfig(user_config));
  SEEDCORE_ASSIGN_OR_RETURN(settings::Settings settings, settings::Load(flags, options_.settings_file));
  settings.store.shared = true;  // a replica is never alone
  return settings;
}

Result<std::shared_ptr<ServiceEngine::Live>> ServiceEngine::Build(settings::Settings settings) const {
  auto live = std::make_shared<Live>(std::move(settings), foundation_->metrics);
  SEEDCORE_ASSIGN_OR_RETURN(live->unit, kind_.build(live->settings, *foundation_));
  std::vector<net::Route> routes = live->unit->Routes();
  for (net::Route& route : routes) {
    if (route.handler) route.handler = WithProgress(std::move(route.handler), *progress_);
    live->answers.push_back(route);
  }
  SEEDCORE_RETURN_IF_ERROR(live->routes.Add(std::move(routes)));
  return live;
}

net::LocalServer::Pending ServiceEngine::Handle(EngineRequest request, std::function<void()> wake,
                                                net::LocalServer::Done done) {
  std::shared_ptr<Live> live = Current();
  std::string target = Target(kind_, request);
  net::RouteTable* const routes = &live->routes;
  return server_->Handle(std::shared_ptr<net::RouteTable>(std::move(live), routes),
                         {.method = std::move(request.method),
                          .target = std::move(target),
                          .headers = std::move(request.headers),
                          .body = std::move(request.body),
                          .peer = std::move(request.peer)},
                         std::move(wake), std::move(done));
}

Result<void> ServiceEngine::CheckServers() {
  const std::unique_lock nothing_changes(change_mutex_, std::try_to_lock);
  if (!nothing_changes) return {};
  if (drained_) return Fail(ErrorCode::kUnavailable, "the engine was stopped");
  SEEDCORE_RETURN_IF_ERROR(server_->CheckAlive());
  return direct_ ? direct_->CheckAlive() : Result<void>{};
}

Result<void> ServiceEngine::CheckHealth() {
  SEEDCORE_RETURN_IF_ERROR(CheckServers());
  const store::Store::Health health = foundation_->store->CheckHealth();
  if (!health.writable) return Fail(ErrorCode::kUnavailable, "the store: " + health.error, health.location);
  return {};
}

Result<void> ServiceEngine::Reconfigure(const json::object& user_config) {
  const std::scoped_lock one_at_a_time(change_mutex_);
  if (drained_) return Fail(ErrorCode::kUnavailable, "the engine has stopped");
  SEEDCORE_ASSIGN_OR_RETURN(settings::Settings settings, LoadSettings(user_config));
  const std::shared_ptr<Live> old = live_;
  SEEDCORE_RETURN_IF_ERROR(CheckFixedSettings(old->settings, settings));
  log::Configure(settings.log.level, settings.log.format);
  SEEDCORE_ASSIGN_OR_RETURN(std::shared_ptr<Live> live, Build(std::move(settings)));
  if (live->unit->IsSingleton()) old->unit->Stop(StopCall());
  if (const auto started = live->unit->Start(); !started) {
    if (live->unit->IsSingleton()) {
      if (const auto again = old->unit->Start(); !again) {
        log::Error("the service does not start again", {{"error", ToString(again.error())}});
      }
    }
    return started;
  }
  {
    const std::scoped_lock lock(live_mutex_);
    live_ = std::move(live);
  }
  // What it has in memory is saved now; requests under way finish on it all the same.
  if (!old->unit->IsSingleton()) old->unit->Stop(StopCall());
  log::Info("service reconfigured", {{"service", kind_.name}});
  return {};
}

CallContext ServiceEngine::StopCall() const {
  const CallContext call;
  return call.Within(live_ ? live_->settings.server.drain_timeout : std::chrono::milliseconds(0), env_);
}

bool ServiceEngine::Drain(std::chrono::milliseconds patience) {
  const std::scoped_lock one_at_a_time(change_mutex_);
  if (std::exchange(drained_, true) || !server_) return true;
  const Instant deadline = env_.Now() + patience;
  if (direct_) {
    direct_->SayDraining();
    if (forwarding_) (void)forwarding_->Refresh();  // without this one; if it fails, who is asked knows what to do
    draining_ = true;
    direct_->Stop(live_->settings.direct.drain_notice, patience);
  }
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - env_.Now());
  const bool in_time = server_->Drain(std::max(std::chrono::milliseconds(0), left));
  if (directory_) directory_->Stop();
  if (foundation_->events) foundation_->events->Stop();
  if (live_) live_->unit->Stop(StopCall());
  return in_time;
}

}  // namespace seedcore::app
