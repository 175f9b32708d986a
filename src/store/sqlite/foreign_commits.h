#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "base/env.h"
#include "store/signal.h"
#include "store/sqlite/database.h"

namespace seedcore::store::sqlite {

/// Wakes listeners of this process when another one has committed to a shared database. SQLite has no notification, so
/// it asks for `PRAGMA data_version`, which costs microseconds, every `period`. Commits of this process wake them a
/// second time, which does no harm: a signal only says that it is worth looking.
class ForeignCommits {
 public:
  struct Watch {
    Watch(Database connection, std::chrono::milliseconds every) : database(std::move(connection)), period(every) {}
    Database database;  ///< of this watch alone
    std::chrono::milliseconds period;
  };

  /// `runnable`, `events` and `env` outlive it.
  ForeignCommits(Watch watch, Signal& runnable, Signal& events, Env& env);

 private:
  void Run(const std::stop_token& stop);

  Watch watch_;
  Signal& runnable_;
  Signal& events_;
  Env& env_;
  std::int64_t seen_;    ///< version of the database at the last look
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace seedcore::store::sqlite
