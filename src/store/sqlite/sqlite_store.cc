#include "store/sqlite/sqlite_store.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <sys/vfs.h>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "store/sqlite/checkpointer.h"
#include "store/sqlite/file_header.h"
#include "store/sqlite/file_lock.h"
#include "store/sqlite/foreign_commits.h"
#include "store/sqlite/graph_store.h"
#include "store/sqlite/knowledge_stores.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/queue_store.h"
#include "store/sqlite/registry.h"
#include "store/sqlite/rule_store.h"
#include "store/sqlite/schedule_store.h"
#include "store/sqlite/step_store.h"
#include "store/sqlite/task_store.h"
#include "store/tables.h"

namespace seedcore::store::sqlite {
namespace {

/// Several may be waiting, and each checks the file.
constexpr auto kOpeningPatience = std::chrono::seconds(60);
constexpr std::int64_t kCopierCacheBytes = 64 << 10;  // a checkpoint uses none of it
constexpr char kProbeRead[] = "SELECT count(*) FROM task_count";
constexpr char kProbeWrite[] =
    "INSERT INTO store_health (id, checked_at) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET checked_at = ?1";

constexpr char kHasCopyTable[] = "SELECT count(*) FROM sqlite_schema WHERE name = 'store_copy'";

class SqliteStore final : public Store {
 public:
  SqliteStore(std::string path, int schema_version, FileLock lock, std::unique_ptr<Checkpointer> checkpointer,
              Database writer, WriterSettings writer_settings, std::vector<Database> readers,
              std::chrono::milliseconds max_wait, const StreamRetention& streams,
              std::optional<ForeignCommits::Watch> watch, Env& env, Metrics& metrics)
      : path_(std::move(path)),
        schema_version_(schema_version),
        lock_(std::move(lock)),
        checkpointer_(std::move(checkpointer)),
        writer_(std::move(writer), writer_settings, env, metrics),
        readers_(std::move(readers), max_wait, env),
        tasks_(writer_, readers_, env),
        registry_(writer_, readers_, env) {
    tasks_.Forget(streams);
    if (watch) foreign_commits_.emplace(std::move(*watch), writer_.runnable(), writer_.events(), env);
  }

  TaskStore& tasks() override { return tasks_; }
  FactStore& facts() override { return facts_; }
  IncidentStore& incidents() override { return incidents_; }
  LedgerStore& ledger() override { return ledger_; }
  StreamStore& streams() override { return streams_; }
  RegistryStore& registry() override { return registry_; }
  QueueStore& queues() override { return queues_; }
  GraphStore& graph() override { return graph_; }
  StepStore& steps() override { return steps_; }
  ScheduleStore& schedules() override { return schedules_; }
  RuleStore& rules() override { return rules_; }

  Health CheckHealth() override {
    Health health{.backend = "sqlite", .location = path_, .schema_version = schema_version_, .size_bytes = SizeBytes()};
    const auto read = readers_.Run([](Database& database) { return database.QueryInt(kProbeRead); });
    if (!read) {
      health.error = ToString(read.error());
      return health;
    }
    const auto written =
        writer_.Run([](WriteContext& context) { return context.db.Execute(kProbeWrite, context.now); });
    health.writable = written.has_value();
    if (!written) health.error = ToString(written.error());
    return health;
  }

 private:
  std::int64_t SizeBytes() const {
    std::int64_t bytes = 0;
    for (const char* suffix : {"", "-wal"}) {
      std::error_code error;
      const auto size = std::filesystem::file_size(path_ + suffix, error);
      if (!error) bytes += static_cast<std::int64_t>(size);
    }
    return bytes;
  }

