#include "store/postgres/database.h"

#include <chrono>
#include <memory>

#include <gtest/gtest.h>

#include "store/conformance.h"
#include "store/postgres/testing.h"

namespace seedcore::store::postgres {
namespace {

class PostgresDatabase : public testing::Test {
 protected:
  PostgresDatabase() { server_.CreateDatabase("transactions"); }

  TestServer& server_ = TestServer::Shared();
  ConnectSettings settings_{.dsn = server_.Dsn("transactions"), .setup = {}};
  Metrics metrics_;
};

TEST_F(PostgresDatabase, WhatTheProgramRefusesIsNotRepeatedBecauseOfAnEarlierCollision) {
  Database database({.connect = settings_, .writers = 1}, RealEnv(), metrics_);
  int tries = 0;
  Must(database.WriteOnce([&](WriteContext& context) -> Result<void> {
    if (++tries > 1) return {};
    SEEDCORE_RETURN_IF_ERROR(context.db.RunOnce("DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '40001'; END $$", {}));
    return {};
  }));
  EXPECT_EQ(tries, 2);
  tries = 0;
  const auto refused = database.WriteOnce([&](WriteContext&) -> Result<void> {
    ++tries;
    return Fail(ErrorCode::kConflict, "no");
  });
  EXPECT_EQ(refused.error().code, ErrorCode::kConflict);
  EXPECT_EQ(tries, 1);
}

TEST_F(PostgresDatabase, ACommitWhoseAnswerIsLostIsToldAllTheSame) {
  Database database({.connect = settings_}, RealEnv(), metrics_);
  const auto listener = Must(Connection::Open(settings_));
  Must(listener->Script("LISTEN seedcore"));
  const auto lost = database.WriteOnce([&](WriteContext& context) -> Result<void> {
    SEEDCORE_RETURN_IF_ERROR(context.db.RunOnce("SELECT pg_terminate_backend(pg_backend_pid())", {}));
    return {};
  });
  ASSERT_FALSE(lost);
  bool told = false;
  for (const Instant patience = RealEnv().Now() + std::chrono::minutes(1); !told && RealEnv().Now() < patience;) {
    Must(listener->Query("SELECT 1"));
    for (const auto& notification : listener->TakeNotifications()) {
      told = told || ReadPayload(notification.payload).runnable.tasks > 0;
    }
  }
  EXPECT_TRUE(told);
}

}  // namespace
}  // namespace seedcore::store::postgres
