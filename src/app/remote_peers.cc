#include "app/remote_peers.h"

#include <memory>
#include <utility>

#include <fmt/format.h>

#include "app/direct_lane.h"
#include "app/progress_relay.h"
#include "app/section_settings.h"
#include "net/client.h"
#include "net/target.h"
#include "ray/plan_input.h"

namespace seedcore::app {
namespace {

/// Whether SeedCore itself gave this answer. A gateway in front answers in words of its own when it has no replica, or
/// loses the one it had.
bool IsOurs(const net::Response& response) {
  const auto body = ParseJson(response.body);
  return body && body->is_object();
}

/// One service: at its replicas' own listeners where there are any, else behind the gateway.
class RemoteService {
 public:
  RemoteService(const std::string& gateway_url, const settings::ClientSettings& settings, Env& env,
                std::unique_ptr<DirectLane> lane)
      : env_(env), client_(Options(gateway_url, settings), env), lane_(std::move(lane)) {}

  Result<net::Response> Send(net::Method method, const std::string& path, std::string body, const CallContext& caller) {
    CallContext call = caller;
    // Every operation behind a peer may be executed again (at-least-once is what the platform promises); the key says
    // so, and lets the callee tell a repetition from a second call.
    if (call.idempotency_key.empty()) call.idempotency_key = env_.NewId();
    net::ClientRequest request{.method = method, .target = path, .body = std::move(body)};
    NameLease(call, request.headers);
    if (lane_) {
      if (auto answer = lane_->Send(request, call)) return std::move(*answer);
    }
    for (int retry = 0;; ++retry) {
      SEEDCORE_ASSIGN_OR_RETURN(net::Response response, client_.SendForAnyStatus(request, call));
      if (response.status < 400 || IsOurs(response)) return response;
      // Serve's proxy says 500 when a replica dies under a request, which the client has no reason to repeat.
      const auto wait = net::Backoff(kForeignRetry, retry, env_.RandomUnit());
      if (response.status < 500 || retry >= kForeignRetry.max_retries || env_.Now() + wait >= call.deadline) {
        return Fail(ErrorCode::kUnavailable,
                    fmt::format("the gateway answers {} for {}; is the service deployed?", response.status, path));
      }
      if (!env_.SleepFor(wait, call.stop)) return Fail(ErrorCode::kCancelled, "the call was cancelled");
    }
  }

 private:
  static constexpr net::RetryPolicy kForeignRetry{.max_retries = 3};

  static net::ClientOptions Options(const std::string& gateway_url, const settings::ClientSettings& settings) {
    net::ClientOptions options;
    options.base_url = gateway_url;
    options.token = settings.api_token;
    options.breaker = BreakerFrom(settings);
    return options;
  }

  Env& env_;
  net::Client client_;
  const std::unique_ptr<DirectLane> lane_;
};

}  // namespace

Result<void> BindRemotePeers(const Peers& peers, const std::string& gateway_url,
                             const settings::ClientSettings& settings, Env& env,
                             const std::optional<DirectLanes>& lanes) {
  if (const auto url = net::ParseBaseUrl(gateway_url); !url) {
    return Fail(url.error().code, url.error().message, "gateway_url");
  }
  const auto transport = [&](const std::string& service) -> service::Transport {
    auto lane = lanes ? std::make_unique<DirectLane>(*lanes->directory, lanes->directory->Of(service), service,
                                                     lanes->token, lanes->timeouts, env)
                      : nullptr;
    return [remote = std::make_shared<RemoteService>(gateway_url, settings, env, std::move(lane))](
               net::Method method, const std::string& path, std::string body, const CallContext& call) {
      return remote->Send(method, path, std::move(body), call);
    };
  };
  peers.ml.BindRemote(service::MlOperations(), transport("ml"));
  peers.cognitive.BindRemote(service::CognitiveOperations(), transport("cognitive"));
  peers.organism.BindRemote(service::OrganismOperations(), transport("organism"));
  peers.state.BindRemote(service::StateOperations(), transport("state"));
  peers.coordinator.BindRemote(service::CoordinatorOperations(), transport("coordinator"));
  return {};
}

Result<std::string> GatewayUrl(const std::string& given, const settings::Settings& settings, Env& env) {
  if (!given.empty()) return given;
  SEEDCORE_ASSIGN_OR_RETURN(const ray::ConnectionPlan plan,
                            ray::PlanConnection({.purpose = ray::Purpose::kRest}, settings, env));
  return plan.serve_url.value;
}

}  // namespace seedcore::app
