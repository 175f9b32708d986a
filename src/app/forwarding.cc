#include "app/forwarding.h"

#include <utility>

#include "app/cluster_token.h"
#include "app/liveness_probe.h"
#include "app/section_settings.h"
#include "app/service_unit.h"
#include "base/log.h"
#include "net/forwarder.h"
#include "service/cognitive.h"
#include "service/coordinator.h"
#include "service/energy.h"
#include "service/ml.h"
#include "service/organism.h"
#include "service/state.h"

namespace seedcore::app {
namespace {

template <class Service>
void AddForwarded(std::vector<net::Route>& routes, const service::OperationTable<Service>& table,
                  const std::shared_ptr<net::Forwarder>& forwarder) {
  for (net::Route& route :
       service::RoutesAnsweredBy(table, [&](const auto&, net::Route& each) { each.forwarder = forwarder; })) {
    routes.push_back(std::move(route));
  }
}

net::Route InPlace(std::string pattern, bool open, net::Execution execution, net::Handler handler) {
  net::Route route;
  route.pattern = std::move(pattern);
  route.requires_auth = !open;
  route.execution = execution;
  route.handler = std::move(handler);
  return route;
}

std::string_view StateOf(const net::Upstream& upstream) {
  switch (upstream.breaker().state()) {
    case net::CircuitBreaker::State::kClosed: return "serving";
    case net::CircuitBreaker::State::kOpen: return "ejected";
    case net::CircuitBreaker::State::kHalfOpen: return "probing";
  }
  return "serving";
}

json::object View(const net::Upstream& upstream) {
  return {{"instance_id", upstream.address.id}, {"address", upstream.address.where.ToString()},
          {"node_id", upstream.address.node},   {"state", StateOf(upstream)},
          {"in_flight", upstream.in_flight()},  {"requests", upstream.requests()},
          {"failures", upstream.failures()}};
}

}  // namespace

Forwarding::Forwarding(const settings::Settings& settings, Foundation& foundation, std::string token,
                       std::unique_ptr<ReplicaDirectory> own, ReplicaDirectory& directory)
    : gateway_(settings.gateway),
      direct_(settings.direct),
      foundation_(foundation),
      token_(std::move(token)),
      own_(std::move(own)),
      directory_(directory) {}

Result<std::unique_ptr<Forwarding>> Forwarding::Start(const settings::Settings& settings, Foundation& foundation) {
  SEEDCORE_ASSIGN_OR_RETURN(std::string token, ClusterToken(settings.direct, foundation.store->streams()));
  auto own = std::make_unique<ReplicaDirectory>(foundation.store->registry(), EjectionFrom(settings.gateway),
                                                settings.gateway.refresh, foundation.env);
  ReplicaDirectory& directory = *own;
  if (const auto read = directory.Refresh(); !read) {
    log::Warning("the registry can't be read yet", {{"error", ToString(read.error())}});
  }
  directory.Start();
  return std::unique_ptr<Forwarding>(new Forwarding(settings, foundation, std::move(token), std::move(own), directory));
}

Result<std::unique_ptr<Forwarding>> Forwarding::Over(ReplicaDirectory& directory, const settings::Settings& settings,
                                                     Foundation& foundation) {
  SEEDCORE_ASSIGN_OR_RETURN(std::string token, ClusterToken(settings.direct, foundation.store->streams()));
  return std::unique_ptr<Forwarding>(new Forwarding(settings, foundation, std::move(token), nullptr, directory));
}

std::shared_ptr<net::Forwarder> Forwarding::To(std::string_view service) {
  return std::make_shared<net::Forwarder>(
      net::ForwarderOptions{.name = std::string(service),
                            .token = token_,
                            .max_retries = gateway_.max_retries,
                            .retry_budget = {.share = gateway_.retry_budget},
                            .connect = gateway_.connect_timeout,
                            .alive_target = kAlivePath,
                            .trial_target = kWorkingPath,
                            .probe_after = direct_.probe_after,
                            .probe_timeout = direct_.probe_timeout},
      directory_.Of(service), [this] { directory_.RefreshSoon(); }, foundation_.env, foundation_.metrics);
}

void Forwarding::ForwardWhen(std::vector<net::Route>& routes, std::string_view service,
                             const std::function<bool()>& forwards) {
  const auto forwarder = To(service);
  for (net::Route& route : routes) {
    if (route.stream) continue;  // it ends with this replica, and goes on elsewhere when the client comes back
    route.forwarder = forwarder;
    route.forwards = forwards;
  }
}

std::vector<net::Route> Forwarding::Routes(std::string_view except) {
  std::vector<net::Route> routes;
  const auto add = [&](std::string_view service, const auto& table) {
    if (service != except) AddForwarded(routes, table, To(service));
  };
  add("ml", service::MlOperations());
  add("cognitive", service::CognitiveOperations());
  add("coordinator", service::CoordinatorOperations());
  add("state", service::StateOperations());
  add("energy", service::EnergyOperations());
  add("organism", service::OrganismOperations());
  using enum net::Execution;
  routes.push_back(InPlace("/health", true, kInline, [this](const net::Request&) { return Health(); }));
  routes.push_back(InPlace("/-/routes", false, kInline, [this](const net::Request&) { return Replicas(); }));
  return routes;
}

net::Response Forwarding::Health() const {
  json::object services;
  std::size_t served = 0;
  for (const ServiceKind& kind : ServiceKinds()) {
    std::size_t able = 0;
    for (const auto& upstream : directory_.Of(kind.name)->List()) {
      if (StateOf(*upstream) == "serving") ++able;
    }
    services[kind.name] = able;
    served += able > 0 ? 1 : 0;
  }
  const bool all = served == ServiceKinds().size();
  json::object body{{"status", all          ? "healthy"
                               : served > 0 ? "degraded"
                                            : "unhealthy"},
                    {"service", "seedcore-gateway"},
                    {"replicas", std::move(services)}};
  constexpr int kUnavailable = 503;
  return net::JsonResponse(WriteJson(body), served > 0 ? 200 : kUnavailable);
}

net::Response Forwarding::Replicas() const {
  json::array services;
  for (const ServiceKind& kind : ServiceKinds()) {
    json::array replicas;
    for (const auto& upstream : directory_.Of(kind.name)->List()) replicas.push_back(View(*upstream));
    services.push_back(
        json::object{{"service", kind.name}, {"prefix", kind.prefix}, {"replicas", std::move(replicas)}});
  }
  json::array dispatchers;
  for (const store::Instance& instance : directory_.Dispatchers()) {
    dispatchers.push_back(json::object{{"name", instance.logical_id},
                                       {"role", instance.service},
                                       {"instance_id", instance.instance_id},
                                       {"address", instance.address},
                                       {"node_id", instance.node_id},
                                       {"pid", instance.pid}});
  }
  json::array organs;
  for (const store::Instance& instance : directory_.OrganHosts()) {
    organs.push_back(json::object{{"organ_id", instance.logical_id.substr(kOrganPrefix.size())},
                                  {"name", instance.actor_name},
                                  {"instance_id", instance.instance_id},
                                  {"address", instance.address},
                                  {"node_id", instance.node_id},
                                  {"pid", instance.pid}});
  }
  json::object body{
      {"services", std::move(services)}, {"dispatchers", std::move(dispatchers)}, {"organs", std::move(organs)}};
  if (const auto read_at = directory_.ReadAt()) {
    body["registry_age_s"] = std::chrono::duration<double>(foundation_.env.Now() - *read_at).count();
  }
  return net::JsonResponse(WriteJson(body));
}

}  // namespace seedcore::app
