#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/env.h"
#include "store/postgres/connection.h"

namespace seedcore::store::postgres {

/// At most `size` connections, made when they are needed. A caller waits for a free one at most `max_wait`, then gets
/// kResourceExhausted. A connection that broke is dropped and the next caller makes a new one. Thread-safe.
///
/// An idle connection may end at any time: by the server, or by what is in between. Take passes over those that show
/// it; one that ends right afterwards its user finds broken, and TakeInsteadOf gives another for it.
class Pool {
 public:
  Pool(ConnectSettings settings, int size, std::chrono::milliseconds max_wait, Env& env)
      : settings_(std::move(settings)), size_(size), max_wait_(max_wait), env_(env) {}

  /// A connection lent to one caller, given back on destruction.
  class Loan {
   public:
    Loan(Pool& pool, std::unique_ptr<Connection> connection, bool was_idle)
        : pool_(&pool), connection_(std::move(connection)), was_idle_(was_idle) {}
    ~Loan() {
      if (connection_ != nullptr) pool_->GiveBack(std::move(connection_));
    }
    Loan(Loan&&) noexcept = default;
    Loan& operator=(Loan&& other) noexcept {
      std::swap(pool_, other.pool_);
      std::swap(connection_, other.connection_);
      std::swap(was_idle_, other.was_idle_);
      return *this;
    }
    Connection& operator*() const { return *connection_; }
    Connection* operator->() const { return connection_.get(); }
    /// Whether it had been used before, and stood idle.
    [[nodiscard]] bool was_idle() const { return was_idle_; }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
    bool was_idle_;
  };

  /// kUnavailable when no connection can be made, whatever the reason: the settings worked when the store was opened.
  [[nodiscard]] Result<Loan> Take();
  /// For one that was found broken: a new connection, never an idle one. Those that look idle may have ended with it.
  [[nodiscard]] Result<Loan> TakeInsteadOf(Loan broken);

 private:
  /// Counted in `made_` already.
  [[nodiscard]] Result<Loan> Make();
  [[nodiscard]] Result<void> AwaitOne(std::unique_lock<std::mutex>& lock);
  void GiveBack(std::unique_ptr<Connection> connection);

  const ConnectSettings settings_;
  const int size_;
  const std::chrono::milliseconds max_wait_;
  Env& env_;
  std::mutex mutex_;  // guards everything below
  std::condition_variable_any returned_;
  std::vector<std::unique_ptr<Connection>> free_;
  int made_ = 0;  ///< free, lent or being made
};

}  // namespace seedcore::store::postgres