  const std::string path_;
  const int schema_version_;
  // From here on the order matters: the connections that can write are closed after the readers', so that the last
  // folds the write-ahead log into the database, and the lock goes last.
  FileLock lock_;
  std::unique_ptr<Checkpointer> checkpointer_;  // the writer tells it of its commits
  Writer writer_;
  Readers readers_;
  SqliteTaskStore tasks_;
  SqliteFactStore facts_{writer_, readers_};
  SqliteIncidentStore incidents_{writer_, readers_};
  SqliteLedgerStore ledger_{writer_, readers_};
  SqliteStreamStore streams_{writer_, readers_};
  SqliteQueueStore queues_{writer_, readers_};
  SqliteGraphStore graph_{writer_, readers_};
  SqliteStepStore steps_{writer_, readers_};
  SqliteScheduleStore schedules_{writer_, readers_};
  SqliteRuleStore rules_{writer_, readers_};
  SqliteRegistryStore registry_;
  std::optional<ForeignCommits> foreign_commits_;  // signals through the writer
};

Result<void> QuickCheck(Database& database, const SqliteSettings& settings) {
  std::error_code error;
  const auto size = std::filesystem::file_size(settings.path, error);
  if (error || static_cast<std::int64_t>(size) > settings.quick_check_below_bytes) return {};
  SEEDCORE_ASSIGN_OR_RETURN(Statement row, database.PrepareOnce("PRAGMA quick_check(1)"));
  SEEDCORE_ASSIGN_OR_RETURN(const bool found, row.Next());
  if (found && row.Text(0) != "ok") {
    return Fail(ErrorCode::kCorrupt, fmt::format("the database is damaged: {}", row.Text(0)), settings.path);
  }
  return {};
}

/// WAL is shared memory: over the network it corrupts the file without a word.
Result<void> RefuseNetworkFileSystem(const std::filesystem::path& directory) {
  constexpr std::array<std::uint32_t, 5> kNetwork = {0x6969,       // NFS
                                                     0x517B,       // SMB
                                                     0xFE534D42,   // SMB2
                                                     0xFF534D42,   // CIFS
                                                     0x00C36400};  // Ceph
  struct statfs found{};
  if (::statfs(directory.empty() ? "." : directory.c_str(), &found) != 0) return {};
  const auto type = static_cast<std::uint32_t>(found.f_type);
  if (std::ranges::find(kNetwork, type) == kNetwork.end()) return {};
  return Fail(ErrorCode::kInvalidArgument,
              "a shared SQLite store cannot be on a file system of the network; set store.pg_dsn instead",
              directory.string());
}

Result<Database> OpenToWrite(const SqliteSettings& settings, std::int64_t cache_bytes) {
  SEEDCORE_ASSIGN_OR_RETURN(Database database,
                            Database::Open(settings.path, OpenMode::kReadWriteCreate, settings.busy_timeout));
  if (database.IsReadOnly()) {
    return Fail(ErrorCode::kUnavailable, "the database file is read-only", settings.path);
  }
  SEEDCORE_RETURN_IF_ERROR(database.ExecuteScript("PRAGMA journal_mode = WAL"));
  // secure_delete is on in Debian's build; nothing here needs deleted rows to be overwritten with zeros.
  const std::string pragmas = fmt::format(
      "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = OFF; PRAGMA temp_store = MEMORY; "
      "PRAGMA cache_size = -{}; PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = {};",
      cache_bytes / 1024, settings.checkpoint_pages * std::int64_t{4096} * Checkpointer::kLong);
  SEEDCORE_RETURN_IF_ERROR(database.ExecuteScript(pragmas.c_str()));
  if (settings.max_pages > 0) {
    SEEDCORE_RETURN_IF_ERROR(
        database.ExecuteScript(fmt::format("PRAGMA max_page_count = {}", settings.max_pages).c_str()));
  }
  return database;
}

Result<Database> OpenReader(const SqliteSettings& settings) {
  SEEDCORE_ASSIGN_OR_RETURN(Database database,
                            Database::Open(settings.path, OpenMode::kReadOnly, settings.busy_timeout));
  const std::string pragmas =
      fmt::format("PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -{};",
                  settings.reader_cache_bytes / 1024);
  SEEDCORE_RETURN_IF_ERROR(database.ExecuteScript(pragmas.c_str()));
  return database;
}

Result<std::unique_ptr<Store>> Open(const SqliteSettings& settings, Env& env, Metrics& metrics) {
  const std::filesystem::path directory = std::filesystem::path(settings.path).parent_path();
  if (!directory.empty()) {
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) {
      return Fail(ErrorCode::kUnavailable, fmt::format("cannot create the data directory: {}", error.message()),
                  directory.string());
    }
  }
  if (settings.shared) SEEDCORE_RETURN_IF_ERROR(RefuseNetworkFileSystem(directory));
  SEEDCORE_ASSIGN_OR_RETURN(FileLock lock,
                            FileLock::Acquire(settings.path + ".lock",
                                              settings.shared ? FileLock::Mode::kShared : FileLock::Mode::kExclusive));
  // One at a time: creating the file, switching it to WAL and migrating it are no single transaction.
  SEEDCORE_ASSIGN_OR_RETURN(const FileLock opening,
                            FileLock::AcquireWithin(settings.path + ".opening", kOpeningPatience, env));
  SEEDCORE_RETURN_IF_ERROR(CheckHeader(settings.path));
  SEEDCORE_ASSIGN_OR_RETURN(Database writer, OpenToWrite(settings, settings.writer_cache_bytes));
  SEEDCORE_RETURN_IF_ERROR(QuickCheck(writer, settings));
  SEEDCORE_RETURN_IF_ERROR(Migrate(writer, env.WallNow(), Migrations()));
  SEEDCORE_ASSIGN_OR_RETURN(const int version, SchemaVersion(writer));
  SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t half, writer.QueryInt(kHasCopyTable));
  if (half > 0) return std::unexpected(UnfinishedCopy(settings.path));

  SEEDCORE_ASSIGN_OR_RETURN(Database copier, OpenToWrite(settings, kCopierCacheBytes));
  auto checkpointer = std::make_unique<Checkpointer>(std::move(copier), settings.checkpoint_pages, env);
  writer.OnCommit([to = checkpointer.get()](int log_pages) { return to->Committed(log_pages); });

  std::vector<Database> readers;
  for (int i = 0; i < settings.readers; ++i) {
    SEEDCORE_ASSIGN_OR_RETURN(Database reader, OpenReader(settings));
    readers.push_back(std::move(reader));
  }
  std::optional<ForeignCommits::Watch> watch;
  if (settings.shared) {
    SEEDCORE_ASSIGN_OR_RETURN(Database reader, OpenReader(settings));
    watch.emplace(std::move(reader), settings.foreign_commits);
  }
  const WriterSettings writer_settings{.queue_bound = settings.writer_queue_bound, .max_batch = settings.max_batch};
  return std::make_unique<SqliteStore>(settings.path, version, std::move(lock), std::move(checkpointer),
                                       std::move(writer), writer_settings, std::move(readers), settings.busy_timeout,
                                       settings.streams, std::move(watch), env, metrics);
}

}  // namespace

Result<std::unique_ptr<Store>> OpenSqliteStore(const SqliteSettings& settings, Env& env, Metrics& metrics) {
  if (settings.path.empty()) return Fail(ErrorCode::kInvalidArgument, "the store needs a path", "path");
  if (settings.readers < 1 || settings.readers > 64) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to 64, got {}", settings.readers), "readers");
  }
  auto store = Open(settings, env, metrics);
  if (!store && store.error().path.empty()) store.error().path = settings.path;
  return store;
}

}  // namespace seedcore::store::sqlite
