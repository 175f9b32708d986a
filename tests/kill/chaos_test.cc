// No task is lost or completed twice when PostgreSQL is restarted again and again, and the network between it and its
// clients cuts, delays and slices what passes: three clients, each with a store, a dispatcher and a reaper of its own,
// submit and execute tasks until all of them have ended; then the history of every task is read.
//
//   chaos_test [TASKS] [RESTART_EVERY_MS] [SEED]
//
// The server is this test's own. Restarts take turns between a crash (SIGQUIT, `pg_ctl restart -m immediate`) and an
// orderly end that does not wait for its clients (SIGINT, `-m fast`).

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/env.h"
#include "base/log.h"
#include "base/metrics.h"
#include "queue/dispatcher.h"
#include "queue/reaper.h"
#include "store/check.h"
#include "store/location.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"
#include "support/history.h"
#include "support/tcp_weather.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;

constexpr int kClients = 3;
constexpr int kBatch = 5;
constexpr auto kPause = 40ms;  ///< between two batches of a client: some 300 tasks a second in all

[[noreturn]] void Die(const std::string& what) {
  fmt::print(stderr, "chaos_test: {}\n", what);
  std::exit(2);
}

std::string Replaced(std::string text, std::string_view from, std::string_view to) {
  return text.replace(text.find(from), from.size(), to);
}

/// One process's worth of store, dispatcher and reaper, and a submitter.
class Client {
 public:
  Client(const std::string& dsn, int number, int tasks) : number_(number) {
    Result<std::unique_ptr<store::Store>> opened = Fail(ErrorCode::kUnavailable, "not opened yet");
    while (!opened) opened = store::postgres::OpenPostgresStore(Settings(dsn), env_, metrics_);
    store_ = std::move(*opened);
    reaper_ = std::make_unique<queue::Reaper>(env_, store_->tasks(), metrics_, queue::ReaperSettings{.period = 200ms});
    dispatcher_ = std::make_unique<queue::Dispatcher>(
        env_, store_->tasks(), metrics_,
        queue::DispatcherSettings{
            .name = fmt::format("client_{}", number), .concurrency = 8, .lease = 1000ms, .poll = 200ms},
        [this](const store::Task& task, const CallContext& call) { return Execute(task, call); });
    submitter_ = std::jthread([this, tasks] { Submit(tasks); });
  }

  [[nodiscard]] bool HasSubmitted() const { return submitted_; }
  [[nodiscard]] store::TaskStore& tasks() { return store_->tasks(); }
  [[nodiscard]] int refused() const { return refused_; }
  [[nodiscard]] std::int64_t late() const { return dispatcher_->Status().lease_lost; }
  std::set<std::string> Acknowledged() {
    submitter_.join();
    return std::move(acknowledged_);
  }

 private:
  static store::postgres::PostgresSettings Settings(const std::string& dsn) {
    return {.dsn = dsn,
            .writers = 4,
            .readers = 2,
            .max_wait = 2000ms,
            .connect_timeout = 1000ms,
            .statement_timeout = 5000ms,
            .lock_timeout = 2000ms};
  }

  /// Each batch until it is acknowledged: the keys make a repetition harmless.
  void Submit(int count) {
    for (int first = 0; first < count; first += kBatch) {
      std::vector<store::NewTask> batch;
      for (int i = first; i < std::min(first + kBatch, count); ++i) {
        store::NewTask task{.type = "work", .retry = {.max_attempts = 100, .base = 5ms, .max = 50ms}};
        task.params = {{"n", i}, {"fails", i % 16 == 0}};
        task.idempotency_key = fmt::format("{}-{}", number_, i);
        batch.push_back(std::move(task));
      }
      for (;;) {
        const auto results = store_->tasks().Submit(batch);
        if (results) {
          for (const store::SubmitResult& result : *results) acknowledged_.insert(result.task.id);
          break;
        }
        if (!IsRetryable(results.error().code)) Die("submit: " + ToString(results.error()));
        ++refused_;
        env_.SleepFor(5ms, {});
      }
      // A load that lasts through many restarts.
      env_.SleepFor(kPause, {});
    }
    submitted_ = true;
  }

