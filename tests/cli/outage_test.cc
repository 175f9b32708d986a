// What the commands say while PostgreSQL is away, and when nobody is there at all.
#include <csignal>

#include "program.h"
#include "store/postgres/connection.h"
#include "store/postgres/testing.h"

namespace seedcore::test {
namespace {

using store::postgres::Connection;
using store::postgres::TestServer;

/// Stops the server for good.
void End(TestServer& server) {
  const auto connection = Connection::Open({.dsn = server.Dsn("postgres"), .setup = {}});
  ASSERT_TRUE(connection) << ToString(connection.error());
  const auto file = (*connection)->RunOnce("SELECT split_part(pg_read_file('postmaster.pid'), chr(10), 1)::int", {});
  ASSERT_TRUE(file) << ToString(file.error());
  ::kill(static_cast<pid_t>(file->Int(0, 0)), SIGINT);
  while (!server.HasEnded()) RealEnv().SleepFor(std::chrono::milliseconds(1), {});
}

TEST(Outage, TheServersOwnWordsAreShownWhenPostgresqlIsAway) {
  TestServer server;
  server.CreateDatabase("outage");
  Served served({}, {{"SEEDCORE_PG_DSN", server.Dsn("outage")}});
  Program& seedcore = served.program;
  ASSERT_EQ(seedcore.Run({"status"}).code, 0);
  ASSERT_NO_FATAL_FAILURE(End(server));

  const Outcome status = seedcore.Run({"status"});
  EXPECT_EQ(status.code, 4) << status.out;
  EXPECT_TRUE(Contains(status.err, "PostgreSQL cannot be reached at 127.0.0.1")) << status.err;
  EXPECT_FALSE(Contains(status.err, "no answer from") || Contains(status.err, "seedcore up")) << status.err;
  const Outcome submitted = seedcore.Run({"submit", "health_check"});
  EXPECT_EQ(submitted.code, 4);
  EXPECT_TRUE(Contains(submitted.err, "PostgreSQL cannot be reached")) << submitted.err;

  const Outcome health = seedcore.Run({"health"});
  EXPECT_EQ(health.code, 1) << health.err;
  EXPECT_TRUE(Contains(health.out, "not_ready") && Contains(health.out, "PostgreSQL cannot be reached")) << health.out;
  EXPECT_FALSE(Contains(health.out + health.err, "breaker")) << health.out << health.err;
  EXPECT_FALSE(Contains(health.out, "unreachable ")) << "every service has answered: " << health.out;
  const json::value probes = seedcore.Json({"health"}, 1);
  EXPECT_EQ(probes.at("tasks").at("deps").at("db"), "error: PostgreSQL refuses connections");
}

TEST(Outage, WhereNobodyListensEachCommandSaysSo) {
  Program seedcore;
  seedcore.Set("SEEDCORE_API", "http://127.0.0.1:1");
  seedcore.Set("SERVE_GATEWAY", "http://127.0.0.1:1");
  for (const std::string command : {"status", "health"}) {
    const Outcome outcome = seedcore.Run({command});
    EXPECT_EQ(outcome.code, 4) << outcome.out;
    EXPECT_TRUE(Contains(outcome.err, "no answer from http://127.0.0.1:1") && Contains(outcome.err, "seedcore up"))
        << outcome.err;
    EXPECT_FALSE(Contains(outcome.err, "breaker")) << outcome.err;
  }
}

TEST(Outage, TheCommandsFollowTheAddressesThatUpListensAt) {
  Program seedcore;
  seedcore.Set("SEEDCORE_API_LISTEN", "0.0.0.0:1");
  seedcore.Set("SEEDCORE_API_TOKENS", "only-with-tokens-may-everybody-reach-it");
  EXPECT_TRUE(Contains(seedcore.Run({"status"}).err, "no answer from http://127.0.0.1:1:"));
  seedcore.Set("SEEDCORE_API", "http://127.0.0.1:2");
  EXPECT_TRUE(Contains(seedcore.Run({"status"}).err, "no answer from http://127.0.0.1:2:"));
}

}  // namespace
}  // namespace seedcore::test
