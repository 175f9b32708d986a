#include "app/advertised_address.h"

#include <arpa/inet.h>
#include <utility>

#include <fmt/format.h>

namespace seedcore::app {
namespace {

bool IsIpAddress(const std::string& text) {
  in_addr v4{};
  in6_addr v6{};
  return inet_pton(AF_INET, text.c_str(), &v4) == 1 || inet_pton(AF_INET6, text.c_str(), &v6) == 1;
}

}  // namespace

Result<net::HostPort> AdvertisedAddress(const settings::DirectSettings& settings, const net::HostPort& bound,
                                        const std::string& node_ip) {
  const bool everywhere = bound.host == "0.0.0.0" || bound.host == "::";
  std::string host = !settings.advertise.empty() ? settings.advertise : everywhere ? node_ip : bound.host;
  if (IsIpAddress(host)) return net::HostPort{std::move(host), bound.port};
  return Fail(ErrorCode::kInvalidArgument,
              host.empty()
                  ? fmt::format("the listener is bound to {}, and the node's own address is not known", bound.host)
                  : fmt::format("'{}' is not an IP address", host),
              "direct.advertise");
}

}  // namespace seedcore::app
