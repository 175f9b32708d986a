#include "app/direct_lane.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"

namespace seedcore::app {
namespace {

constexpr int kUnauthorized = 401;
/// Replicas that are asked before the other way is taken.
constexpr int kAttempts = 3;
/// No answer for so long at the deadline counts as a failure.
constexpr std::chrono::seconds kStalled{10};

}  // namespace

DirectLane::DirectLane(ReplicaDirectory& directory, std::shared_ptr<net::Upstreams> upstreams, std::string name,
                       std::string token, LaneTimeouts timeouts, Env& env)
    : directory_(directory),
      upstreams_(std::move(upstreams)),
      name_(std::move(name)),
      token_(std::move(token)),
      timeouts_(timeouts),
      env_(env) {}

std::optional<Result<net::Response>> DirectLane::Send(const net::ClientRequest& request, const CallContext& call) {
  using enum net::CircuitBreaker::Outcome;
  std::vector<std::uint64_t> tried;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto lease = upstreams_->Pick(tried);
    if (!lease || std::ranges::find(tried, lease->upstream().key) != tried.end()) return std::nullopt;
    tried.push_back(lease->upstream().key);
    const Instant begun = env_.Now();
    const Replica replica = ReplicaAt(lease->upstream());
    auto response = replica.client->SendForAnyStatus(request, call);
    if (response && response->status != kUnauthorized) {
      lease->Report(kSuccess);
      replica.liveness->Answered();
      if (!net::IsRetryableStatus(response->status)) return response;
      continue;
    }
    const bool is_wanted = call.Check(env_).has_value();
    // One that does not even take in the request says nothing of the caller's deadline.
    const bool stuck = !response && response.error().code == ErrorCode::kDeadlineExceeded && is_wanted;
    if (!response && response.error().code != ErrorCode::kUnavailable && !stuck) {  // nobody waits any more
      // A caller in a hurry proves nothing against a replica; one that waited long does.
      if (env_.Now() - begun >= kStalled) lease->Report(kFailure);
      return response;
    }
    lease->Report(replica.liveness->IsDead() ? kDead : kFailure);
    directory_.RefreshSoon();
    log::Warning("replica failed", {{"service", name_},
                                    {"address", lease->upstream().address.where.ToString()},
                                    {"what", response ? "it refuses the cluster token" : response.error().message}});
  }
  return std::nullopt;
}

DirectLane::Replica DirectLane::ReplicaAt(const net::Upstream& upstream) {
  const std::scoped_lock lock(mutex_);
  Replica& replica = replicas_[upstream.key];
  if (replica.client) return replica;
  net::ClientOptions options;
  options.base_url = "http://" + upstream.address.where.ToString();
  options.token = token_;
  options.connect = timeouts_.connect;
  // Who is asked again, and who is left alone, is decided here and not by the client of one replica.
  options.retry.max_retries = 0;
  options.breaker.failures_to_open = std::numeric_limits<int>::max();
  replica.liveness = std::make_shared<LivenessProbe>(options, timeouts_.probe, env_);
  options.is_alive = [probe = replica.liveness](const CallContext& call) { return probe->IsAlive(call); };
  options.probe_after = timeouts_.probe_after;
  replica.client = std::make_shared<net::Client>(std::move(options), env_);
  const Replica made = replica;
  const auto known = upstreams_->List();
  std::erase_if(replicas_, [&](const auto& entry) {
    return entry.first != upstream.key &&
           std::ranges::none_of(known, [&](const auto& other) { return other->key == entry.first; });
  });
  return made;
}

}  // namespace seedcore::app
