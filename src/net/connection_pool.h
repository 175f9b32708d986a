#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <vector>

#include "base/call_context.h"
#include "net/socket.h"

namespace seedcore::net {

/// Kept connections to one server, and a bound on how many there are at once. Thread-safe.
class ConnectionPool {
 public:
  ConnectionPool(HostPort where, std::size_t max_connections, std::chrono::nanoseconds idle, Env& env)
      : where_(std::move(where)), max_connections_(max_connections), idle_(idle), env_(env) {}

  /// A connection on loan. Without Return() it is closed.
  class Loan {
   public:
    Loan(ConnectionPool& pool, Socket socket, bool reused)
        : pool_(&pool), socket_(std::move(socket)), reused_(reused) {}
    Loan(Loan&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), socket_(std::move(other.socket_)), reused_(other.reused_) {}
    Loan& operator=(Loan&&) = delete;
    ~Loan();

    [[nodiscard]] Socket& socket() { return socket_; }
    /// Whether it served an earlier request: the server may have closed it in the meantime.
    [[nodiscard]] bool reused() const { return reused_; }
    /// Keeps the connection for the next call.
    void Return() &&;

   private:
    ConnectionPool* pool_;
    Socket socket_;
    bool reused_;
  };

  /// Waits for a free place until the call is over; connecting itself ends at `connect_deadline`. `fresh`: not a kept
  /// one.
  [[nodiscard]] Result<Loan> Borrow(const CallContext& call, std::chrono::nanoseconds connect_limit, bool fresh);

 private:
  struct Kept {
    Socket socket;
    Instant since;
  };

  void Release(std::optional<Socket> kept);
  /// A kept connection that still works. mutex_ is held.
  std::optional<Socket> TakeKept();

  const HostPort where_;
  const std::size_t max_connections_;
  const std::chrono::nanoseconds idle_;
  Env& env_;
  std::mutex mutex_;  // guards everything below
  std::condition_variable_any freed_;
  std::vector<Kept> kept_;  // the newest last, and taken first: the others can grow old
  std::size_t lent_ = 0;
};

}  // namespace seedcore::net
