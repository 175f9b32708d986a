// Dispatch without HTTP, on SQLite with synchronous=FULL, on the real clock:
//   * tasks claimed, executed by an empty handler and completed, per second;
//   * from the submit call to the start of the handler, on an idle dispatcher.
//
//   dispatch_bench [DIR] [TASKS] [CONCURRENCY] [LATENCY_SAMPLES]

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/env.h"
#include "base/log.h"
#include "base/metrics.h"
#include "queue/dispatcher.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;

double Seconds(Instant from, Instant to) { return std::chrono::duration<double>(to - from).count(); }

void Throughput(Env& env, store::TaskStore& tasks, Metrics& metrics, int count, int concurrency) {
  store::NewTask task;
  task.type = "bench";
  task.params = {{"text", "a few words of payload"}, {"value", 42}};
  const std::vector<store::NewTask> batch(500, task);
  const Instant submit_started = env.Now();
  for (int done = 0; done < count; done += static_cast<int>(batch.size())) {
    if (auto submitted = tasks.Submit(batch); !submitted) {
      fmt::print(stderr, "submit: {}\n", ToString(submitted.error()));
      std::exit(1);
    }
  }
  Counter& commits = metrics.GetCounter("seedcore_store_transactions_total", "Write transactions committed");
  const double commits_before = commits.Value();
  const Instant started = env.Now();
  queue::Dispatcher dispatcher(
      env, tasks, metrics, {.name = "throughput", .concurrency = concurrency},
      [](const store::Task&, const CallContext&) { return queue::TaskOutcome::Complete(json::object{{"ok", true}}); });
  while (dispatcher.Status().completed < count) env.SleepFor(1ms, {});
  const double seconds = Seconds(started, env.Now());
  fmt::print("claim+execute+complete  {:>9.0f} tasks/s  ({} tasks, {} at a time, {:.2f} s, {:.1f} tasks/commit)\n",
             count / seconds, count, concurrency, seconds, count / (commits.Value() - commits_before));
  fmt::print("submit, batches of {}  {:>9.0f} tasks/s\n", batch.size(), count / Seconds(submit_started, started));
}

void Latency(Env& env, store::TaskStore& tasks, Metrics& metrics, int samples) {
  std::atomic<Instant> begun{Instant{}};
  queue::Dispatcher dispatcher(env, tasks, metrics, {.name = "latency"}, [&](const store::Task&, const CallContext&) {
    begun = env.Now();
    begun.notify_one();
    return queue::TaskOutcome::Complete(nullptr);
  });
  store::NewTask task;
  task.type = "bench";
  std::vector<double> milliseconds;
  for (int i = 0; i < samples; ++i) {
    begun = Instant{};
    const Instant started = env.Now();
    if (!tasks.Submit(std::span(&task, 1))) std::exit(1);
    begun.wait(Instant{});
    milliseconds.push_back(1000 * Seconds(started, begun));
    env.SleepFor(2ms, {});
  }
  std::ranges::sort(milliseconds);
  const auto at = [&](double q) {
    return milliseconds[static_cast<std::size_t>(q * static_cast<double>(samples - 1))];
  };
  fmt::print("submit to start, idle   p50 {:.2f} ms, p99 {:.2f} ms  ({} tasks)\n", at(0.5), at(0.99), samples);
}

int Main(const std::string& directory, int count, int concurrency, int samples) {
  log::Configure(log::Level::kWarning, log::Format::kText);
  std::filesystem::create_directories(directory);
  Env& env = RealEnv();
  Metrics metrics;
  const std::string path = directory + "/dispatch_bench.db";
  for (const char* suffix : {"", "-wal", "-shm"}) std::filesystem::remove(path + suffix);
  auto store = store::sqlite::OpenSqliteStore({.path = path}, env, metrics);
  if (!store) {
    fmt::print(stderr, "open: {}\n", ToString(store.error()));
    return 1;
  }
  Throughput(env, (*store)->tasks(), metrics, count, concurrency);
  Latency(env, (*store)->tasks(), metrics, samples);
  return 0;
}

}  // namespace
}  // namespace seedcore

int main(int argc, char** argv) {
  const auto number = [&](int index, int otherwise) { return argc > index ? std::atoi(argv[index]) : otherwise; };
  return seedcore::Main(argc > 1 ? argv[1] : "bench-data", number(2, 50'000), number(3, 32), number(4, 1'000));
}
