#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/target.h"

/// What people write where a Ray address is asked for. Pure.
namespace seedcore::ray {

inline constexpr std::uint16_t kClientPort = 10001;    ///< Ray Client server
inline constexpr std::uint16_t kGcsPort = 6379;        ///< global control store; also Redis's port
inline constexpr std::uint16_t kDashboardPort = 8265;  ///< dashboard and REST
inline constexpr std::uint16_t kServePort = 8000;      ///< Serve's HTTP proxy

enum class AddressKind {
  kClient,     ///< ray://HOST:PORT, from outside of the cluster
  kCluster,    ///< HOST:PORT of the global control store, from a node of the cluster
  kAuto,       ///< auto: the cluster this host is a node of
  kLocal,      ///< local: a cluster of one's own
  kDashboard,  ///< http(s)://HOST:PORT: REST only, no Ray address
};

struct RayAddress {
  AddressKind kind = AddressKind::kLocal;
  net::HostPort where;  ///< unset for auto and local
  std::string text;     ///< canonical: what to hand to Ray, or the URL of the dashboard
};

/// A missing port is 10001 after ray:// and 8265 after http://; HOST alone is refused, because the port decides the
/// protocol. kInvalidArgument, with what to write instead: no address, or a well-known port under the wrong scheme
/// (HOST:10001, ray://HOST:6379, http://HOST:10001).
[[nodiscard]] Result<RayAddress> ParseRayAddress(std::string_view text);

/// A server's URL as "http://HOST:PORT[/prefix]"; a missing scheme is http, a missing port `default_port` (443 after
/// https). kInvalidArgument: no URL, user info, or the port of another of Ray's protocols.
[[nodiscard]] Result<std::string> NormalizeUrl(std::string_view text, std::uint16_t default_port);
/// The host of a URL that NormalizeUrl made.
[[nodiscard]] std::string HostOfUrl(std::string_view url);

/// Whether the host is this machine: localhost, 127.0.0.0/8, ::1.
[[nodiscard]] bool IsLoopbackHost(std::string_view host);

}  // namespace seedcore::ray
