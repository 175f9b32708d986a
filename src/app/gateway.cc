#include "app/gateway.h"

#include <functional>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "app/api_document.h"
#include "app/forwarding.h"
#include "app/foundation.h"
#include "app/section_settings.h"
#include "net/server.h"

namespace seedcore::app {

/// In the order it is built; destruction runs the other way round.
struct Gateway::Parts {
  Parts(const settings::Settings& given, Env& e) : settings(given), env(e) {}

  const settings::Settings settings;
  Env& env;
  std::unique_ptr<Foundation> foundation;
  std::unique_ptr<Forwarding> forwarding;
  std::string url;
  std::unique_ptr<net::Server> server;

  Result<void> Start();
  [[nodiscard]] net::ServerOptions Options() const;
  [[nodiscard]] std::vector<net::Route> Own();
};

Result<void> Gateway::Parts::Start() {
  settings::StoreSettings shared = settings.store;
  shared.shared = true;  // it is where the replicas are
  SEEDCORE_ASSIGN_OR_RETURN(foundation, Foundation::Open(shared, env));
  SEEDCORE_ASSIGN_OR_RETURN(forwarding, Forwarding::Start(settings, *foundation));
  server = std::make_unique<net::Server>(Options(), env, foundation->metrics);
  SEEDCORE_RETURN_IF_ERROR(server->AddRoutes(0, forwarding->Routes()));
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

std::vector<net::Route> Gateway::Parts::Own() {
  const auto text = [](std::string pattern, std::string content_type, std::function<std::string()> body) {
    net::Route route;
    route.pattern = std::move(pattern);
    route.requires_auth = false;
    route.handler = [content_type = std::move(content_type), body = std::move(body)](const net::Request&) {
      return net::Response{.content_type = content_type, .body = body()};
    };
    return route;
  };
  std::vector<net::Route> routes;
  routes.push_back(text("/metrics", "text/plain; version=0.0.4", [this] { return foundation->metrics.Expose(); }));
  routes.push_back(text("/openapi.json", "application/json", [] { return WriteJson(ServicesDocument()); }));
  return routes;
}

Gateway::Gateway(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

Gateway::~Gateway() { Stop(); }

Result<std::unique_ptr<Gateway>> Gateway::Start(const settings::Settings& settings, Env& env) {
  std::unique_ptr<Gateway> gateway(new Gateway(std::make_unique<Parts>(settings, env)));
  SEEDCORE_RETURN_IF_ERROR(gateway->parts_->Start());
  return gateway;
}

const std::string& Gateway::url() const { return parts_->url; }

Result<void> Gateway::Refresh() { return parts_->forwarding->Refresh(); }

void Gateway::Stop() {
  if (parts_->server) parts_->server->Stop(parts_->settings.server.drain_timeout);
  if (parts_->forwarding) parts_->forwarding->Stop();
}

}  // namespace seedcore::app
