#include "ray/client/probe.h"

#include <fmt/format.h>

#include "net/target.h"
#include "ray/client/port_peek.h"
#include "ray_client.pb.h"

namespace seedcore::ray {
namespace {

constexpr const char* kAnyCall = "/ray.rpc.RayletDriver/ClusterInfo";
constexpr std::size_t kMaxPong = 64 * 1024;
constexpr std::string_view kScheme = "ray://";
constexpr std::string_view kNotRayClient =
    "is no Ray Client server (its port is 10001 unless --ray-client-server-port says otherwise; 6379 is the GCS, "
    "8265 the dashboard)";

std::string Explain(PortKind kind, bool with_tls, const std::string& reason) {
  switch (kind) {
    case PortKind::kNothing: return "nothing listens there";
    case PortKind::kTls:
      return with_tls ? "the TLS handshake failed (certificate authority, certificate or key): " + reason
                      : "the server speaks TLS, and this client was not told to (RAY_USE_TLS=1 and the RAY_TLS_ files)";
    case PortKind::kHttp2:
      return with_tls ? "the server does not speak TLS, and this client was told to (RAY_USE_TLS)"
                      : "the server does not answer: " + reason;
    case PortKind::kHttp1:
    case PortKind::kOther: return std::string("what listens there ") + std::string(kNotRayClient);
    case PortKind::kSilent: return "something listens there, but does not answer";
  }
  return reason;
}

}  // namespace

Result<std::string> ClientAddress(std::string_view address) {
  std::string_view rest = address;
  if (rest.starts_with(kScheme)) rest.remove_prefix(kScheme.size());
  if (rest.empty() || rest.contains("://") || rest.contains('/')) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("expected ray://HOST:PORT, where PORT is the Ray Client server's, got '{}'", address));
  }
  SEEDCORE_ASSIGN_OR_RETURN(const net::HostPort where, net::ParseHostPort(rest));
  return where.ToString();
}

Result<void> Probe(GrpcChannel& channel, const std::string& address, const RayClientOptions& options, Env& env,
                   const CallContext& call) {
  const CallContext bounded = call.Within(options.probe, env);
  ::ray::rpc::ClusterInfoRequest request;
  request.set_type(::ray::rpc::ClusterInfoType::PING);
  const auto pong = channel.Call(kAnyCall, request.SerializeAsString(), {}, kMaxPong, bounded);
  if (pong) return {};
  const auto fail = [&address](ErrorCode code, std::string_view why) {
    return Fail(code, fmt::format("ray://{}: {}", address, why));
  };
  const Error& error = pong.error();
  switch (error.code) {
    case ErrorCode::kUnauthenticated:
    case ErrorCode::kPermissionDenied:
      return fail(ErrorCode::kUnauthenticated,
                  options.token.empty() ? "the cluster wants a token, and none is sent: set RAY_AUTH_MODE=token, and "
                                          "RAY_AUTH_TOKEN unless ~/.ray/auth_token has it"
                                        : "the cluster refuses the token (RAY_AUTH_TOKEN)");
    case ErrorCode::kMethodNotAllowed:
      return fail(ErrorCode::kUnavailable, fmt::format("the gRPC server there {}", kNotRayClient));
    case ErrorCode::kCancelled: return std::unexpected(error);
    default: break;
  }
  // Only whoever still has time is told more than that it did not work.
  if (const auto can_go_on = call.Check(env); !can_go_on) return fail(can_go_on.error().code, error.message);
  SEEDCORE_ASSIGN_OR_RETURN(const net::HostPort where, net::ParseHostPort(address));
  return fail(ErrorCode::kUnavailable, Explain(PeekPort(where, call, env), options.tls.has_value(), error.message));
}

Result<void> ProbeRayClientServer(const RayClientOptions& options, Env& env, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::string address, ClientAddress(options.address));
  GrpcChannel channel({.address = address, .tls = options.tls, .token = options.token}, env);
  return Probe(channel, address, options, env, call);
}

}  // namespace seedcore::ray
