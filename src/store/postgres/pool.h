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
class Pool {
 public:
  Pool(ConnectSettings settings, int size, std::chrono::milliseconds max_wait, Env& env)
      : settings_(std::move(settings)), size_(size), max_wait_(max_wait), env_(env) {}

  /// A connection lent to one caller, given back on destruction.
  class Loan {
   public:
    Loan(Pool& pool, std::unique_ptr<Connection> connection) : pool_(&pool), connection_(std::move(connection)) {}
    ~Loan() {
      if (connection_ != nullptr) pool_->GiveBack(std::move(connection_));
    }
    Loan(Loan&&) noexcept = default;
    Loan& operator=(Loan&&) = delete;
    Connection& operator*() const { return *connection_; }
    Connection* operator->() const { return connection_.get(); }

   private:
    Pool* pool_;
    std::unique_ptr<Connection> connection_;
  };

  /// kUnavailable when no connection can be made, whatever the reason: the settings worked when the store was opened.
  [[nodiscard]] Result<Loan> Take();

 private:
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
