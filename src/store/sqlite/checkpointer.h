#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "base/env.h"
#include "store/sqlite/database.h"

namespace seedcore::store::sqlite {

/// Copies the write-ahead log into the database beside the writer, which would otherwise stand still for it: tens of
/// milliseconds for each 16 MiB of log.
///
/// Beside a writer that never rests the log is never copied to its end, so SQLite never begins it anew. Once it is
/// `kLong` times as long as need be, the writer itself copies the few pages that a checkpoint, just finished, has left.
/// A log twice as long as that makes it wait for the checkpoint first. What keeps the log from being copied, a reader's
/// old snapshot or a broken disk, stops nobody: the log grows.
///
/// Fault site: "store.checkpoint", as if SQLite could not copy.
class Checkpointer {
 public:
  static constexpr int kLong = 4;

  /// `connection` is used by this alone. `pages` in the log start a checkpoint. `env` outlives it.
  Checkpointer(Database connection, int pages, Env& env);
  /// Ends what runs; the connection is closed.
  ~Checkpointer();

  /// After a commit that left `log_pages` in the log: whether the writer should copy them itself, now. From the
  /// writer's thread.
  [[nodiscard]] bool Committed(int log_pages);

 private:
  void Loop();
  Result<void> Copy();

  Database db_;
  const int pages_;
  Env& env_;
  int begun_at_ = 0;                  // the length of the log when the last checkpoint began; the writer's thread
  std::atomic<bool> running_{false};  // one is wanted, or runs
  std::mutex mutex_;                  // guards `closing_`, and `running_` becoming true
  std::condition_variable work_;
  bool closing_ = false;
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace seedcore::store::sqlite
