#include "net/upstreams.h"

#include <algorithm>
#include <utility>

namespace seedcore::net {
namespace {

std::uint64_t NextKey() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

Upstream::Upstream(UpstreamAddress a, BreakerSettings breaker, Env& env)
    : address(std::move(a)), key(NextKey()), breaker_(breaker, env) {}

Upstreams::Lease::Lease(std::shared_ptr<Upstream> upstream, CircuitBreaker::Permit permit)
    : upstream_(std::move(upstream)), permit_(permit) {
  upstream_->in_flight_.fetch_add(1, std::memory_order_relaxed);
  upstream_->requests_.fetch_add(1, std::memory_order_relaxed);
}

Upstreams::Lease::~Lease() {
  if (!upstream_) return;
  if (!reported_) upstream_->breaker_.Report(permit_, CircuitBreaker::Outcome::kAbandoned);
  upstream_->in_flight_.fetch_sub(1, std::memory_order_relaxed);
}

void Upstreams::Lease::Report(CircuitBreaker::Outcome outcome) {
  reported_ = true;
  using enum CircuitBreaker::Outcome;
  if (outcome == kFailure || outcome == kDead) upstream_->failures_.fetch_add(1, std::memory_order_relaxed);
  upstream_->breaker_.Report(permit_, outcome);
}

Result<Upstreams::Lease> Upstreams::Pick(std::span<const std::uint64_t> tried) {
  const std::scoped_lock lock(mutex_);
  if (upstreams_.empty()) return Fail(ErrorCode::kUnavailable, "there is no replica");
  ++turn_;
  std::vector<std::uint64_t> refused(tried.begin(), tried.end());
  // First those that were not tried; then, when all of these are ejected or there are none, the others.
  for (const bool again : {false, true}) {
    if (again) refused.clear();
    while (const auto upstream = LeastLoaded(refused)) {
      const bool may_be_asked = !trials_are_left_ || upstream->breaker_.state() == CircuitBreaker::State::kClosed;
      if (may_be_asked) {
        if (const auto permit = upstream->breaker_.Admit()) return Lease(upstream, *permit);
      }
      refused.push_back(upstream->key);
    }
  }
  return Fail(ErrorCode::kUnavailable, "every replica has failed lately");
}

std::shared_ptr<Upstream> Upstreams::LeastLoaded(std::span<const std::uint64_t> refused) const {
  std::shared_ptr<Upstream> best;
  for (std::size_t i = 0; i < upstreams_.size(); ++i) {
    const auto& candidate = upstreams_[(turn_ + i) % upstreams_.size()];
    if (best && candidate->in_flight() >= best->in_flight()) continue;
    if (std::ranges::find(refused, candidate->key) == refused.end()) best = candidate;
  }
  return best;
}

void Upstreams::Replace(std::vector<UpstreamAddress> addresses) {
  const std::scoped_lock lock(mutex_);
  std::vector<std::shared_ptr<Upstream>> next;
  next.reserve(addresses.size());
  for (UpstreamAddress& address : addresses) {
    const auto known = std::ranges::find_if(upstreams_, [&](const auto& upstream) {
      return upstream->address.id == address.id && upstream->address.where == address.where;
    });
    next.push_back(known != upstreams_.end() ? *known : std::make_shared<Upstream>(std::move(address), breaker_, env_));
  }
  upstreams_ = std::move(next);
}

std::vector<std::shared_ptr<Upstream>> Upstreams::List() const {
  const std::scoped_lock lock(mutex_);
  return upstreams_;
}

std::chrono::nanoseconds Upstreams::UntilNextProbe() const {
  const std::scoped_lock lock(mutex_);
  std::chrono::nanoseconds shortest = std::chrono::nanoseconds::max();
  for (const auto& upstream : upstreams_) shortest = std::min(shortest, upstream->breaker_.OpenFor());
  return upstreams_.empty() ? std::chrono::nanoseconds(0) : shortest;
}

}  // namespace seedcore::net