  queue::TaskOutcome Execute(const store::Task& task, const CallContext& call) {
    env_.SleepFor(std::chrono::milliseconds(env_.Random() % 20), call.stop);
    if (task.params.at("fails").as_bool() && task.attempts == 1) {
      return queue::TaskOutcome::Fail({ErrorCode::kUnavailable, "fails at first", {}});
    }
    return queue::TaskOutcome::Complete(json::object{{"attempt", task.attempts}});
  }

  Env& env_ = RealEnv();
  const int number_;
  Metrics metrics_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<queue::Reaper> reaper_;
  std::unique_ptr<queue::Dispatcher> dispatcher_;
  std::set<std::string> acknowledged_;  // the submitter's until it has ended
  std::atomic<int> refused_ = 0;
  std::atomic<bool> submitted_ = false;
  std::jthread submitter_;
};

std::int64_t OpenTasks(store::TaskStore& tasks) {
  const auto counts = tasks.Counts();
  if (!counts) return 1;  // not known now
  std::int64_t open = 0;
  for (const auto& [status, count] : counts->by_status) {
    if (!store::IsTerminal(status)) open += count;
  }
  return open;
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
    std::vector<std::unique_ptr<Client>> clients;
    for (int i = 0; i < kClients; ++i) {
      clients.push_back(std::make_unique<Client>(dsn, i, task_count / kClients + (i < task_count % kClients ? 1 : 0)));
    }
    const Instant patience = started + 10min;
    for (;;) {
      env.SleepFor(restart_every, {});
      const bool submitted = std::ranges::all_of(clients, [](const auto& client) { return client->HasSubmitted(); });
      if (submitted && OpenTasks(clients[0]->tasks()) == 0) break;
      if (env.Now() > patience) Die("the tasks did not come to their end");
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

  const auto store = store::postgres::OpenPostgresStore({.dsn = server.Dsn("chaos")}, env, metrics);
  if (!store) Die("open: " + ToString(store.error()));
  const auto events = test::ReadHistory((*store)->tasks());
  if (!events) Die("events: " + ToString(events.error()));
  auto report = test::CheckHistory(*events, acknowledged, {.max_executions = 100});
  if (report.tasks != static_cast<std::size_t>(task_count)) {
    report.violations.push_back(fmt::format("{} tasks, and {} were submitted", report.tasks, task_count));
  }
  const auto tables = store::OpenTables(server.Dsn("chaos"), store::TablesUse::kInspect, env);
  if (!tables) Die("check: " + ToString(tables.error()));
  const auto check = store::CheckStore(**tables);
  if (!check) Die("check: " + ToString(check.error()));
  for (const store::Finding& finding : check->findings) {
    report.violations.push_back(fmt::format("{}: {} rows, {}", finding.rule, finding.count, finding.example));
  }

  fmt::print(
      "{} crashes and {} fast restarts of PostgreSQL in {:.1f} s; {} connections, of these {} cut, {} pieces "
      "sliced, {} delayed, seed {}\n",
      crashes, fast, std::chrono::duration<double>(env.Now() - started).count(), network.connections(), network.cuts(),
      network.slices(), network.delays(), seed);
  fmt::print(
      "{} tasks, {} acknowledged, {} submits repeated, {} events, {} claims, {} leases expired, {} retries, {} late "
      "results refused, at most {} executions of a task; {} violations\n",
      report.tasks, acknowledged.size(), refused, events->size(), report.claims, report.lease_expiries, report.retries,
      late, report.most_executions, report.violations.size());
  for (const std::string& violation : report.violations) fmt::print(stderr, "VIOLATION {}\n", violation);
  if (crashes == 0 || network.cuts() == 0 || refused == 0) Die("the faults met no work: the test shows nothing");
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
