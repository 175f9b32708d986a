#include "app/direct_listener.h"

#include <algorithm>
#include <arpa/inet.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "app/cluster_token.h"
#include "app/section_settings.h"

namespace seedcore::app {
namespace {

bool IsIpAddress(const std::string& text) {
  in_addr v4{};
  in6_addr v6{};
  return inet_pton(AF_INET, text.c_str(), &v4) == 1 || inet_pton(AF_INET6, text.c_str(), &v6) == 1;
}

/// The host that others are told: the setting, else what it is bound to, else, when that is every address, the node's.
Result<std::string> AdvertisedHost(const settings::DirectSettings& settings, const net::HostPort& bound,
                                   const ReplicaPlace& place) {
  const bool everywhere = bound.host == "0.0.0.0" || bound.host == "::";
  std::string host = !settings.advertise.empty() ? settings.advertise : everywhere ? place.node_ip : bound.host;
  if (IsIpAddress(host)) return host;
  return Fail(ErrorCode::kInvalidArgument,
              host.empty()
                  ? fmt::format("the listener is bound to {}, and the node's own address is not known", bound.host)
                  : fmt::format("'{}' is not an IP address", host),
              "direct.advertise");
}

}  // namespace

DirectListener::DirectListener(std::unique_ptr<net::Server> server, std::unique_ptr<ListenerPresence> presence,
                               std::string address, Env& env)
    : env_(env), address_(std::move(address)), server_(std::move(server)), presence_(std::move(presence)) {}

DirectListener::~DirectListener() { Stop(std::chrono::milliseconds(0), std::chrono::milliseconds(0)); }

Result<std::unique_ptr<DirectListener>> DirectListener::Start(const settings::Settings& settings,
                                                              const ServiceKind& kind, const ReplicaPlace& place,
                                                              std::vector<net::Route> routes, Foundation& foundation) {
  SEEDCORE_RETURN_IF_ERROR(CheckDirectListen(settings.direct));
  SEEDCORE_ASSIGN_OR_RETURN(const std::string token, ClusterToken(settings.direct, foundation.store->streams()));
  auto server =
      std::make_unique<net::Server>(DirectServerOptionsFrom(settings, token), foundation.env, foundation.metrics);
  SEEDCORE_RETURN_IF_ERROR(server->AddRoutes(0, std::move(routes)));
  SEEDCORE_RETURN_IF_ERROR(server->Start());
  const net::HostPort& bound = server->endpoints().front();
  SEEDCORE_ASSIGN_OR_RETURN(std::string host, AdvertisedHost(settings.direct, bound, place));
  const std::string address = net::HostPort{host, bound.port}.ToString();
  store::Instance listener;
  listener.logical_id = fmt::format("service:{}", kind.name);
  listener.actor_name = kind.name;
  listener.serve_route = kind.prefix;
  listener.node_id = place.node_id;
  listener.ip_address = std::move(host);
  listener.pid = static_cast<int>(::getpid());
  listener.service = kind.name;
  listener.address = address;
  auto presence = std::make_unique<ListenerPresence>(foundation.store->registry(), std::move(listener), foundation.env);
  SEEDCORE_RETURN_IF_ERROR(presence->Enter());
  return std::unique_ptr<DirectListener>(
      new DirectListener(std::move(server), std::move(presence), address, foundation.env));
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
