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
                       std::string token, std::chrono::milliseconds connect, Env& env)
    : directory_(directory),
      upstreams_(std::move(upstreams)),
      name_(std::move(name)),
      token_(std::move(token)),
      connect_(connect),
      env_(env) {}

std::optional<Result<net::Response>> DirectLane::Send(const net::ClientRequest& request, const CallContext& call) {
  using enum net::CircuitBreaker::Outcome;
  std::vector<std::uint64_t> tried;
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    auto lease = upstreams_->Pick(tried);
    if (!lease || std::ranges::find(tried, lease->upstream().key) != tried.end()) return std::nullopt;
    tried.push_back(lease->upstream().key);
    const Instant begun = env_.Now();
    auto response = ClientOf(lease->upstream())->SendForAnyStatus(request, call);
    if (response && response->status != kUnauthorized) {
      lease->Report(kSuccess);
      if (!net::IsRetryableStatus(response->status)) return response;
      continue;
    }
    if (!response && response.error().code != ErrorCode::kUnavailable) {  // nobody waits any more
      // A caller in a hurry proves nothing against a replica; one that waited long does.
      if (env_.Now() - begun >= kStalled) lease->Report(kFailure);
      return response;
    }
    lease->Report(kFailure);
    directory_.RefreshSoon();
    log::Warning("replica failed", {{"service", name_},
                                    {"address", lease->upstream().address.where.ToString()},
                                    {"what", response ? "it refuses the cluster token" : response.error().message}});
  }
  return std::nullopt;
}

std::shared_ptr<net::Client> DirectLane::ClientOf(const net::Upstream& upstream) {
  const std::scoped_lock lock(mutex_);
  auto& client = clients_[upstream.key];
  if (client) return client;
  net::ClientOptions options;
  options.base_url = "http://" + upstream.address.where.ToString();
  options.token = token_;
  options.connect = connect_;
  // Who is asked again, and who is left alone, is decided here and not by the client of one replica.
  options.retry.max_retries = 0;
  options.breaker.failures_to_open = std::numeric_limits<int>::max();
  client = std::make_shared<net::Client>(std::move(options), env_);
  const auto made = client;
  const auto known = upstreams_->List();
  std::erase_if(clients_, [&](const auto& entry) {
    return entry.first != upstream.key &&
           std::ranges::none_of(known, [&](const auto& other) { return other->key == entry.first; });
  });
  return made;
}

}  // namespace seedcore::app
