#include "store/copy.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <map>
#include <sys/wait.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/check.h"
#include "store/conformance.h"
#include "store/location.h"
#include "store/postgres/connection.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"
#include "store/random_store.h"
#include "store/sqlite/sqlite_store.h"
#include "store/sqlite/tables.h"

namespace seedcore::store {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using Contents = std::map<std::string, std::vector<Row>>;

class CopyPostgres : public testing::Test {
 protected:
  CopyPostgres() {
    static int made = 0;
    database_ = fmt::format("copy_{}", ++made);
    server_.CreateDatabase(database_);
  }

  std::string File(const std::string& name) const { return directory_.path() + "/" + name; }
  std::string Dsn() const { return server_.Dsn(database_); }
  std::unique_ptr<Store> OpenFile(const std::string& name) {
    return Must(sqlite::OpenSqliteStore({.path = File(name)}, env_, metrics_));
  }
  std::unique_ptr<Store> OpenDatabase() { return Must(postgres::OpenPostgresStore({.dsn = Dsn()}, env_, metrics_)); }
  /// A store file with random contents.
  std::string MakeFile(const std::string& name, unsigned seed, int steps = 120) {
    RandomStore(*OpenFile(name), env_, seed).Live(steps);
    return File(name);
  }

  Result<CopyReport> Copy(const std::string& from, const std::string& to, bool resume = false,
                          const std::function<void(const CopyProgress&)>& progress = {}) {
    SEEDCORE_ASSIGN_OR_RETURN(const auto source, OpenTables(from, TablesUse::kCopyFrom, env_));
    SEEDCORE_ASSIGN_OR_RETURN(const auto destination, OpenTables(to, TablesUse::kCopyTo, env_));
    return CopyStore(*source, *destination, {.resume = resume, .max_rows = 20}, progress);
  }

  /// The first value of the first row, as text.
  std::string Ask(const std::string& database, const char* sql) {
    const auto connection = Must(postgres::Connection::Open({.dsn = server_.Dsn(database), .setup = {}}));
    return std::string(Must(connection->RunOnce(sql, {})).Text(0, 0));
  }

  Contents ContentsOf(const std::string& place) {
    const auto tables = Must(OpenTables(place, TablesUse::kInspect, env_));
    Contents contents;
    for (const Table& table : Must(tables->Describe())) contents[table.name] = Must(tables->Read(table, {}, 1'000'000));
    return contents;
  }
  std::vector<std::string> BrokenRules(const std::string& place) {
    std::vector<std::string> rules;
    const auto tables = Must(OpenTables(place, TablesUse::kInspect, env_));
    for (const Finding& finding : Must(CheckStore(*tables)).findings) {
      rules.push_back(finding.rule + ": " + finding.example);
    }
    return rules;
  }

