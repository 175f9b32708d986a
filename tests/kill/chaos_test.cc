// No task is lost or completed twice when PostgreSQL is restarted again and again, and the network between it and its
// clients cuts, delays and slices what passes: three clients, each with a store, a dispatcher and a reaper of its own,
// submit and execute tasks until all of them have ended; then the history of every task is read.
//
//   chaos_test [TASKS] [RESTART_EVERY_MS] [SEED]
//
// The server is this test's own. Restarts take turns between a crash (SIGQUIT, `pg_ctl restart -m immediate`) and an
// orderly end that does not wait for its clients (SIGINT, `-m fast`).

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/env.h"
#include "base/log.h"
#include "base/metrics.h"
#include "kill/client.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"
#include "support/tcp_weather.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;

constexpr int kClients = 3;

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);
}

int Main(int task_count, std::chrono::milliseconds restart_every, unsigned seed) {
  log::Configure(log::Level::kError, log::Format::kText);
  Env& env = RealEnv();
  store::postgres::TestServer server;
  server.CreateDatabase("chaos");
  Metrics metrics;
  const Instant started = env.Now();
  int crashes = 0, fast = 0, refused = 0;
  std::int64_t late = 0;
  std::set<std::string> acknowledged;
  test::TcpWeather network(server.port(), {.cut = 0.002, .slice = 0.02, .delay = 0.02}, seed);
  {
    const std::string dsn =
        Replaced(server.Dsn("chaos"), fmt::format(":{}/", server.port()), fmt::format(":{}/", network.port())) +
        "?sslmode=disable";
    std::vector<std::unique_ptr<test::Client>> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(
          std::make_unique<test::Client>(dsn, i, task_count / kClients + (i < task_count % kClients ? 1 : 0)));
    }
    const Instant patience = started + 10min;
    for (;;) {
      env.SleepFor(restart_every, {});
      const bool submitted = std::ranges::all_of(clients, [](const auto& client) { return client->HasSubmitted(); });
      if (submitted && test::OpenTasks(clients[0]->tasks()) == 0) break;
      if (env.Now() > patience) test::Die("chaos_test", "the tasks did not come to their end");
      const bool crash = (crashes + fast) % 2 == 0;
      server.Restart(crash ? SIGQUIT : SIGINT);
      ++(crash ? crashes : fast);
    }
    network.Clear();
    for (const auto& client : clients) {
      acknowledged.merge(client->Acknowledged());
      refused += client->refused();
      late += client->late();
    }
  }

  const test::Verdict verdict = test::Verify("chaos_test", server.Dsn("chaos"), acknowledged);
  auto report = verdict.report;
  if (report.tasks != static_cast<std::size_t>(task_count)) {
    report.violations.push_back(fmt::format("{} tasks, and {} were submitted", report.tasks, task_count));
  }

  fmt::print(
      "{} crashes and {} fast restarts of PostgreSQL in {:.1f} s; {} connections, of these {} cut, {} pieces "
      "sliced, {} delayed, seed {}\n",
      crashes, fast, std::chrono::duration<double>(env.Now() - started).count(), network.connections(), network.cuts(),
      network.slices(), network.delays(), seed);
  fmt::print(
      "{} tasks, {} acknowledged, {} submits repeated, {} events, {} claims, {} leases expired, {} retries, {} late "
      "results refused, at most {} executions of a task; {} violations\n",
      report.tasks, acknowledged.size(), refused, verdict.events, report.claims, report.lease_expiries, report.retries,
      late, report.most_executions, report.violations.size());
  for (const std::string& violation : report.violations) fmt::print(stderr, "VIOLATION {}\n", violation);
  if (crashes == 0 || network.cuts() == 0 || refused == 0)
    test::Die("chaos_test", "the faults met no work: the test shows nothing");
  return report.violations.empty() ? 0 : 1;
}

}  // namespace
}  // namespace seedcore

int main(int argc, char** argv) {
  if (argc > 4) {
    fmt::print(stderr, "usage: chaos_test [TASKS] [RESTART_EVERY_MS] [SEED]\n");
    return 2;
  }
  return seedcore::Main(argc > 1 ? std::atoi(argv[1]) : 1500,
                        std::chrono::milliseconds(argc > 2 ? std::atoi(argv[2]) : 700),
                        argc > 3 ? static_cast<unsigned>(std::atoi(argv[3])) : 1);
}
