// SeedCore's part in the queue benchmark: what one client or one dispatching process does, on the real store. Every
// peer in bench/queue/peers has a program with the same commands and the same output, JSON lines.
//
//   seedcore_drain DIR|DSN setup
//   seedcore_drain DIR|DSN enqueue --count N --clients C    one task per transaction
//   seedcore_drain DIR|DSN fill    --count N --batch B      in bulk
//   seedcore_drain DIR|DSN pace    --count N --rate R       one task per transaction, R per second, each with its time
//                                  --uncounted N            but for the first N, of a client that has just started
//   seedcore_drain DIR|DSN work    --batch B --lease MS [--hang] [--retention MS]   a dispatcher and a reaper
//   seedcore_drain DIR|DSN claim   --count N --batch B      microseconds of N single claims
//   seedcore_drain DIR|DSN look    --count N                N looks of an idle dispatcher that find nothing
//
// `work` prints {"ready"} and begins when it reads a line; it prints how many tasks are done, and when standard
// input ends the times from submit to start of paced tasks. With --hang it prints {"started"} for its first task and
// never ends it.
// --shared: other processes have the SQLite file open, too.

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <mutex>
#include <poll.h>
#include <string_view>
#include <thread>
#include <unistd.h>
#include <vector>

#include <fmt/format.h>

#include "base/json.h"
#include "base/log.h"
#include "queue/dispatcher.h"
#include "queue/measure.h"
#include "queue/reaper.h"
#include "store/postgres/postgres_store.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore {
namespace {

using namespace std::chrono_literals;

struct Options {
  std::int64_t count = 1'000;
  std::int64_t uncounted = 0;
  int clients = 32;
  int batch = 128;
  double rate = 50.0;
  std::chrono::milliseconds lease{30'000};
  std::chrono::milliseconds retention{0};  ///< finished tasks are deleted that often; 0: kept
  bool hang = false;
  bool shared = false;
};

Result<Options> ReadOptions(std::span<char* const> arguments) {
  Options options;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string_view name = arguments[i];
    if (name == "--hang" || name == "--shared") {
      (name == "--hang" ? options.hang : options.shared) = true;
      continue;
    }
    if (i + 1 == arguments.size()) return Fail(ErrorCode::kInvalidArgument, "a value is missing", std::string(name));
    const char* const value = arguments[++i];
    if (name == "--count") {
      options.count = std::atoll(value);
    } else if (name == "--uncounted") {
      options.uncounted = std::atoll(value);
    } else if (name == "--clients") {
      options.clients = std::max(std::atoi(value), 1);
    } else if (name == "--batch") {
      options.batch = std::max(std::atoi(value), 1);
    } else if (name == "--rate") {
      options.rate = std::max(std::atof(value), 0.1);
    } else if (name == "--lease") {
      options.lease = std::chrono::milliseconds(std::atoll(value));
    } else if (name == "--retention") {
      options.retention = std::chrono::milliseconds(std::atoll(value));
    } else {
      return Fail(ErrorCode::kInvalidArgument, "no such option", std::string(name));
    }
  }
  return options;
}

void Print(const json::object& line) {
  fmt::print("{}\n", WriteJson(line));
  std::fflush(stdout);
}

Result<std::unique_ptr<store::Store>> Open(const std::string& place, bool shared, Env& env, Metrics& metrics) {
  if (place.starts_with("postgresql://")) {
    constexpr int kAsTheProduct = 3;  // `up` and `dispatch`, see app/foundation.cc
    return store::postgres::OpenPostgresStore({.dsn = place, .rehearsed = kAsTheProduct}, env, metrics);
  }
  std::filesystem::create_directories(place);
  return store::sqlite::OpenSqliteStore({.path = place + "/queue.db", .shared = shared}, env, metrics);
}

store::NewTask Sample() {
  store::NewTask task{.type = "bench"};
  task.params = {{"series", "nyc_taxi"}, {"window", 48}};
  return task;
}

/// Whether standard input has ended: the parent has told us to stop, or is gone.
bool InputEnded(std::chrono::milliseconds wait) {
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  if (::poll(&input, 1, static_cast<int>(wait.count())) <= 0) return false;
  char byte = 0;
  return ::read(STDIN_FILENO, &byte, 1) <= 0;
}

/// The program: one open store and what a command does with it.
class Bench {
 public:
  Bench(Env& env, Metrics& metrics, store::TaskStore& tasks, const Options& options)
      : env_(env), metrics_(metrics), tasks_(tasks), options_(options) {}

  Result<void> Enqueue() {
    SEEDCORE_ASSIGN_OR_RETURN(const auto rate, queue::MeasureSubmit(env_, tasks_, metrics_, options_.clients,
                                                                    {.tasks = options_.count, .time = 600s}, true));
    Print({{"count", rate.tasks}, {"seconds", rate.seconds}});
    return {};
  }

  Result<void> Fill() {
    SEEDCORE_ASSIGN_OR_RETURN(
        const auto rate,
        queue::MeasureSubmitBatches(env_, tasks_, metrics_, static_cast<std::size_t>(options_.batch), options_.count));
    Print({{"count", rate.tasks}, {"seconds", rate.seconds}});
    return {};
  }

