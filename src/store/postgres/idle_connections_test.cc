// Connections that end while nobody uses them, by an administrator, a restart of the server or a proxy that cuts them:
// whoever is given one of these next does not notice.
#include <csignal>
#include <latch>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "store/conformance.h"
#include "store/postgres/database.h"
#include "store/postgres/store_fixture.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kInsertNoted[] = "INSERT INTO noted (transaction) VALUES (txid_current())";
constexpr char kCountNoted[] = "SELECT count(*) FROM noted";
constexpr int kWriters = 4;
constexpr int kReaders = 2;

class IdleConnectionsPostgres : public testing::Test {
 protected:
  IdleConnectionsPostgres() { Fill(); }

  static TestServer& ServerWithATable() {
    TestServer& server = TestServer::Shared();
    server.CreateDatabase("idle");
    server.Execute("idle", "CREATE TABLE noted (transaction BIGINT)");
    return server;
  }

  /// Each connection of the pool is made, has prepared kInsertNoted or kCountNoted, and stands idle.
  void Fill() {
    std::vector<std::jthread> users;
    std::latch writing(kWriters), reading(kReaders);
    for (int i = 0; i < kWriters; ++i) {
      users.emplace_back([&] {
        EXPECT_TRUE(database_.WriteOnce([&](WriteContext& context) -> Result<void> {
          writing.arrive_and_wait();
          SEEDCORE_RETURN_IF_ERROR(context.db.Query(kInsertNoted));
          return {};
        }));
      });
    }
    for (int i = 0; i < kReaders; ++i) {
      users.emplace_back([&] {
        EXPECT_TRUE(database_.Read([&](Connection& connection) {
          reading.arrive_and_wait();
          return connection.Query(kCountNoted);
        }));
      });
    }
    users.clear();
    noted_ += kWriters;
  }

  Result<void> Note() {
    return database_.WriteOnce([](WriteContext& context) -> Result<void> {
      SEEDCORE_RETURN_IF_ERROR(context.db.Query(kInsertNoted));
      return {};
    });
  }
  Result<void> NoteInATransaction() {
    return database_.Write([](WriteContext& context) -> Result<void> {
      SEEDCORE_RETURN_IF_ERROR(context.db.Query(kInsertNoted));
      return {};
    });
  }
  Result<std::int64_t> Count() {
    return database_.Read([](Connection& connection) -> Result<std::int64_t> {
      SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(kCountNoted));
      return rows.Int(0, 0);
    });
  }
  /// As many operations as there are connections, and none fails.
  void ExpectThatAllGoesOn() {
    for (int i = 0; i < kWriters; ++i) {
      const Result<void> noted = i % 2 == 0 ? Note() : NoteInATransaction();
      ASSERT_TRUE(noted) << ToString(noted.error());
      ++noted_;
    }
    for (int i = 0; i < kReaders; ++i) {
      const auto count = Count();
      ASSERT_TRUE(count) << ToString(count.error());
      EXPECT_EQ(*count, noted_);
    }
  }

  void Terminate(const std::string& where) {
    server_.Execute("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE " + where);
  }
  /// Ends the session behind a connection, and returns when it has ended.
  void End(int pid) {
    Terminate(fmt::format("pid = {}", pid));
    const auto observer = Must(Connection::Open({.dsn = server_.Dsn("postgres"), .setup = {}}));
    const std::string left = fmt::format("SELECT count(*) FROM pg_stat_activity WHERE pid = {}", pid);
    while (Must(observer->RunOnce(left, {})).Int(0, 0) > 0) continue;
  }
  static int PidOf(Connection& connection) {
    return static_cast<int>(Must(connection.Query("SELECT pg_backend_pid()")).Int(0, 0));
  }

  TestServer& server_ = ServerWithATable();
  Metrics metrics_;
  Database database_{{.connect = {.dsn = server_.Dsn("idle"), .setup = {}}, .writers = kWriters, .readers = kReaders},
                     RealEnv(),
                     metrics_};
  std::int64_t noted_ = 0;
};

TEST_F(IdleConnectionsPostgres, ThatAreTerminatedCostNoOperation) {
  constexpr int kRounds = 20;  // the word of the server may come before, while and after a connection is taken
  for (int round = 0; round < kRounds; ++round) {
    Terminate("datname = 'idle'");
    ASSERT_NO_FATAL_FAILURE(ExpectThatAllGoesOn());
    Fill();
  }
}

TEST_F(IdleConnectionsPostgres, ThatARestartOfTheServerEndsCostNoOperation) {
  for (const int signal : {SIGINT, SIGQUIT}) {
    server_.Restart(signal);
    ASSERT_NO_FATAL_FAILURE(ExpectThatAllGoesOn());
    Fill();
  }
}

TEST_F(IdleConnectionsPostgres, OneThatEndsWhenItIsTakenIsReplacedOnce) {
  int tries = 0;
  const auto note = [&](WriteContext& context) -> Result<void> {
    // To ask for its number would be a first statement.
    if (++tries == 1) Terminate("datname = 'idle' AND query LIKE '%noted%'");
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kInsertNoted));
    return {};
  };
  const auto noted = database_.WriteOnce(note);
  EXPECT_TRUE(noted) << ToString(noted.error());
  EXPECT_EQ(tries, 2);
  tries = 0;
  Fill();
  const auto count = database_.Read([&](Connection& connection) -> Result<std::int64_t> {
    if (++tries == 1) Terminate("datname = 'idle' AND query LIKE '%noted%'");
    SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(kCountNoted));
    return rows.Int(0, 0);
  });
  ASSERT_TRUE(count) << ToString(count.error());
  EXPECT_EQ(tries, 2);
  EXPECT_EQ(*count, noted_ + 1);
}

TEST_F(IdleConnectionsPostgres, WhatHasBegunIsNotDoneAgain) {
  int tries = 0;
  const auto twice = [&](WriteContext& context) -> Result<void> {
    ++tries;
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kInsertNoted));
    End(PidOf(context.db));
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kInsertNoted));
    return {};
  };
  EXPECT_EQ(CodeOf(database_.WriteOnce(twice)), ErrorCode::kUnavailable);
  EXPECT_EQ(tries, 1);
  EXPECT_EQ(CodeOf(database_.Write(twice)), ErrorCode::kUnavailable);
  EXPECT_EQ(tries, 2);
  EXPECT_EQ(Must(Count()), noted_ + 1) << "each statement of the first was a transaction by itself";
}

TEST_F(IdleConnectionsPostgres, AWriteWhoseConnectionBreaksWithoutAWordIsNotDoneAgainAndAReadIs) {
  int tries = 0;
  const auto note = [&](WriteContext& context) -> Result<void> {
    if (++tries == 1) server_.Restart(SIGQUIT);
    SEEDCORE_RETURN_IF_ERROR(context.db.Query(kInsertNoted));
    return {};
  };
  EXPECT_EQ(CodeOf(database_.WriteOnce(note)), ErrorCode::kUnavailable);
  EXPECT_EQ(tries, 1);
  Fill();
  tries = 0;
  EXPECT_EQ(Must(database_.Read([&](Connection& connection) -> Result<std::int64_t> {
              if (++tries == 1) server_.Restart(SIGQUIT);
              SEEDCORE_ASSIGN_OR_RETURN(const Rows rows, connection.Query(kCountNoted));
              return rows.Int(0, 0);
            })),
            noted_);
  EXPECT_EQ(tries, 2);
}

}  // namespace
}  // namespace seedcore::store::postgres
