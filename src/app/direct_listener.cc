#include "app/direct_listener.h"

#include <algorithm>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "app/advertised_address.h"
#include "app/cluster_token.h"
#include "app/liveness_probe.h"
#include "app/section_settings.h"
#include "base/log.h"

namespace seedcore::app {

ListenerIdentity IdentityOf(const ServiceKind& kind) {
  return {.logical_id = fmt::format("service:{}", kind.name),
          .actor_name = std::string(kind.name),
          .service = std::string(kind.name),
          .serve_route = std::string(kind.prefix)};
}

DirectListener::DirectListener(std::unique_ptr<net::Server> server, std::unique_ptr<ListenerPresence> presence,
                               std::string address, Env& env)
    : env_(env), address_(std::move(address)), server_(std::move(server)), presence_(std::move(presence)) {}

DirectListener::~DirectListener() { Stop(std::chrono::milliseconds(0), std::chrono::milliseconds(0)); }

Result<std::unique_ptr<DirectListener>> DirectListener::Start(const settings::Settings& settings,
                                                              const ListenerIdentity& identity,
                                                              const ReplicaPlace& place, std::vector<net::Route> routes,
                                                              Foundation& foundation) {
  SEEDCORE_RETURN_IF_ERROR(CheckDirectListen(settings.direct));
  SEEDCORE_ASSIGN_OR_RETURN(const std::string token, ClusterToken(settings.direct, foundation.store->streams()));
  net::ServerOptions options = DirectServerOptionsFrom(settings, token);
  options.auth.tokens.insert(options.auth.tokens.end(), identity.api_tokens.begin(), identity.api_tokens.end());
  auto server = std::make_unique<net::Server>(std::move(options), foundation.env, foundation.metrics);
  for (const auto& [path, execution] :
       {std::pair{kAlivePath, net::Execution::kInline}, {kWorkingPath, net::Execution::kPool}}) {
    net::Route sign;
    sign.pattern = path;
    sign.execution = execution;
    sign.handler = [](const net::Request&) { return net::JsonResponse(R"({"alive":true})"); };
    routes.push_back(std::move(sign));
  }
  SEEDCORE_RETURN_IF_ERROR(server->AddRoutes(0, std::move(routes)));
  SEEDCORE_RETURN_IF_ERROR(server->Start());
  SEEDCORE_ASSIGN_OR_RETURN(const net::HostPort where,
                            AdvertisedAddress(settings.direct, server->endpoints().front(), place.node_ip));
  const std::string address = where.ToString();
  if (const auto open = server->ListenOnSameHost(where); !open) {
    log::Warning("gateways of this host will use TCP", {{"reason", open.error().message}});
  }
  store::Instance listener;
  listener.logical_id = identity.logical_id;
  listener.actor_name = identity.actor_name;
  listener.serve_route = identity.serve_route;
  listener.node_id = place.node_id;
  listener.ip_address = where.host;
  listener.pid = static_cast<int>(::getpid());
  listener.service = identity.service;
  listener.address = address;
  auto presence = std::make_unique<ListenerPresence>(foundation.store->registry(), std::move(listener), foundation.env);
  SEEDCORE_RETURN_IF_ERROR(presence->Enter());
  return std::unique_ptr<DirectListener>(
      new DirectListener(std::move(server), std::move(presence), address, foundation.env));
}

Result<void> DirectListener::CheckAlive() {
  constexpr std::chrono::seconds kPatience{3};  // with the store's own waits below what Serve gives a health check
  auto alive = server_->CheckAlive(kPatience);
  if (!alive) alive.error().path = address_;
  return alive;
}

void DirectListener::Stop(std::chrono::milliseconds notice, std::chrono::milliseconds patience) {
  presence_->Drain();
  const Instant deadline = env_.Now() + patience;
  // A connection that closes under a request which is just being sent would cost its sender an error.
  const auto wait = std::min(notice, patience / 2);
  if (wait.count() > 0) (void)env_.SleepFor(wait, {});
  server_->Stop(std::chrono::duration_cast<std::chrono::milliseconds>(
      std::max(std::chrono::nanoseconds(0), std::chrono::nanoseconds(deadline - env_.Now()))));
  presence_->Leave();
}

}  // namespace seedcore::app