  postgres::TestServer& server_ = postgres::TestServer::Shared();
  std::string database_;
  TempDirectory directory_;
  SimEnv env_;
  Metrics metrics_;
};

TEST_F(CopyPostgres, AStoreGoesThereAndBackUnchanged) {
  for (const unsigned seed : {1U, 2U, 3U, 4U}) {
    SCOPED_TRACE(seed);
    const std::string file = MakeFile(fmt::format("from_{}.db", seed), seed);
    const Contents contents = ContentsOf(file);
    EXPECT_GT(contents.at("task_event").size(), 100U) << "the test shows little";
    EXPECT_THAT(BrokenRules(file), IsEmpty());
    server_.Execute("postgres", fmt::format("DROP DATABASE {} WITH (FORCE)", database_));
    server_.CreateDatabase(database_);

    const CopyReport there = Must(Copy(file, Dsn()));
    EXPECT_EQ(ContentsOf(Dsn()), contents);
    EXPECT_THAT(BrokenRules(Dsn()), IsEmpty());
    const CopyReport back = Must(Copy(Dsn(), File(fmt::format("back_{}.db", seed))));
    EXPECT_EQ(ContentsOf(File(fmt::format("back_{}.db", seed))), contents);
    EXPECT_THAT(BrokenRules(File(fmt::format("back_{}.db", seed))), IsEmpty());
    EXPECT_EQ(there.rows, back.rows);
  }
}

TEST_F(CopyPostgres, WorkGoesOnInTheCopy) {
  const NewTask keyed{.type = "a", .params = {{"n", 1}}, .idempotency_key = "once"};
  std::string first;
  Claim running;
  {
    const auto store = OpenFile("from.db");
    first = Must(store->tasks().Submit(std::vector<NewTask>{keyed})).front().task.id;
    Must(store->tasks().Submit(std::vector<NewTask>{{.type = "b", .depends_on = {first}}}));
    running = Must(store->tasks().ClaimTasks({.owner_id = "w"})).front();
    Must(store->ledger().Append({.scope = "agent", .scope_id = "a", .delta_e = -2.0}));
  }
  Must(Copy(File("from.db"), Dsn()));
  const auto store = OpenDatabase();
  const auto again = Must(store->tasks().Submit(std::vector<NewTask>{keyed}));
  EXPECT_TRUE(again.front().duplicate);
  EXPECT_EQ(again.front().task.id, first);
  const auto before = Must(store->tasks().EventsAfter(0, 1000));
  EXPECT_THAT(before, SizeIs(3));
  // The worker that ran it before the copy finishes it; what depends on it runs.
  Must(Must(store->tasks().FinishTasks(std::vector<Finish>{{running.lease(), Completed{}, {}}})).front());
  EXPECT_THAT(Must(store->tasks().ClaimTasks({.owner_id = "w", .limit = 5})), SizeIs(1));
  EXPECT_THAT(Must(store->tasks().EventsAfter(before.back().seq, 1000)), SizeIs(3)) << "completed, released, claimed";
  EXPECT_EQ(Must(store->ledger().Append({.scope = "agent", .scope_id = "a", .delta_e = -1.0})).balance_after, 3.0);
  EXPECT_THAT(BrokenRules(Dsn()), IsEmpty());
}

TEST_F(CopyPostgres, ACopyThatWasKilledIsResumedFromWhereItWas) {
  const std::string file = MakeFile("from.db", 7);
  for (const auto& [from, to] : {std::pair(file, Dsn()), {Dsn(), File("back.db")}}) {
    SCOPED_TRACE(to);
    int kills = 0;
    // Each run gets a few batches further, then its process is killed.
    for (int status = 1; status != 0 && kills < 200; ++kills) {
      const pid_t child = ::fork();
      ASSERT_GE(child, 0);
      if (child == 0) {
        int batches = 0;
        const auto done = Copy(from, to, kills > 0, [&](const CopyProgress&) {
          if (++batches == 9) ::kill(::getpid(), SIGKILL);
        });
        ::_exit(done ? 0 : 1);
      }
      ::waitpid(child, &status, 0);
      ASSERT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) == 0) << "the copy failed";
      if (status != 0 && kills == 0) {
        const auto half = sqlite::OpenSqliteStore({.path = File("back.db")}, env_, metrics_);
        if (to != Dsn()) {
          EXPECT_EQ(CodeOf(half), ErrorCode::kUnavailable) << "half a store is not opened";
        }
        EXPECT_EQ(CodeOf(Copy(from, to)), ErrorCode::kConflict) << "without --resume";
      }
      if (kills > 3) {
        // The rest in one go: verification begins anew in each run.
        EXPECT_GT(Must(Copy(from, to, true)).resumed_rows, 0);
        status = 0;
      }
    }
    EXPECT_EQ(ContentsOf(to), ContentsOf(from));
    EXPECT_THAT(BrokenRules(to), IsEmpty());
  }
}

