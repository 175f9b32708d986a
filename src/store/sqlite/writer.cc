#include "store/sqlite/writer.h"

#include <exception>

#include <fmt/format.h>

#include "base/json_binding.h"
#include "base/log.h"

namespace seedcore::store::sqlite {
namespace {

/// How long a transaction takes what comes while it runs: whoever came first waits for it.
constexpr std::chrono::milliseconds kJoinedFor{5};

constexpr char kBegin[] = "BEGIN IMMEDIATE";
constexpr char kCommit[] = "COMMIT";
constexpr char kRollback[] = "ROLLBACK";
constexpr char kSavepoint[] = "SAVEPOINT operation";
constexpr char kRelease[] = "RELEASE operation";
constexpr char kRollbackTo[] = "ROLLBACK TO operation";
constexpr char kChangeCount[] = "UPDATE task_count SET n = n + ?2 WHERE status = ?1";

}  // namespace

Writer::Writer(Database database, WriterSettings settings, Env& env, Metrics& metrics)
    : db_(std::move(database)),
      settings_(settings),
      env_(env),
      transactions_(metrics.GetCounter("seedcore_store_transactions_total", "Write transactions committed")),
      operations_(metrics.GetCounter("seedcore_store_operations_total", "Write operations committed")),
      refused_(
          metrics.GetCounter("seedcore_store_refused_total", "Write operations refused because the queue was full")),
      failed_commits_(metrics.GetCounter("seedcore_store_failed_transactions_total", "Write transactions that failed")),
      lease_lost_(metrics.GetCounter("seedcore_lease_lost_total",
                                     "Results refused because the worker no longer held the task")),
      thread_([this] { Loop(); }) {}

Writer::~Writer() {
  {
    const std::scoped_lock lock(mutex_);
    closing_ = true;
  }
  work_.notify_one();
}

Result<void> Writer::RunErased(Operation operation) {
  std::future<Result<void>> done;
  {
    const std::scoped_lock lock(mutex_);
    if (closing_) return Fail(ErrorCode::kUnavailable, "the store is closing");
    if (queue_.size() >= settings_.queue_bound) {
      refused_.Increment();
      return Fail(ErrorCode::kResourceExhausted,
                  fmt::format("the store already has {} writes waiting; try again later", queue_.size()));
    }
    Job& job = queue_.emplace_back(Job{std::move(operation), {}, {}});
    done = job.done.get_future();
  }
  work_.notify_one();
  return done.get();
}

void Writer::Loop() {
  for (;;) {
    std::deque<Job> batch;
    {
      std::unique_lock lock(mutex_);
      work_.wait(lock, [&] { return closing_ || !queue_.empty(); });
      if (queue_.empty()) return;
      Take(batch);
    }
    Process(batch);
  }
}

void Writer::Take(std::deque<Job>& batch) {
  while (!queue_.empty() && batch.size() < settings_.max_batch) {
    batch.push_back(std::move(queue_.front()));
    queue_.pop_front();
  }
}

bool Writer::TakeMore(std::deque<Job>& batch, Instant began) {
  if (env_.Now() - began >= kJoinedFor) return false;
  const std::size_t before = batch.size();
  const std::scoped_lock lock(mutex_);
  Take(batch);
  return batch.size() > before;
}

void Writer::Process(std::deque<Job>& batch) {
  WriteContext context{.db = db_, .env = env_, .now = env_.WallNow()};
  Round round = TryBatch(batch, Mode::kPlain, context);
  if (round == Round::kRepeatWithSavepoints) {
    context.notes = {};
    round = TryBatch(batch, Mode::kSavepoints, context);
  }
  if (round == Round::kCommitted) {
    transactions_.Increment();
    operations_.Increment(static_cast<double>(batch.size()));
    if (context.notes.lease_lost > 0) lease_lost_.Increment(context.notes.lease_lost);
    if (context.notes.made_runnable) runnable_.Emit();
    if (context.notes.appended_events) events_.Emit();
  } else {
    failed_commits_.Increment();
  }
  for (Job& job : batch) job.done.set_value(std::move(job.outcome));
}

Writer::Round Writer::TryBatch(std::deque<Job>& batch, Mode mode, WriteContext& context) {
  const auto fail_all = [&](const Error& error) {
    if (db_.InTransaction()) Rollback();
    for (Job& job : batch) job.outcome = std::unexpected(error);
    return Round::kFailed;
  };
  if (auto begun = Begin(); !begun) return fail_all(begun.error());

  const Instant began = env_.Now();
  for (std::size_t i = 0;; ++i) {
    if (i == batch.size()) {
      if (!TakeMore(batch, began)) break;
      context.now = env_.WallNow();
    }
    Job& job = batch[i];
    if (mode == Mode::kSavepoints) {
      job.outcome = RunInSavepoint(job.operation, context);
      // An error as grave as a full disk can make SQLite roll back the whole transaction.
      if (!db_.InTransaction()) return fail_all(job.outcome.error());
      continue;
    }
    const std::int64_t changes_before = db_.TotalChanges();
    job.outcome = RunGuarded(job.operation, context);
    if (job.outcome) continue;
    const bool clean = db_.InTransaction() && db_.TotalChanges() == changes_before;
    if (clean) continue;
    if (batch.size() == 1) return fail_all(job.outcome.error());
    if (db_.InTransaction()) Rollback();
    return Round::kRepeatWithSavepoints;
  }
  if (auto committed = Commit(context); !committed) return fail_all(committed.error());
  return Round::kCommitted;
}

Result<void> Writer::RunGuarded(const Operation& operation, WriteContext& context) {
  const WriteNotes before = context.notes;
  Result<void> outcome;
  try {
    outcome = operation(context);
  } catch (const std::exception& exception) {
    outcome = Fail(ErrorCode::kInternal, fmt::format("a write operation threw: {}", exception.what()));
  }
  if (!outcome) context.notes = before;
  return outcome;
}

Result<void> Writer::RunInSavepoint(const Operation& operation, WriteContext& context) {
  SEEDCORE_RETURN_IF_ERROR(db_.Execute(kSavepoint));
  auto outcome = RunGuarded(operation, context);
  if (!outcome && db_.InTransaction()) SEEDCORE_RETURN_IF_ERROR(db_.Execute(kRollbackTo));
  if (db_.InTransaction()) SEEDCORE_RETURN_IF_ERROR(db_.Execute(kRelease));
  return outcome;
}

Result<void> Writer::Begin() {
  SEEDCORE_RETURN_IF_ERROR(env_.Fault("store.begin"));
  SEEDCORE_RETURN_IF_ERROR(db_.Execute(kBegin));
  return {};
}

Result<void> Writer::Commit(WriteContext& context) {
  for (const auto& [status, name] : EnumNames(TaskStatus{})) {
    const std::int64_t change = context.notes.count_change[static_cast<std::size_t>(status)];
    if (change != 0) SEEDCORE_RETURN_IF_ERROR(db_.Execute(kChangeCount, name, change));
  }
  SEEDCORE_RETURN_IF_ERROR(env_.Fault("store.commit"));
  SEEDCORE_RETURN_IF_ERROR(db_.Execute(kCommit));
  return {};
}

void Writer::Rollback() {
  if (auto rolled_back = db_.Execute(kRollback); !rolled_back) {
    log::Error("store rollback failed", {{"error", rolled_back.error().message}});
  }
}

}  // namespace seedcore::store::sqlite
