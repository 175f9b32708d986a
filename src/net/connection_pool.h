#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

#include "base/call_context.h"
#include "net/channel.h"

namespace seedcore::net {

/// Kept connections to one server, and a bound on how many there are at once. Thread-safe.
class ConnectionPool {
 public:
  ConnectionPool(Endpoint endpoint, std::size_t max_connections, std::chrono::nanoseconds idle, Env& env)
      : endpoint_(std::move(endpoint)), max_connections_(max_connections), idle_(idle), env_(env) {}

  /// A connection on loan. Without Return() it is closed.
  class Loan {
   public:
    Loan(ConnectionPool& pool, Channel channel, bool reused)
        : pool_(&pool), channel_(std::move(channel)), reused_(reused) {}
    Loan(Loan&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), channel_(std::move(other.channel_)), reused_(other.reused_) {}
    Loan& operator=(Loan&&) = delete;
    ~Loan();

    [[nodiscard]] Channel& channel() { return channel_; }
    /// Whether it served an earlier request: the server may have closed it in the meantime.
    [[nodiscard]] bool reused() const { return reused_; }
    /// Keeps the connection for the next call.
    void Return() &&;

   private:
    ConnectionPool* pool_;
    Channel channel_;
    bool reused_;
  };

  /// Waits for a free place until the call is over; connecting itself ends at `connect_deadline`. `fresh`: not a kept
  /// one.
  [[nodiscard]] Result<Loan> Borrow(const CallContext& call, std::chrono::nanoseconds connect_limit, bool fresh);

 private:
  struct Kept {
    Channel channel;
    Instant since;
  };

  void Release(std::optional<Channel> kept);
  /// A kept connection that still works. mutex_ is held.
  std::optional<Channel> TakeKept();

  const Endpoint endpoint_;
  const std::size_t max_connections_;
  const std::chrono::nanoseconds idle_;
  Env& env_;
  std::mutex mutex_;  // guards everything below
  std::condition_variable_any freed_;
  std::vector<Kept> kept_;  // the newest last, and taken first: the others can grow old
  std::size_t lent_ = 0;
};

}  // namespace seedcore::net
