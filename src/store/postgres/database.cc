#include "store/postgres/database.h"

#include <algorithm>
#include <cstdint>
#include <exception>

#include <fmt/format.h>

namespace seedcore::store::postgres {
namespace {

constexpr char kBegin[] = "BEGIN";
constexpr char kCommit[] = "COMMIT";
constexpr char kRollback[] = "ROLLBACK";

/// How often a transaction that collided with others is repeated.
constexpr int kMaxTries = 6;

// Every statement of a writer finds a few rows by an index. Without statistics, as when a queue has just been filled,
// the planner would rather sort or hash the whole table; and plans are made once.
constexpr char kWriterSetup[] =
    "SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; "
    "SET enable_mergejoin = off; SET enable_sort = off; SET enable_material = off; SET jit = off;";
constexpr char kReaderSetup[] = "SET default_transaction_read_only = on; SET jit = off;";
// A notification need not be durable.
constexpr char kNotifierSetup[] = "SET synchronous_commit = off;";

ConnectSettings With(ConnectSettings settings, const char* setup) {
  settings.setup = setup;
  return settings;
}

Result<void> RunGuarded(const std::function<Result<void>(WriteContext&)>& operation, WriteContext& context) {
  try {
    return operation(context);
  } catch (const std::exception& exception) {
    return Fail(ErrorCode::kInternal, fmt::format("a write operation threw: {}", exception.what()));
  }
}

}  // namespace

Database::Database(const DatabaseSettings& settings, Env& env, Metrics& metrics)
    : env_(env),
      lock_timeout_(settings.connect.lock_timeout),
      transactions_(metrics.GetCounter("seedcore_store_transactions_total", "Write transactions committed")),
      failed_(metrics.GetCounter("seedcore_store_failed_transactions_total", "Write transactions that failed")),
      lease_lost_(metrics.GetCounter("seedcore_lease_lost_total",
                                     "Results refused because the worker no longer held the task")),
      writers_(With(settings.connect, kWriterSetup), settings.writers, settings.max_wait, env),
      readers_(With(settings.connect, kReaderSetup), settings.readers, settings.max_wait, env),
      notifier_(With(settings.connect, kNotifierSetup), env, runnable_, events_) {}

Subscription Database::OnRunnable(std::function<void()> listener) {
  Subscription subscription = runnable_.Connect(std::move(listener));
  notifier_.ListenersChanged();
  return subscription;
}

Subscription Database::OnEvents(std::function<void()> listener) {
  Subscription subscription = events_.Connect(std::move(listener));
  notifier_.ListenersChanged();
  return subscription;
}

Result<void> Database::RunErased(Mode mode, const Operation& operation, const Wakes& wakes, LockTimeout lock_timeout) {
  SEEDCORE_RETURN_IF_ERROR(env_.Fault("store.begin"));
  SEEDCORE_ASSIGN_OR_RETURN(Pool::Loan connection, writers_.Take());
  for (int tries = 1;; ++tries) {
    WriteContext context{.db = *connection, .env = env_, .now = env_.WallNow()};
    std::optional<Word> word = wakes.runnable > 0 ? notifier_.TakeWord(wakes, true) : std::nullopt;
    const bool told_events = word && word->events;
    if (word) {
      context.announced = word->announced;
      connection->SendBeside(std::move(word->call),
                             context.announced != 0 ? Connection::Beside::kAhead : Connection::Beside::kBehind);
    }
    connection->ForgetLastError();
    Result<void> done = TryOnce(mode, operation, context, lock_timeout);
    const bool told = !connection->TakeBackBeside() && word.has_value() && context.announced == 0;
    if (done) {
      transactions_.Increment();
      if (context.notes.lease_lost > 0) lease_lost_.Increment(context.notes.lease_lost);
      MadeRunnable& made = context.notes.runnable;
      if (made.any()) runnable_.Emit();
      if (context.notes.appended_events) events_.Emit();
      if (told) made.tasks = 0;
      notifier_.Tell(std::move(made), context.notes.appended_events && !(told && told_events), context.announced);
      return done;
    }
    const bool usable = connection->IsUsable();
    if (usable && connection->LastErrorIsRepeatable() && tries < kMaxTries) continue;
    // What was to begin a transaction did not commit one; what is a transaction by itself may have.
    const bool undone = mode == Mode::kTransaction ? connection->BrokeUnanswered() : connection->BrokeUndone();
    if (undone && connection.was_idle()) {
      SEEDCORE_ASSIGN_OR_RETURN(connection, writers_.TakeInsteadOf(std::move(connection)));
      continue;
    }
    failed_.Increment();
    // It may have been committed, and whoever repeats it will find nothing left to do, and to tell.
    if (!usable) {
      runnable_.Emit();
      events_.Emit();
      notifier_.Tell({.tasks = std::max<std::int64_t>(wakes.runnable, 1), .later = true}, true);
    }
    return done;
  }
}

Result<void> Database::Rehearse(int connections, const Operation& operation) {
  std::vector<Pool::Loan> loans;  // all of them at once, or each time it would be the same one
  for (int i = 0; i < connections; ++i) {
    SEEDCORE_ASSIGN_OR_RETURN(Pool::Loan loan, writers_.Take());
    loans.push_back(std::move(loan));
  }
  for (const Pool::Loan& connection : loans) {
    WriteContext context{.db = *connection, .env = env_, .now = env_.WallNow()};
    SEEDCORE_RETURN_IF_ERROR(connection->Query(kBegin));
    const Result<void> done = RunGuarded(operation, context);
    SEEDCORE_RETURN_IF_ERROR(connection->Script(kRollback));
    SEEDCORE_RETURN_IF_ERROR(done);
  }
  return {};
}

Result<void> Database::TryOnce(Mode mode, const Operation& operation, WriteContext& context, LockTimeout lock_timeout) {
  if (mode == Mode::kOnce) {
    SEEDCORE_RETURN_IF_ERROR(env_.Fault("store.commit"));
    return RunGuarded(operation, context);
  }
  if (lock_timeout) {  // in the same round trip
    const std::string begin = fmt::format("BEGIN; SET LOCAL lock_timeout = {}", lock_timeout->count());
    SEEDCORE_RETURN_IF_ERROR(context.db.Script(begin.c_str()));
  } else {
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kBegin));
  }
  Result<void> done = RunGuarded(operation, context);
  if (done) done = env_.Fault("store.commit");
  if (!done) {
    // The pool drops a connection that cannot even roll back.
    if (context.db.InTransaction()) (void)context.db.Script(kRollback);
    return done;
  }
  SEEDCORE_RETURN_IF_ERROR(context.db.Query(kCommit));
  return {};
}

}  // namespace seedcore::store::postgres
