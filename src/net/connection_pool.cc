#include "net/connection_pool.h"

#include <algorithm>
#include <utility>

namespace seedcore::net {

ConnectionPool::Loan::~Loan() {
  if (pool_ != nullptr) pool_->Release(std::nullopt);
}

void ConnectionPool::Loan::Return() && { std::exchange(pool_, nullptr)->Release(std::move(channel_)); }

Result<ConnectionPool::Loan> ConnectionPool::Borrow(const CallContext& call, std::chrono::nanoseconds connect_limit,
                                                    bool fresh) {
  {
    std::unique_lock lock(mutex_);
    const auto has_place = [this] { return lent_ < max_connections_; };
    if (!has_place() && !env_.WaitUntil(lock, freed_, call.deadline, call.stop, has_place)) {
      SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
      return Fail(ErrorCode::kDeadlineExceeded, "no connection became free in time");
    }
    ++lent_;
    if (!fresh) {
      if (auto channel = TakeKept()) return Loan(*this, std::move(*channel), true);
    }
  }
  auto connected = Channel::Connect(endpoint_, std::min(call.deadline, env_.Now() + connect_limit), env_);
  if (!connected) {
    Release(std::nullopt);
    return std::unexpected(std::move(connected).error());
  }
  return Loan(*this, std::move(*connected), false);
}

std::optional<Channel> ConnectionPool::TakeKept() {
  const Instant now = env_.Now();
  std::erase_if(kept_, [&](const Kept& kept) { return now - kept.since > idle_; });
  while (!kept_.empty()) {
    Channel channel = std::move(kept_.back().channel);
    kept_.pop_back();
    if (channel.IsQuiet()) return channel;
  }
  return std::nullopt;
}

void ConnectionPool::Release(std::optional<Channel> kept) {
  {
    const std::scoped_lock lock(mutex_);
    --lent_;
    if (kept && kept_.size() < max_connections_) kept_.push_back({std::move(*kept), env_.Now()});
  }
  freed_.notify_one();
}

}  // namespace seedcore::net
