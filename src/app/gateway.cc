#include "app/gateway.h"

#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/api_document.h"
#include "app/cluster_token.h"
#include "app/foundation.h"
#include "app/replica_directory.h"
#include "app/section_settings.h"
#include "app/service_unit.h"
#include "base/log.h"
#include "net/forwarder.h"
#include "net/server.h"
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

/// In the order it is built; destruction runs the other way round.
struct Gateway::Parts {
  Parts(const settings::Settings& given, Env& e) : settings(given), env(e) {}

  const settings::Settings settings;
  Env& env;
  std::unique_ptr<Foundation> foundation;
  std::unique_ptr<ReplicaDirectory> directory;
  std::string url;
  std::unique_ptr<net::Server> server;

  Result<void> Start();
  [[nodiscard]] net::ServerOptions Options() const;
  [[nodiscard]] std::vector<net::Route> Forwarded(const std::string& token);
  [[nodiscard]] std::vector<net::Route> Own();
  [[nodiscard]] net::Response Health() const;
  [[nodiscard]] net::Response Replicas() const;
};

Result<void> Gateway::Parts::Start() {
  settings::StoreSettings shared = settings.store;
  shared.shared = true;  // it is where the replicas are
  SEEDCORE_ASSIGN_OR_RETURN(foundation, Foundation::Open(shared, env));
  SEEDCORE_ASSIGN_OR_RETURN(const std::string token, ClusterToken(settings.direct, foundation->store->streams()));
  directory = std::make_unique<ReplicaDirectory>(foundation->store->registry(), EjectionFrom(settings.gateway),
                                                 settings.gateway.refresh, env);
  if (const auto read = directory->Refresh(); !read) {
    log::Warning("the registry can't be read yet", {{"error", ToString(read.error())}});
  }
  directory->Start();
  server = std::make_unique<net::Server>(Options(), env, foundation->metrics);
  SEEDCORE_RETURN_IF_ERROR(server->AddRoutes(0, Forwarded(token)));
  SEEDCORE_RETURN_IF_ERROR(server->AddRoutes(0, Own()));
  SEEDCORE_RETURN_IF_ERROR(server->Start());
  url = fmt::format("http://{}", server->endpoints().front().ToString());
  return {};
}

net::ServerOptions Gateway::Parts::Options() const {
  net::ServerOptions options = ServerOptionsFrom(settings.server);
  options.listen = {net::HostPort{settings.gateway.listen.host, settings.gateway.listen.port}.ToString()};
  // Replicas compress what is worth it; what comes uncompressed was not asked for otherwise.
  options.limits.gzip_min_bytes = std::numeric_limits<std::size_t>::max();
  constexpr unsigned kForItsOwnRoutes = 2;
  options.limits.worker_threads = kForItsOwnRoutes;
  return options;
}

std::vector<net::Route> Gateway::Parts::Forwarded(const std::string& token) {
  const auto to = [&](const std::string& service) {
    return std::make_shared<net::Forwarder>(
        net::ForwarderOptions{.name = service,
                              .token = token,
                              .max_retries = settings.gateway.max_retries,
                              .connect = settings.gateway.connect_timeout},
        directory->Of(service), [this] { directory->RefreshSoon(); }, env, foundation->metrics);
  };
  std::vector<net::Route> routes;
  AddForwarded(routes, service::MlOperations(), to("ml"));
  AddForwarded(routes, service::CognitiveOperations(), to("cognitive"));
  AddForwarded(routes, service::CoordinatorOperations(), to("coordinator"));
  AddForwarded(routes, service::StateOperations(), to("state"));
  AddForwarded(routes, service::EnergyOperations(), to("energy"));
  AddForwarded(routes, service::OrganismOperations(), to("organism"));
  return routes;
}

std::vector<net::Route> Gateway::Parts::Own() {
  using enum net::Execution;
  std::vector<net::Route> routes;
  routes.push_back(InPlace("/health", true, kInline, [this](const net::Request&) { return Health(); }));
  routes.push_back(InPlace("/-/routes", false, kInline, [this](const net::Request&) { return Replicas(); }));
  routes.push_back(InPlace("/metrics", true, kPool, [this](const net::Request&) {
    return net::Response{.content_type = "text/plain; version=0.0.4", .body = foundation->metrics.Expose()};
  }));
  routes.push_back(InPlace("/openapi.json", true, kPool,
                           [](const net::Request&) { return net::JsonResponse(WriteJson(ServicesDocument())); }));
  return routes;
}

net::Response Gateway::Parts::Health() const {
  json::object services;
  std::size_t served = 0;
  for (const ServiceKind& kind : ServiceKinds()) {
    std::size_t able = 0;
    for (const auto& upstream : directory->Of(kind.name)->List()) {
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

net::Response Gateway::Parts::Replicas() const {
  json::array services;
  for (const ServiceKind& kind : ServiceKinds()) {
    json::array replicas;
    for (const auto& upstream : directory->Of(kind.name)->List()) replicas.push_back(View(*upstream));
    services.push_back(
        json::object{{"service", kind.name}, {"prefix", kind.prefix}, {"replicas", std::move(replicas)}});
  }
  json::array dispatchers;
  for (const store::Instance& instance : directory->Dispatchers()) {
    dispatchers.push_back(json::object{{"name", instance.logical_id},
                                       {"role", instance.service},
                                       {"instance_id", instance.instance_id},
                                       {"address", instance.address},
                                       {"node_id", instance.node_id},
                                       {"pid", instance.pid}});
  }
  json::object body{{"services", std::move(services)}, {"dispatchers", std::move(dispatchers)}};
  if (const auto read_at = directory->ReadAt()) {
    body["registry_age_s"] = std::chrono::duration<double>(env.Now() - *read_at).count();
  }
  return net::JsonResponse(WriteJson(body));
}

Gateway::Gateway(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Gateway::~Gateway() { Stop(); }

Result<std::unique_ptr<Gateway>> Gateway::Start(const settings::Settings& settings, Env& env) {
  std::unique_ptr<Gateway> gateway(new Gateway(std::make_unique<Parts>(settings, env)));
  SEEDCORE_RETURN_IF_ERROR(gateway->parts_->Start());
  return gateway;
}

const std::string& Gateway::url() const { return parts_->url; }

Result<void> Gateway::Refresh() { return parts_->directory->Refresh(); }

void Gateway::Stop() {
  if (parts_->server) parts_->server->Stop(parts_->settings.server.drain_timeout);
  if (parts_->directory) parts_->directory->Stop();
}

}  // namespace seedcore::app
