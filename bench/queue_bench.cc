// The queue without HTTP, on SQLite with synchronous=FULL or on PostgreSQL: durable submits, tasks claimed, executed
// and completed by a dispatcher and by the bare store, and the time from submit to start. The last line is JSON.
//
//   queue_bench DIR|DSN [TASKS] [LATENCY_SAMPLES]

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include <fmt/format.h>

#include "base/log.h"
#include "queue/measure.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;

constexpr int kBatch = 32;

bool IsDsn(const std::string& place) { return place.starts_with("postgresql://"); }

Result<std::unique_ptr<store::Store>> Open(const std::string& place, Env& env, Metrics& metrics) {
  if (IsDsn(place)) return store::postgres::OpenPostgresStore({.dsn = place}, env, metrics);
  std::filesystem::create_directories(place);
  return store::sqlite::OpenSqliteStore({.path = place + "/queue_bench.db"}, env, metrics);
}

Result<void> Run(const std::string& place, std::int64_t tasks, std::int64_t samples) {
  Env& env = RealEnv();
  Metrics metrics;
  SEEDCORE_ASSIGN_OR_RETURN(const auto store, Open(place, env, metrics));
  store::TaskStore& queue = store->tasks();
  json::object figures;
  const auto report = [&](const char* name, const queue::Rate& rate) {
    fmt::print("{:<18} {:>8.0f} tasks/s  {:6.1f} tasks per commit\n", name, rate.PerSecond(), rate.TasksPerCommit());
    figures[name] = {
        {"tasks", rate.tasks}, {"per_second", rate.PerSecond()}, {"tasks_per_commit", rate.TasksPerCommit()}};
  };

  SEEDCORE_ASSIGN_OR_RETURN(const auto submit,
                            queue::MeasureSubmit(env, queue, metrics, 32, {.tasks = tasks / 5, .time = 30s}, false));
  report("submit", submit);
  SEEDCORE_ASSIGN_OR_RETURN(const auto fill, queue::MeasureSubmitBatches(env, queue, metrics, 500, tasks));
  report("submit_batches", fill);
  SEEDCORE_ASSIGN_OR_RETURN(const auto execute,
                            queue::MeasureExecute(env, queue, metrics, kBatch, kBatch, {.tasks = tasks, .time = 60s}));
  report("execute", execute);
  for (const auto& [name, threads] : {std::pair("claim_finish", 1), {"claim_finish_4", 4}}) {
    SEEDCORE_RETURN_IF_ERROR(queue::MeasureSubmitBatches(env, queue, metrics, 500, tasks));
    SEEDCORE_ASSIGN_OR_RETURN(const auto drain, queue::MeasureClaimFinish(env, queue, metrics, threads, kBatch,
                                                                          {.tasks = tasks, .time = 60s}));
    report(name, drain);
  }
  SEEDCORE_ASSIGN_OR_RETURN(const auto latency,
                            queue::MeasureStartLatency(env, queue, metrics, {.tasks = samples, .time = 60s}));
  figures["start_ms"] = {{"p50", queue::Quantile(latency, 0.5)}, {"p99", queue::Quantile(latency, 0.99)}};
  fmt::print("{}\n", WriteJson(figures));
  return {};
}

}  // namespace
}  // namespace seedcore

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr, "usage: queue_bench DIR|DSN [TASKS] [LATENCY_SAMPLES]\n");
    return 2;
  }
  seedcore::log::Configure(seedcore::log::Level::kWarning, seedcore::log::Format::kText);
  const auto number = [&](int index, int otherwise) { return argc > index ? std::atoi(argv[index]) : otherwise; };
  const auto done = seedcore::Run(argv[1], number(2, 50'000), number(3, 1'000));
  if (!done) fmt::print(stderr, "{}\n", ToString(done.error()));
  return done ? 0 : 1;
}
