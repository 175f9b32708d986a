// What can go wrong with the file: each is one clear error, and nothing that was acknowledged is lost.
#include "store/sqlite/sqlite_store.h"

#include <array>
#include <filesystem>
#include <fstream>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <sqlite3.h>

#include "store/conformance.h"
#include "store/sqlite/migrations.h"
#include "store/sqlite/schema/schema.h"

namespace seedcore::store::sqlite {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

class SqliteFileTest : public testing::Test {
 protected:
  SqliteFileTest() { settings_.path = directory_.path() + "/seedcore.db"; }

  Result<std::unique_ptr<Store>> Open() { return OpenSqliteStore(settings_, env_, metrics_); }
  static Result<std::vector<SubmitResult>> Submit(Store& store, std::size_t padding = 0) {
    const std::vector<NewTask> tasks{{.type = "work", .description = std::string(padding, 'x')}};
    return store.tasks().Submit(tasks);
  }
  static std::size_t CountOf(Store& store) { return Must(store.tasks().List({}, 1000, "")).items.size(); }
  /// Runs SQL on the file behind the store's back, while no store is open.
  void Alter(const char* sql) {
    sqlite3* connection = nullptr;
    ASSERT_EQ(sqlite3_open(settings_.path.c_str(), &connection), SQLITE_OK);
    EXPECT_EQ(sqlite3_exec(connection, sql, nullptr, nullptr, nullptr), SQLITE_OK) << sqlite3_errmsg(connection);
    sqlite3_close(connection);
  }
  void Overwrite(std::streamoff at, const std::string& bytes) {
    std::fstream file(settings_.path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekp(at);
    file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  }

  TempDirectory directory_;
  SimEnv env_;
  Metrics metrics_;
  SqliteSettings settings_;
};

TEST_F(SqliteFileTest, FullDiskRefusesWritesKeepsWhatIsThereAndRecovers) {
  settings_.max_pages = 200;
  std::size_t acknowledged = 0;
  {
    const auto store = Must(Open());
    Result<std::vector<SubmitResult>> last;
    while ((last = Submit(*store, 4000))) {
      ++acknowledged;
      ASSERT_LT(acknowledged, 400u) << "the limit was never met";
    }
    EXPECT_EQ(last.error().code, ErrorCode::kUnavailable);
    EXPECT_THAT(last.error().message, HasSubstr("the disk is full"));
    EXPECT_GT(acknowledged, 0u);
    EXPECT_EQ(CountOf(*store), acknowledged);
  }
  settings_.max_pages = 100'000;
  const auto store = Must(Open());
  EXPECT_EQ(CountOf(*store), acknowledged);
  EXPECT_TRUE(Submit(*store, 4000));
}

TEST_F(SqliteFileTest, ATransactionThatDoesNotCommitLeavesNothing) {
  const auto store = Must(Open());
  for (const char* site : {"store.begin", "store.commit"}) {
    env_.ArmFault(site, {ErrorCode::kUnavailable, "the disk reported an error", {}});
    const auto refused = Submit(*store);
    ASSERT_FALSE(refused) << site;
    EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
    EXPECT_EQ(CountOf(*store), 0u) << site;
  }
  EXPECT_TRUE(Submit(*store));
  EXPECT_EQ(Must(store->tasks().Counts()).by_status[TaskStatus::kQueued], 1);
}

TEST_F(SqliteFileTest, HealthTellsThatWritesFail) {
  const auto store = Must(Open());
  EXPECT_TRUE(store->CheckHealth().writable);
  env_.ArmFault("store.commit", {ErrorCode::kUnavailable, "the disk is full", {}});
  const Store::Health health = store->CheckHealth();
  EXPECT_FALSE(health.writable);
  EXPECT_THAT(health.error, HasSubstr("the disk is full"));
  EXPECT_TRUE(store->CheckHealth().writable);
}

TEST_F(SqliteFileTest, ASecondOpenerIsToldWhoHasTheFile) {
  const auto store = Must(Open());
  const auto second = Open();
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(second.error().message, HasSubstr(std::to_string(::getpid())));
  EXPECT_TRUE(Submit(*store));
}

TEST_F(SqliteFileTest, AFileOfAnotherKindIsRefusedAndNotTouched) {
  std::ofstream(settings_.path) << "not a database";
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(store.error().path, settings_.path);
  EXPECT_EQ(fs::file_size(settings_.path), 14u);
}

TEST_F(SqliteFileTest, ADatabaseOfAnotherProgramIsRefused) {
  Alter("CREATE TABLE invoices (id INTEGER)");
  EXPECT_EQ(CodeOf(Open()), ErrorCode::kCorrupt);
}

TEST_F(SqliteFileTest, ADamagedFileIsRefused) {
  {
    const auto store = Must(Open());
    for (int i = 0; i < 50; ++i) Must(Submit(*store, 2000));
  }
  const auto size = static_cast<std::streamoff>(fs::file_size(settings_.path));
  for (std::streamoff at = 4096; at + 4096 < size; at += 8192) Overwrite(at, std::string(2048, '\x5a'));
  EXPECT_EQ(CodeOf(Open()), ErrorCode::kCorrupt);
}

TEST_F(SqliteFileTest, ANewerSchemaIsRefusedAndBothVersionsAreNamed) {
  Must(Open());
  Alter("INSERT INTO schema_version (version, description, applied_at) VALUES (999, 'from the future', 0)");
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(store.error().message, HasSubstr("999"));
}

TEST_F(SqliteFileTest, ASchemaOlderThanTheFirstIsRefusedAndBothVersionsAreNamed) {
  Must(Open());
  Alter("UPDATE schema_version SET version = version - 19");
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kCorrupt);
  EXPECT_THAT(store.error().message, HasSubstr(fmt::format("from version {} on", Migrations().front().version)));
}

TEST_F(SqliteFileTest, AMigrationThatFailsLeavesTheVersionBeforeAndRunsAgain) {
  auto database = Must(Database::Open(settings_.path, OpenMode::kReadWriteCreate, settings_.busy_timeout));
  constexpr std::array kA{"CREATE TABLE a (x INTEGER)"};
  constexpr std::array kHalf{"CREATE TABLE b (x INTEGER)", "CREATE TABLE a (x)"};
  constexpr std::array kB{"CREATE TABLE b (x INTEGER)"};
  const Migration first{1, "one table", kA};
  const std::vector<Migration> broken{first, {2, "half of it works", kHalf}};
  const std::vector<Migration> mended{first, {2, "all of it works", kB}};
  EXPECT_FALSE(Migrate(database, env_.WallNow(), broken));
  EXPECT_EQ(Must(SchemaVersion(database)), 1);
  for (int repeat = 0; repeat < 2; ++repeat) {
    Must(Migrate(database, env_.WallNow(), mended));
    EXPECT_EQ(Must(SchemaVersion(database)), 2);
  }
}

TEST_F(SqliteFileTest, AReadOnlyFolderIsNamed) {
  settings_.path = "/proc/seedcore/seedcore.db";
  const auto store = Open();
  ASSERT_FALSE(store);
  EXPECT_EQ(store.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(ToString(store.error()), HasSubstr("/proc/seedcore"));
}

TEST_F(SqliteFileTest, SubmittersInParallelShareTransactions) {
  const auto store = Must(Open());
  constexpr int kThreads = 16;
  constexpr int kEach = 50;
  const double before = metrics_.GetCounter("seedcore_store_operations_total", "").Value();
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int k = 0; k < kEach; ++k) Must(Submit(*store));
      });
    }
  }
  EXPECT_EQ(metrics_.GetCounter("seedcore_store_operations_total", "").Value() - before, kThreads * kEach);
  EXPECT_LT(metrics_.GetCounter("seedcore_store_transactions_total", "").Value(), kThreads * kEach);
  EXPECT_EQ(Must(store->tasks().Counts()).by_status[TaskStatus::kQueued], kThreads * kEach);
}

TEST_F(SqliteFileTest, AFailingOperationDoesNotHarmItsNeighbours) {
  const auto store = Must(Open());
  constexpr int kEach = 100;
  std::jthread bad([&] {
    for (int i = 0; i < kEach; ++i) {
      const std::vector<NewTask> tasks{{.type = "work"}, {.type = "work", .depends_on = {"no such task"}}};
      EXPECT_EQ(CodeOf(store->tasks().Submit(tasks)), ErrorCode::kNotFound);
    }
  });
  for (int i = 0; i < kEach; ++i) Must(Submit(*store));
  bad.join();
  EXPECT_EQ(CountOf(*store), static_cast<std::size_t>(kEach));
}

}  // namespace
}  // namespace seedcore::store::sqlite