  /// Open loop: a late submit does not put off the next one.
  Result<void> Pace() {
    const auto period = std::chrono::nanoseconds(static_cast<std::int64_t>(1e9 / options_.rate));
    const Instant start = env_.Now();
    std::atomic<std::int64_t> next{0};
    std::mutex mutex;  // guards failure
    Result<void> failure;
    std::vector<std::jthread> clients;
    for (int i = 0; i < options_.clients; ++i) {
      clients.emplace_back([&] {
        for (std::int64_t k = next++; k < options_.count; k = next++) {
          env_.SleepFor(start + k * period - env_.Now(), {});
          store::NewTask task = Sample();
          if (k >= options_.uncounted) task.params["sent_us"] = ToUnixMicros(env_.WallNow());
          const auto done = tasks_.Submit(std::span(&task, 1));
          if (done) continue;
          const std::scoped_lock lock(mutex);
          failure = std::unexpected(done.error());
        }
      });
    }
    clients.clear();  // joins
    Print({{"count", options_.count}, {"seconds", std::chrono::duration<double>(env_.Now() - start).count()}});
    return failure;
  }

  Result<void> Work() {
    Print({{"ready", true}});
    if (InputEnded(10min)) return {};  // the line that says go
    std::mutex mutex;                  // guards latencies
    json::array latencies;
    std::atomic<std::int64_t> executed{0};
    queue::ReaperSettings reaping;
    if (options_.retention.count() > 0) {
      reaping.batch = 1'000;
      reaping.keep_finished = std::chrono::hours(0);
      reaping.retention_period = options_.retention;
    }
    queue::Reaper reaper(env_, tasks_, metrics_, reaping);
    queue::Dispatcher dispatcher(
        env_, tasks_, metrics_,
        {.name = "bench", .concurrency = options_.batch, .claim_batch = options_.batch, .lease = options_.lease},
        [&](const store::Task& task, const CallContext& call) {
          if (const json::value* sent = task.params.if_contains("sent_us")) {
            const std::int64_t late = ToUnixMicros(env_.WallNow()) - sent->to_number<std::int64_t>();
            const std::scoped_lock lock(mutex);
            latencies.emplace_back(late);
          }
          if (options_.hang) {
            Print({{"started", task.id}});
            env_.SleepFor(std::chrono::hours(1), call.stop);
          }
          ++executed;
          return queue::TaskOutcome::Complete(nullptr);
        });
    std::int64_t told = 0;
    while (!InputEnded(20ms)) {
      const std::int64_t now = dispatcher.Status().completed;
      if (now != told) Print({{"done", told = now}});
    }
    dispatcher.Stop(env_.Now() + 5s);
    reaper.Stop();
    const queue::DispatcherStatus status = dispatcher.Status();
    Print({{"done", status.completed}, {"latency_us", std::move(latencies)}});
    if (!status.last_error.empty()) return Fail(ErrorCode::kInternal, status.last_error);
    return {};
  }

  Result<void> Claim() {
    json::array microseconds;
    for (std::int64_t i = 0; i < options_.count; ++i) {
      const Instant before = env_.Now();
      SEEDCORE_ASSIGN_OR_RETURN(
          const auto claims,
          tasks_.ClaimTasks({.owner_id = "bench", .limit = options_.batch, .lease = 30s, .types = {}}));
      microseconds.emplace_back(std::chrono::duration<double, std::micro>(env_.Now() - before).count());
      std::vector<store::Finish> finishes;
      for (const store::Claim& claim : claims) finishes.push_back({claim.lease(), store::Completed{}, {}});
      if (claims.empty()) return Fail(ErrorCode::kInternal, "the store has run out of tasks");
      SEEDCORE_RETURN_IF_ERROR(tasks_.FinishTasks(finishes));
    }
    Print({{"claim_us", std::move(microseconds)}});
    return {};
  }

  Result<void> Look() {
    const Instant start = env_.Now();
    for (std::int64_t i = 0; i < options_.count; ++i) {
      SEEDCORE_ASSIGN_OR_RETURN(
          const auto claims,
          tasks_.ClaimTasks({.owner_id = "bench", .limit = options_.batch, .lease = 30s, .types = {}}));
      if (!claims.empty()) return Fail(ErrorCode::kInternal, "there is something to claim");
      SEEDCORE_RETURN_IF_ERROR(tasks_.NextRunAfter());
    }
    Print({{"count", options_.count}, {"seconds", std::chrono::duration<double>(env_.Now() - start).count()}});
    return {};
  }

 private:
  Env& env_;
  Metrics& metrics_;
  store::TaskStore& tasks_;
  const Options options_;
};

Result<void> Run(const std::string& place, std::string_view command, std::span<char* const> arguments) {
  Env& env = RealEnv();
  Metrics metrics;
  SEEDCORE_ASSIGN_OR_RETURN(const Options options, ReadOptions(arguments));
  SEEDCORE_ASSIGN_OR_RETURN(const auto store, Open(place, options.shared, env, metrics));
  Bench bench(env, metrics, store->tasks(), options);
  if (command == "setup") return {};
  if (command == "enqueue") return bench.Enqueue();
  if (command == "fill") return bench.Fill();
  if (command == "pace") return bench.Pace();
  if (command == "work") return bench.Work();
  if (command == "claim") return bench.Claim();
  if (command == "look") return bench.Look();
  return Fail(ErrorCode::kInvalidArgument, "no such command", std::string(command));
}

}  // namespace
}  // namespace seedcore

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: seedcore_drain DIR|DSN setup|enqueue|fill|pace|work|claim|look [OPTIONS]\n");
    return 2;
  }
  seedcore::log::Configure(seedcore::log::Level::kWarning, seedcore::log::Format::kText);
  const auto done = seedcore::Run(argv[1], argv[2], std::span(argv + 3, argv + argc));
  if (!done) fmt::print(stderr, "{}\n", ToString(done.error()));
  return done ? 0 : 1;
}
