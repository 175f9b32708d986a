#include "ray/address.h"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::ray {
namespace {

std::unexpected<Error> Bad(std::string message) { return Fail(ErrorCode::kInvalidArgument, std::move(message)); }

bool IsHost(std::string_view host) {
  return !host.empty() && host.size() <= 253 && std::ranges::all_of(host, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_' || c == ':';
  });
}

std::optional<std::string_view> After(std::string_view text, std::string_view scheme) {
  if (text.size() < scheme.size() || ToLower(text.substr(0, scheme.size())) != scheme) return std::nullopt;
  return text.substr(scheme.size());
}

/// HOST[:PORT] without a path. An IPv6 address stands in brackets.
Result<net::HostPort> ParseAuthority(std::string_view text, std::optional<std::uint16_t> default_port) {
  if (text.find('@') != std::string_view::npos) return Bad("user and password have no place in it");
  const std::size_t bracket = text.rfind(']');
  const std::size_t colon = text.rfind(':');
  const bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  if (!has_port && !default_port) return Bad("there is no port");
  const std::string whole = has_port ? std::string(text) : fmt::format("{}:{}", text, *default_port);
  auto parsed = net::ParseHostPort(whole);
  if (!parsed || text.starts_with(':') || text.starts_with("[]") || !IsHost(parsed->host))
    return Bad("expected HOST:PORT");
  if (parsed->port == 0) return Bad("port 0 is no port");
  return parsed;
}

/// What listens on the port by convention, when that is another protocol than HTTP.
Result<void> RefuseForeignPort(const net::HostPort& where) {
  if (where.port == kClientPort) {
    return Bad(fmt::format("{} is Ray's client port and does not speak HTTP; the dashboard is at http://{}:{}",
                           kClientPort, where.host, kDashboardPort));
  }
  if (where.port == kGcsPort) {
    return Bad(
        fmt::format("{} is the port of Ray's control store and does not speak HTTP; the dashboard is at http://{}:{}",
                    kGcsPort, where.host, kDashboardPort));
  }
  return {};
}

Result<RayAddress> ParseClient(std::string_view rest) {
  SEEDCORE_ASSIGN_OR_RETURN(net::HostPort where, ParseAuthority(rest.substr(0, rest.find('/')), kClientPort));
  if (const std::size_t slash = rest.find('/'); slash != std::string_view::npos && slash + 1 < rest.size()) {
    return Bad("a Ray address has no path");
  }
  if (where.port == kGcsPort) {
    return Bad(fmt::format(
        "{0} is the port of Ray's control store: write ray://{1}:{2} from outside of the cluster, or {1}:{0} on "
        "one of its nodes",
        kGcsPort, where.host, kClientPort));
  }
  if (where.port == kDashboardPort) {
    return Bad(
        fmt::format("{} is the port of the dashboard: write ray://{}:{}", kDashboardPort, where.host, kClientPort));
  }
  std::string text = "ray://" + where.ToString();
  return RayAddress{AddressKind::kClient, std::move(where), std::move(text)};
}

Result<RayAddress> ParseCluster(std::string_view text) {
  auto where = ParseAuthority(text, std::nullopt);
  if (!where) {
    return Bad(fmt::format("{}: expected ray://HOST:{}, HOST:{}, auto, local or the http:// URL of the dashboard",
                           where.error().message, kClientPort, kGcsPort));
  }
  if (where->port == kClientPort) {
    return Bad(fmt::format("{} is Ray's client port: write ray://{}", kClientPort, where->ToString()));
  }
  if (where->port == kDashboardPort) {
    return Bad(fmt::format("{} is the port of the dashboard: write ray://{}:{} for Ray, or http://{} for REST alone",
                           kDashboardPort, where->host, kClientPort, where->ToString()));
  }
  std::string canonical = where->ToString();
  return RayAddress{AddressKind::kCluster, std::move(*where), std::move(canonical)};
}

}  // namespace

Result<RayAddress> ParseRayAddress(std::string_view given) {
  const std::string_view text = Trim(given);
  const std::string lower = ToLower(text);
  if (lower == "auto") return RayAddress{AddressKind::kAuto, {}, "auto"};
  if (lower == "local") return RayAddress{AddressKind::kLocal, {}, "local"};
  if (const auto rest = After(text, "ray://")) return ParseClient(*rest);
  if (lower.starts_with("http://") || lower.starts_with("https://")) {
    SEEDCORE_ASSIGN_OR_RETURN(std::string url, NormalizeUrl(text, kDashboardPort));
    const std::string_view authority = std::string_view(url).substr(url.find("://") + 3);
    SEEDCORE_ASSIGN_OR_RETURN(net::HostPort where, ParseAuthority(authority.substr(0, authority.find('/')), 0));
    return RayAddress{AddressKind::kDashboard, std::move(where), std::move(url)};
  }
  if (const std::size_t scheme = text.find("://"); scheme != std::string_view::npos) {
    return Bad(fmt::format("scheme {}:// is not one of ray://, http:// and https://", text.substr(0, scheme)));
  }
  return ParseCluster(text);
}

Result<std::string> NormalizeUrl(std::string_view given, std::uint16_t default_port) {
  std::string_view rest = Trim(given);
  std::string scheme = "http://";
  if (const auto plain = After(rest, "http://")) {
    rest = *plain;
  } else if (const auto secure = After(rest, "https://")) {
    rest = *secure;
    scheme = "https://";
    default_port = 443;
  } else if (rest.find("://") != std::string_view::npos) {
    return Bad("expected a URL that starts with http:// or https://");
  }
  const std::size_t slash = rest.find('/');
  SEEDCORE_ASSIGN_OR_RETURN(const net::HostPort where, ParseAuthority(rest.substr(0, slash), default_port));
  SEEDCORE_RETURN_IF_ERROR(RefuseForeignPort(where));
  std::string prefix = slash == std::string_view::npos ? "" : std::string(rest.substr(slash));
  while (prefix.ends_with('/')) prefix.pop_back();
  if (!std::ranges::all_of(prefix, [](char c) { return c > 0x20 && c < 0x7f && c != '?' && c != '#'; })) {
    return Bad("expected http://HOST:PORT[/prefix]");
  }
  return scheme + where.ToString() + prefix;
}

std::string HostOfUrl(std::string_view url) {
  const std::size_t scheme = url.find("://");
  std::string_view rest = scheme == std::string_view::npos ? url : url.substr(scheme + 3);
  rest = rest.substr(0, rest.find('/'));
  const auto where = net::ParseHostPort(rest);
  return where ? where->host : std::string(rest);
}

bool IsLoopbackHost(std::string_view host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

}  // namespace seedcore::ray
