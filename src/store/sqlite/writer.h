#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>

#include "base/env.h"
#include "base/metrics.h"
#include "store/signal.h"
#include "store/sqlite/database.h"
#include "store/task.h"

namespace seedcore::store::sqlite {

/// What a transaction did that others want to know; takes effect when it commits.
struct WriteNotes {
  bool made_runnable = false;  ///< a task can be claimed, now or earlier than was known
  bool appended_events = false;
  int lease_lost = 0;
  std::array<std::int64_t, EnumNames(TaskStatus{}).size()> count_change{};  ///< per status

  void Entered(TaskStatus status) { ++count_change[static_cast<std::size_t>(status)]; }
  void Left(TaskStatus status) { --count_change[static_cast<std::size_t>(status)]; }
  void Moved(TaskStatus from, TaskStatus to) {
    Left(from);
    Entered(to);
  }
};

/// What one operation works with, on the writer's thread, inside the transaction.
struct WriteContext {
  Database& db;
  Env& env;
  WallTime now;
  WriteNotes notes;
};

struct WriterSettings {
  std::size_t queue_bound = 4096;  ///< operations waiting; one more is refused with kResourceExhausted
  std::size_t max_batch = 256;     ///< operations per transaction
};

/// The one thread that writes. Operations of all callers that are waiting, and those that come while it runs, go into
/// one transaction and share its fsync.
///
/// Operations run without savepoints. When one fails after it has changed something, the whole transaction is rolled
/// back and its operations run again, each inside a savepoint: rare failures pay, the common case does not. An
/// operation may therefore run twice, and must depend on nothing but the database and its arguments.
///
/// Fault sites: "store.begin" and "store.commit", as if SQLite had failed there.
class Writer {
 public:
  Writer(Database database, WriterSettings settings, Env& env, Metrics& metrics);
  /// Finishes what is queued; later calls get kUnavailable.
  ~Writer();

  /// Runs `operation(WriteContext&)`, which returns a Result, and waits until its transaction is durable. An error
  /// means that it left nothing behind. Any thread but the writer's own.
  template <class Operation>
  auto Run(Operation&& operation) -> std::invoke_result_t<Operation&, WriteContext&> {
    std::optional<std::invoke_result_t<Operation&, WriteContext&>> result;
    const Result<void> committed = RunErased([&](WriteContext& context) -> Result<void> {
      result.emplace(operation(context));
      if (!*result) return std::unexpected(result->error());
      return {};
    });
    if (!committed) return std::unexpected(committed.error());
    return std::move(*result);
  }

  Signal& runnable() { return runnable_; }
  Signal& events() { return events_; }

 private:
  using Operation = std::function<Result<void>(WriteContext&)>;
  struct Job {
    Operation operation;
    std::promise<Result<void>> done;
    Result<void> outcome;
  };
  enum class Mode { kPlain, kSavepoints };
  enum class Round { kCommitted, kRepeatWithSavepoints, kFailed };

  Result<void> RunErased(Operation operation);
  void Loop();
  void Process(std::deque<Job>& batch);
  /// Under mutex_.
  void Take(std::deque<Job>& batch);
  /// What has come since the transaction began, which commits with it; not for ever. Whether there was something.
  bool TakeMore(std::deque<Job>& batch, Instant began);
  Round TryBatch(std::deque<Job>& batch, Mode mode, WriteContext& context);
  static Result<void> RunGuarded(const Operation& operation, WriteContext& context);
  Result<void> RunInSavepoint(const Operation& operation, WriteContext& context);
  Result<void> Begin();
  Result<void> Commit(WriteContext& context);
  void Rollback();

  Database db_;
  const WriterSettings settings_;
  Env& env_;
  Signal runnable_;
  Signal events_;
  Counter& transactions_;
  Counter& operations_;
  Counter& refused_;
  Counter& failed_commits_;
  Counter& lease_lost_;

  std::mutex mutex_;  // guards `queue_` and `closing_`
  std::condition_variable work_;
  std::deque<Job> queue_;
  bool closing_ = false;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace seedcore::store::sqlite