TEST_F(CopyPostgres, AFullDiskIsOneErrorAndTheCopyGoesOnWhenThereIsRoom) {
  const std::string file = MakeFile("from.db", 8, 200);
  const auto copy = [&](std::int64_t pages, bool resume) -> Result<CopyReport> {
    SEEDCORE_ASSIGN_OR_RETURN(const auto source, OpenTables(file, TablesUse::kCopyFrom, env_));
    SEEDCORE_ASSIGN_OR_RETURN(const auto destination, sqlite::OpenTables({.path = File("to.db"), .max_pages = pages},
                                                                         TablesUse::kCopyTo, env_));
    return CopyStore(*source, *destination, {.resume = resume, .max_rows = 20}, {});
  };
  const auto full = copy(170, false);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(full.error().message, HasSubstr("disk is full"));
  EXPECT_GT(Must(copy(100'000, true)).resumed_rows, 0);
  EXPECT_EQ(ContentsOf(File("to.db")), ContentsOf(file));
}

TEST_F(CopyPostgres, ACutConnectionIsOneErrorAndTheCopyGoesOn) {
  const std::string file = MakeFile("from.db", 9);
  const std::string cut =
      fmt::format("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", database_);
  for (const auto& [from, to] : {std::pair(file, Dsn()), {Dsn(), File("back.db")}}) {
    SCOPED_TRACE(to);
    int batches = 0;
    const auto broken = Copy(from, to, false, [&](const CopyProgress&) {
      if (++batches == 5) server_.Execute("postgres", cut);
    });
    ASSERT_FALSE(broken);
    EXPECT_EQ(broken.error().code, ErrorCode::kUnavailable) << ToString(broken.error());
    EXPECT_THAT(broken.error().message, testing::Not(HasSubstr("s3cret")));
    EXPECT_GT(Must(Copy(from, to, true)).resumed_rows, 0);
    EXPECT_EQ(ContentsOf(to), ContentsOf(from));
  }
}

TEST_F(CopyPostgres, AStoreInUseIsNeitherReadNorWritten) {
  const std::string file = MakeFile("from.db", 10, 20);
  {
    const auto user = OpenFile("from.db");
    EXPECT_EQ(CodeOf(Copy(file, Dsn())), ErrorCode::kUnavailable);
  }
  {
    const auto user = OpenDatabase();
    Must(user->tasks().Counts());
    const auto refused = Copy(file, Dsn());
    EXPECT_EQ(CodeOf(refused), ErrorCode::kUnavailable);
    EXPECT_THAT(refused.error().message, HasSubstr("running SeedCore processes"));
    EXPECT_EQ(CodeOf(Copy(Dsn(), File("to.db"))), ErrorCode::kUnavailable);
  }
  EXPECT_TRUE(Copy(file, Dsn()));
}

TEST_F(CopyPostgres, ADestinationWithDataOfItsOwnIsLeftAlone) {
  const std::string file = MakeFile("from.db", 11, 20), other = MakeFile("other.db", 12, 20);
  const Contents before = ContentsOf(other);
  const auto refused = Copy(file, other);
  EXPECT_EQ(CodeOf(refused), ErrorCode::kConflict);
  EXPECT_THAT(refused.error().message, HasSubstr("not empty"));
  EXPECT_EQ(CodeOf(Copy(file, other, true)), ErrorCode::kConflict);
  EXPECT_EQ(ContentsOf(other), before);
  EXPECT_EQ(CodeOf(Copy(file, file)), ErrorCode::kUnavailable);
}

TEST_F(CopyPostgres, TheTablesOfANewStoreAreTheListedOnes) {
  OpenFile("new.db").reset();
  OpenDatabase().reset();
  for (const std::string& place : {File("new.db"), Dsn()}) {
    SCOPED_TRACE(place);
    const auto tables = Must(OpenTables(place, TablesUse::kInspect, env_));
    std::vector<std::string> names;
    for (const Table& table : Must(tables->Describe())) names.push_back(table.name);
    EXPECT_THAT(names, testing::ElementsAreArray(kStoreTables));
    EXPECT_THAT(Must(tables->Foreign()), IsEmpty());
  }
}

TEST_F(CopyPostgres, AnApplicationsTablesAreLeftAloneOnBothSides) {
  const std::string file = MakeFile("from.db", 14, 40);
  const Contents contents = ContentsOf(file);
  server_.Execute(database_,
                  "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, price numeric, "
                  "place point); INSERT INTO orders (price) VALUES (1), (2); DELETE FROM orders; "
                  "CREATE TABLE \"Upper Case\" (n int GENERATED ALWAYS AS IDENTITY)");
  EXPECT_THAT(Must(Copy(file, Dsn())).left_out, IsEmpty());
  EXPECT_EQ(Ask(database_, "INSERT INTO orders (price) VALUES (3) RETURNING id::text"), "3");
  EXPECT_THAT(BrokenRules(Dsn()), IsEmpty());
  EXPECT_THAT(Must(Copy(Dsn(), File("back.db"))).left_out, testing::ElementsAre("Upper Case", "orders"));
  EXPECT_EQ(ContentsOf(File("back.db")), contents);
  // The application goes on while its neighbors are read.
  const auto source = Must(OpenTables(Dsn(), TablesUse::kCopyFrom, env_));
  EXPECT_EQ(Ask(database_, "INSERT INTO orders (price) VALUES (4) RETURNING id::text"), "4");
}

TEST_F(CopyPostgres, ATableOfOurNameAndAnotherShapeIsRefusedAndNothingIsMade) {
  {
    MakeFile("from.db", 15, 20), Must(Copy(File("from.db"), Dsn()));
  }
  server_.Execute(database_, "ALTER TABLE facts ADD COLUMN color text");
  server_.Execute(database_,
                  "INSERT INTO facts (id, text, tags, meta_data, created_at, updated_at) VALUES "
                  "('01900000-0000-7000-8000-0000000000f1', '', '{}', '{}', now(), now())");
  const std::string other = database_ + "_other";
  server_.CreateDatabase(other);
  for (const std::string& to : {File("a/b/to.db"), File("to.db"), server_.Dsn(other)}) {
    SCOPED_TRACE(to);
    bool begun = false;
    const auto refused = Copy(Dsn(), to, false, [&](const CopyProgress&) { begun = true; });
    EXPECT_EQ(CodeOf(refused), ErrorCode::kConflict);
    EXPECT_THAT(refused.error().message, HasSubstr("more columns: color"));
    EXPECT_FALSE(begun);
    EXPECT_EQ(CodeOf(OpenTables(to, TablesUse::kInspect, env_)), ErrorCode::kNotFound);
  }
  EXPECT_FALSE(std::filesystem::exists(File("a")));
  EXPECT_FALSE(std::filesystem::exists(File("to.db.lock")));
  EXPECT_EQ(Ask(other, "SELECT count(*)::text FROM pg_class WHERE relname = 'tasks'"), "0");
  server_.Execute(database_, "ALTER TABLE facts DROP COLUMN color; DROP TABLE rule_version");
  const auto missing = Copy(Dsn(), File("to.db"));
  EXPECT_EQ(CodeOf(missing), ErrorCode::kConflict);
  EXPECT_THAT(missing.error().message, HasSubstr("no table rule_version"));
}

TEST_F(CopyPostgres, WhatWasThereBeforeARefusalStays) {
  const std::string file = MakeFile("from.db", 16, 20);
  OpenFile("empty.db").reset();
  Must(OpenTables(File("empty.db"), TablesUse::kCopyTo, env_)).reset();
  EXPECT_TRUE(OpenTables(File("empty.db"), TablesUse::kInspect, env_));
  std::filesystem::create_directory(File("folder"));
  Must(OpenTables(File("folder"), TablesUse::kCopyTo, env_)).reset();
  EXPECT_TRUE(std::filesystem::is_empty(File("folder")));
  EXPECT_TRUE(std::filesystem::exists(File("folder")));
}

TEST_F(CopyPostgres, ANewPathIsTheFolderThatUpOpensUnlessItIsNamedLikeAFile) {
  const std::string file = MakeFile("from.db", 17, 5);
  for (const auto& [to, made] : {std::pair(File("data"), File("data/seedcore.db")),
                                 {File("more/data/"), File("more/data/seedcore.db")},
                                 {File("other.db"), File("other.db")},
                                 {File("v1.2"), File("v1.2/seedcore.db")}}) {
    Must(Copy(file, to));
    EXPECT_TRUE(std::filesystem::is_regular_file(made)) << made;
    EXPECT_EQ(Must(OpenTables(to, TablesUse::kInspect, env_))->place(), made);
  }
}

TEST_F(CopyPostgres, ASourceThatChangedInBetweenIsFound) {
  const std::string file = MakeFile("from.db", 13);
  int batches = 0;
  const auto broken = Copy(file, Dsn(), false, [&](const CopyProgress&) {
    if (++batches == 10) {
      server_.Execute("postgres", fmt::format("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = "
                                              "'{}'",
                                              database_));
    }
  });
  ASSERT_FALSE(broken);
  Must(OpenFile("from.db")->registry().EnsureAgent("A", "", {}));
  const auto differs = Copy(file, Dsn(), true);
  EXPECT_EQ(CodeOf(differs), ErrorCode::kConflict);
  EXPECT_THAT(differs.error().message, HasSubstr("agent_registry"));
  EXPECT_EQ(CodeOf(postgres::OpenPostgresStore({.dsn = Dsn()}, env_, metrics_)), ErrorCode::kUnavailable);
}

TEST_F(CopyPostgres, WhatIsNotThereIsNamed) {
  EXPECT_EQ(CodeOf(Copy(File("none.db"), Dsn())), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(Copy(Dsn(), File("to.db"))), ErrorCode::kNotFound);
  std::ofstream(File("notes.txt")) << "not a store";
  EXPECT_EQ(CodeOf(MigrateStore(File("notes.txt"), env_)), ErrorCode::kCorrupt);
  EXPECT_EQ(std::filesystem::file_size(File("notes.txt")), 11U) << "not touched";
  EXPECT_TRUE(IsDsn("host=/tmp dbname=x"));
  EXPECT_TRUE(IsDsn("postgres://h/d"));
  EXPECT_FALSE(IsDsn("/var/lib/a=b"));
  EXPECT_FALSE(IsDsn("data"));
}

}  // namespace
}  // namespace seedcore::store
