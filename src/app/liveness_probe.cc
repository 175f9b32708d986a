#include "app/liveness_probe.h"

#include <utility>

namespace seedcore::app {
namespace {

net::ClientOptions ForOneSmallRequest(net::ClientOptions options) {
  options.max_connections = 1;
  return options;
}

}  // namespace

LivenessProbe::LivenessProbe(net::ClientOptions options, std::chrono::milliseconds patience, Env& env)
    : patience_(patience), env_(env), client_(ForOneSmallRequest(std::move(options)), env) {}

bool LivenessProbe::IsAlive(const CallContext& call) {
  const std::unique_lock lock(asking_, std::try_to_lock);
  if (!lock) return !dead_;
  CallContext probe = call.Within(patience_, env_);
  probe.idempotency_key.clear();
  probe.progress.reset();
  const auto answer = client_.SendForAnyStatus({.target = kAlivePath}, probe);
  if (answer || call.Check(env_)) dead_ = !answer;
  return !dead_;
}

}  // namespace seedcore::app
