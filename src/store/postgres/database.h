#pragma once

#include <chrono>
#include <functional>
#include <optional>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/metrics.h"
#include "store/postgres/notifier.h"
#include "store/postgres/pool.h"
#include "store/signal.h"

namespace seedcore::store::postgres {

/// What a transaction did that others want to know; takes effect when it commits.
struct WriteNotes {
  MadeRunnable runnable;  ///< tasks that can be claimed, now or earlier than was known
  bool appended_events = false;
  int lease_lost = 0;
};

/// What one write operation works with. It may run twice, when its transaction collides with another, or an idle
/// connection turns out to have ended before it began.
struct WriteContext {
  Connection& db;
  Env& env;
  WallTime now;
  WriteNotes notes{};
  /// Mark of the announcement that goes ahead of this transaction, see Notifier; 0: there is none.
  std::uint32_t announced = 0;
};

struct DatabaseSettings {
  ConnectSettings connect;
  int writers = 8;
  int readers = 4;
  std::chrono::milliseconds max_wait{10'000};  ///< for a free connection
};

/// The connections of one store: some write, some read, one listens. Thread-safe.
///
/// Fault sites: "store.begin", "store.commit" and "store.read", as if PostgreSQL had failed there.
class Database {
 public:
  Database(const DatabaseSettings& settings, Env& env, Metrics& metrics);

  /// Runs `operation(WriteContext&)`, which returns a Result, in a transaction, and returns when it is durable. An
  /// error means that it left nothing behind, except when the connection broke at the commit: that is never repeated.
  template <class Operation>
  auto Write(Operation&& operation) -> std::invoke_result_t<Operation&, WriteContext&> {
    return RunWrite(Mode::kTransaction, operation);
  }
  /// The same, but no statement waits for a lock longer than `lock_timeout`.
  template <class Operation>
  auto Write(std::chrono::milliseconds lock_timeout, Operation&& operation)
      -> std::invoke_result_t<Operation&, WriteContext&> {
    return RunWrite(Mode::kTransaction, operation, {}, lock_timeout);
  }
  /// The same for an operation that sends one statement or one pipeline, which is a transaction by itself: one round
  /// trip.
  template <class Operation>
  auto WriteOnce(Operation&& operation) -> std::invoke_result_t<Operation&, WriteContext&> {
    return RunWrite(Mode::kOnce, operation);
  }
  /// The same for one that appends events and lets tasks run: who waits for them in other processes is told without a
  /// further round trip where that is possible.
  template <class Operation>
  auto WriteOnce(const Wakes& wakes, Operation&& operation) -> std::invoke_result_t<Operation&, WriteContext&> {
    return RunWrite(Mode::kOnce, operation, wakes);
  }
  /// Runs `operation(Connection&)`, which only reads and returns a Result. Twice, when an idle connection turns out to
  /// have ended at its first statement.
  template <class Operation>
  auto Read(Operation&& operation) -> std::invoke_result_t<Operation&, Connection&> {
    SEEDCORE_RETURN_IF_ERROR(env_.Fault("store.read"));
    SEEDCORE_ASSIGN_OR_RETURN(Pool::Loan connection, readers_.Take());
    connection->ForgetLastError();
    auto result = operation(*connection);
    if (result || !connection.was_idle() || !connection->BrokeUnanswered()) return result;
    SEEDCORE_ASSIGN_OR_RETURN(const Pool::Loan other, readers_.TakeInsteadOf(std::move(connection)));
    return operation(*other);
  }

  /// Makes `connections` of those that write and runs `operation(WriteContext&)` on each of them, in a transaction that
  /// is rolled back: what it needs is in the caches of each server process then.
  Result<void> Rehearse(int connections, const std::function<Result<void>(WriteContext&)>& operation);

  [[nodiscard]] Subscription OnRunnable(std::function<void()> listener);
  [[nodiscard]] Subscription OnEvents(std::function<void()> listener);
  /// For those that claim tasks and wait for some.
  [[nodiscard]] Notifier& notifier() { return notifier_; }
  /// The longest that a statement waits for a lock; 0: as long as it takes.
  [[nodiscard]] std::chrono::milliseconds lock_timeout() const { return lock_timeout_; }

 private:
  enum class Mode { kTransaction, kOnce };
  using Operation = std::function<Result<void>(WriteContext&)>;
  using LockTimeout = std::optional<std::chrono::milliseconds>;  ///< none: that of the connection

  template <class Op>
  auto RunWrite(Mode mode, Op& operation, const Wakes& wakes = {}, LockTimeout lock_timeout = {})
      -> std::invoke_result_t<Op&, WriteContext&> {
    std::optional<std::invoke_result_t<Op&, WriteContext&>> result;
    const Operation erased = [&](WriteContext& context) -> Result<void> {
      result.emplace(operation(context));
      if (!*result) return std::unexpected(result->error());
      return {};
    };
    const Result<void> committed = RunErased(mode, erased, wakes, lock_timeout);
    if (!committed) return std::unexpected(committed.error());
    return std::move(*result);
  }
  Result<void> RunErased(Mode mode, const Operation& operation, const Wakes& wakes, LockTimeout lock_timeout);
  Result<void> TryOnce(Mode mode, const Operation& operation, WriteContext& context, LockTimeout lock_timeout);

  Env& env_;
  const std::chrono::milliseconds lock_timeout_;
  Counter& transactions_;
  Counter& failed_;
  Counter& lease_lost_;
  Signal runnable_;
  Signal events_;
  Pool writers_;
  Pool readers_;
  Notifier notifier_;  // last: its thread uses the signals
};

}  // namespace seedcore::store::postgres
