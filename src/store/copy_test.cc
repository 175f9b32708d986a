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
