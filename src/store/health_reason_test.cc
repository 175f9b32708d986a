#include "store/health_reason.h"

#include <csignal>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/conformance.h"
#include "store/postgres/connection.h"
#include "store/postgres/errors.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"

namespace seedcore::store {
namespace {

using testing::HasSubstr;

TEST(HealthReasonPostgres, TellsAProberTheKindOfFailureAndNoNames) {
  postgres::TestServer& server = postgres::TestServer::Shared();
  server.CreateDatabase("reasons");
  server.Execute("reasons",
                 "DROP ROLE IF EXISTS prober; CREATE ROLE prober SUPERUSER LOGIN PASSWORD 's3cret-of-tests'");
  std::string dsn = server.Dsn("reasons");
  dsn.replace(dsn.find("seedcore:"), 9, "prober:");
  SimEnv env;
  Metrics metrics;
  const auto store = Must(postgres::OpenPostgresStore({.dsn = dsn}, env, metrics));
  EXPECT_EQ(ReasonForAnybody(store->CheckHealth()), "");

  server.Execute("postgres", "ALTER ROLE prober PASSWORD 'another'");
  server.Execute("postgres", "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'prober'");
  const Store::Health refused = store->CheckHealth();
  EXPECT_THAT(refused.error, HasSubstr("prober")) << "the log is told";
  EXPECT_EQ(ReasonForAnybody(refused), "PostgreSQL refused the password");
}

TEST(HealthReasonPostgres, KnowsWhatHasNoSqlState) {
  using postgres::KindOf;
  const auto closed = postgres::Connection::Open({.dsn = "postgresql://somebody@127.0.0.1:1/x", .setup = {}});
  EXPECT_EQ(KindOf(ToString(closed.error())), "PostgreSQL refuses connections");
  const auto nowhere = postgres::Connection::Open({.dsn = "postgresql://somebody@nowhere.invalid/x", .setup = {}});
  EXPECT_EQ(KindOf(ToString(nowhere.error())), "the host of PostgreSQL is not known");
  EXPECT_EQ(KindOf(ToString(postgres::NoAnswer(std::chrono::milliseconds(5), "db.internal:5432/x"))),
            "PostgreSQL does not answer in time");
  EXPECT_EQ(KindOf(ToString(postgres::ConnectError("no answer within 5000 ms", "db.internal:5432/x"))),
            "PostgreSQL does not answer in time");
  EXPECT_EQ(KindOf(ToString(postgres::ConnectionLost("server closed the connection"))),
            "the connection to PostgreSQL was lost");
  EXPECT_EQ(KindOf("internal: PostgreSQL error 12345: relation of somebody"), "internal");
}

TEST(HealthReason, OfAFileIsWithoutItsPath) {
  EXPECT_EQ(
      ReasonForAnybody({.backend = "sqlite", .location = "/home/x/db", .error = "unavailable: full (/home/x/db)"}),
      "unavailable: full");
}

}  // namespace
}  // namespace seedcore::store
