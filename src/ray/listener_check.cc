#include "ray/listener_check.h"

#include <array>
#include <string_view>

#include <fmt/format.h>

#include "net/socket.h"
#include "ray/address.h"

namespace seedcore::ray {
namespace {

Listener Classify(std::string_view bytes) {
  constexpr std::string_view kTlsAlert("\x15\x03", 2);
  constexpr std::size_t kFrameHeader = 9;
  constexpr char kSettingsFrame = 4;
  if (bytes.empty()) return Listener::kSilent;
  if (bytes.starts_with(kTlsAlert)) return Listener::kTls;
  if (bytes.starts_with("HTTP/1.")) return bytes.find("HTTPS port") == bytes.npos ? Listener::kHttp : Listener::kTls;
  if (bytes.size() >= kFrameHeader && bytes[3] == kSettingsFrame &&
      bytes.substr(5, 4) == std::string_view("\0\0\0\0", 4)) {
    return Listener::kHttp2;
  }
  if (bytes.starts_with("-ERR") || bytes.starts_with("-NOAUTH") || bytes.starts_with("-DENIED"))
    return Listener::kRedis;
  return Listener::kUnknown;
}

}  // namespace

Listener CheckListener(const net::HostPort& where, Instant deadline, Env& env) {
  auto socket = net::Socket::Connect(where, deadline, env);
  if (!socket) return Listener::kNothing;
  const std::string request =
      fmt::format("GET /api/version HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", where.ToString());
  if (!socket->WriteAll(request, deadline, env)) return Listener::kSilent;
  std::array<char, 1024> buffer{};
  const auto size = socket->Read(buffer.data(), buffer.size(), deadline, env);
  return size ? Classify({buffer.data(), *size}) : Listener::kSilent;
}

std::string Describe(Listener listener, const net::HostPort& where) {
  const std::string at = where.ToString();
  switch (listener) {
    case Listener::kNothing:
      return fmt::format("nothing listens at {}: is the head running, and is this its dashboard's address (port {})?",
                         at, kDashboardPort);
    case Listener::kHttp2:
      return fmt::format(
          "{} speaks gRPC, not HTTP: that is Ray's client port ({}) or control store ({}); the dashboard is on port {}",
          at, kClientPort, kGcsPort, kDashboardPort);
    case Listener::kTls: return fmt::format("{} wants TLS and was spoken to in plain HTTP", at);
    case Listener::kRedis:
      return fmt::format("{} is a Redis server, not a Ray dashboard; the dashboard is on port {}", at, kDashboardPort);
    case Listener::kSilent:
      return fmt::format(
          "{} accepts connections but does not answer HTTP: a server that wants TLS, or another protocol", at);
    case Listener::kHttp: return fmt::format("{} is a web server, but broke off the call", at);
    case Listener::kUnknown: break;
  }
  return fmt::format("{} does not speak HTTP: it is no Ray dashboard", at);
}

bool IsListening(const net::HostPort& where, Instant deadline, Env& env) {
  return net::Socket::Connect(where, deadline, env).has_value();
}

}  // namespace seedcore::ray
