#include "app/dispatch_lane.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "app/cluster_token.h"
#include "net/client.h"

namespace seedcore::app {
namespace {

constexpr int kUnhealthy = 503;
constexpr int kFirstError = 400;

}  // namespace

Result<std::unique_ptr<DispatchLane>> DispatchLane::Open(const settings::Settings& settings, Env& env) {
  settings::StoreSettings shared = settings.store;
  shared.shared = true;  // it is where the dispatchers are
  SEEDCORE_ASSIGN_OR_RETURN(auto foundation, Foundation::Open(shared, env));
  SEEDCORE_ASSIGN_OR_RETURN(std::string token, ClusterToken(settings.direct, foundation->store->streams()));
  return std::unique_ptr<DispatchLane>(new DispatchLane(std::move(foundation), std::move(token), env));
}

Result<std::vector<store::Instance>> DispatchLane::List() {
  SEEDCORE_ASSIGN_OR_RETURN(auto found, foundation_->store->registry().ActiveListeners());
  std::erase_if(found, [](const store::Instance& instance) {
    return instance.service != kDispatcherService && instance.service != kReaperService;
  });
  std::ranges::sort(found, {}, &store::Instance::logical_id);
  return found;
}

Result<std::string> DispatchLane::Send(const store::Instance& instance, const std::string& path,
                                       const std::string& body, const CallContext& call) {
  net::Client client({.base_url = fmt::format("http://{}", instance.address), .token = token_}, env_);
  const auto answer = client.SendForAnyStatus(
      {.method = body.empty() ? net::Method::kGet : net::Method::kPost, .target = "/dispatch" + path, .body = body},
      call);
  if (!answer) {
    return Fail(answer.error().code, fmt::format("{}: {}", instance.logical_id, answer.error().message));
  }
  const bool is_report = path == "/health" && answer->status == kUnhealthy;
  if (answer->status >= kFirstError && !is_report) {
    const Error error = net::DecodeError(*answer);
    return Fail(error.code, fmt::format("{}: {}", instance.logical_id, error.message), error.path);
  }
  return answer->body;
}

Result<DispatchHealth> DispatchLane::Health(const store::Instance& instance, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::string text, Send(instance, "/health", "", call));
  return FromJsonText<DispatchHealth>(text);
}

Result<DispatchHostStatus> DispatchLane::Status(const store::Instance& instance, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::string text, Send(instance, "/status", "", call));
  return FromJsonText<DispatchHostStatus>(text);
}

Result<DispatchCheckReply> DispatchLane::HealthCheck(const store::Instance& instance,
                                                     const DispatchCheckRequest& request, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::string text, Send(instance, "/health-check", ToJsonText(request), call));
  return FromJsonText<DispatchCheckReply>(text);
}

Result<DispatchHostStatus> DispatchLane::Drain(const store::Instance& instance, const DispatchDrainRequest& request,
                                               const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::string text, Send(instance, "/drain", ToJsonText(request), call));
  return FromJsonText<DispatchHostStatus>(text);
}

}  // namespace seedcore::app
