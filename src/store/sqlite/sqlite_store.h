#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/metrics.h"
#include "store/store.h"
#include "store/stream_retention.h"

namespace seedcore::store::sqlite {

struct SqliteSettings {
  std::string path;                              ///< database file; its directory is created when it is missing
  int readers = 4;                               ///< connections that read in parallel, 1..64
  bool shared = false;                           ///< other processes of this host may have it open too (see below)
  std::size_t writer_queue_bound = 4096;         ///< writes waiting; one more is refused with kResourceExhausted
  std::size_t max_batch = 256;                   ///< writes that share one transaction and one fsync
  std::chrono::milliseconds busy_timeout{5000};  ///< how long to wait for another program's lock, or for a free reader
  std::int64_t writer_cache_bytes = 32 << 20;    ///< page cache of the writer
  std::int64_t reader_cache_bytes = 4 << 20;     ///< page cache of each reader
  /// How often a shared store looks whether another process has committed, to wake its listeners.
  std::chrono::milliseconds foreign_commits{100};
  int checkpoint_pages = 4000;  ///< pages in the write-ahead log that start a checkpoint
  std::int64_t max_pages = 0;   ///< the database grows no larger than this many pages; 0: no limit of ours
  StreamRetention streams{};
  std::int64_t quick_check_below_bytes = 64 << 20;  ///< a smaller file is checked in full when it is opened
};

/// Opens or creates the store: one process at a time, WAL, synchronous=FULL. `env` and `metrics` outlive it.
/// kUnavailable: another process has it (its pid is named), or the file cannot be written. kCorrupt: not a database of
/// ours, damaged, or from a newer schema (both versions are named).
///
/// With `shared`, several processes of one host have it open, each of which says so. They write in turn: every
/// transaction takes SQLite's write lock at its start (BEGIN IMMEDIATE) and waits `busy_timeout` for it. WAL needs
/// memory that all of them map, so a file system of the network is refused with kInvalidArgument: several hosts need
/// PostgreSQL.
[[nodiscard]] Result<std::unique_ptr<Store>> OpenSqliteStore(const SqliteSettings& settings, Env& env,
                                                             Metrics& metrics);

}  // namespace seedcore::store::sqlite
