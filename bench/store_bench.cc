// How fast the store is: durable submits from many threads, claim and finish in batches, and whether a claim stays flat
// with millions of rows. Usage: store_bench [DIRECTORY] [QUEUED FINISHED]
#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "base/log.h"
#include "store/sqlite/database.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::store {
namespace {

using Seconds = std::chrono::duration<double>;

template <class T>
T Must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "{}\n", ToString(result.error()));
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

NewTask SampleTask() {
  NewTask task{.type = "general_query", .description = "what is the average of the last 48 readings?"};
  task.params = {{"series", "nyc_taxi"}, {"window", 48}, {"threshold", 0.75}, {"tags", json::array{"demo", "bench"}}};
  return task;
}

std::unique_ptr<Store> Open(const std::string& path, Metrics& metrics) {
  return Must(sqlite::OpenSqliteStore({.path = path}, RealEnv(), metrics));
}

/// Time per call in microseconds at the given share of the sorted samples.
double Percentile(std::vector<double>& samples, double share) {
  std::ranges::sort(samples);
  return samples[static_cast<std::size_t>(share * static_cast<double>(samples.size() - 1))] * 1e6;
}

void BenchSubmit(Store& store, int threads, int per_thread, std::size_t batch) {
  std::vector<std::vector<double>> samples(static_cast<std::size_t>(threads));
  const Instant start = RealEnv().Now();
  {
    std::vector<std::jthread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&, t] {
        const std::vector<NewTask> tasks(batch, SampleTask());
        for (int i = 0; i < per_thread; ++i) {
          const Instant before = RealEnv().Now();
          Must(store.tasks().Submit(tasks));
          samples[static_cast<std::size_t>(t)].push_back(Seconds(RealEnv().Now() - before).count());
        }
      });
    }
  }
  const double seconds = Seconds(RealEnv().Now() - start).count();
  std::vector<double> all;
  for (const auto& part : samples) all.insert(all.end(), part.begin(), part.end());
  const double total = threads * per_thread * static_cast<double>(batch);
  fmt::print("submit, {:2} threads, {:3} per call: {:8.0f} tasks/s, p50 {:6.0f} us, p99 {:6.0f} us\n", threads, batch,
             total / seconds, Percentile(all, 0.5), Percentile(all, 0.99));
}

void BenchClaimFinish(Store& store, int threads, int batch, int tasks) {
  std::atomic<int> done = 0;
  const Instant start = RealEnv().Now();
  {
    std::vector<std::jthread> workers;
    for (int t = 0; t < threads; ++t) {
      workers.emplace_back([&, t] {
        while (done < tasks) {
          const auto claims = Must(store.tasks().ClaimTasks({.owner_id = fmt::format("worker-{}", t), .limit = batch}));
          if (claims.empty()) return;
          std::vector<Finish> finishes;
          finishes.reserve(claims.size());
          for (const Claim& claim : claims) {
            finishes.push_back({claim.lease(), Completed{{{"success", true}, {"answer", 42}}}, {}});
          }
          for (const auto& finished : Must(store.tasks().FinishTasks(finishes))) Must(finished);
          done += static_cast<int>(claims.size());
        }
      });
    }
  }
  const double seconds = Seconds(RealEnv().Now() - start).count();
  fmt::print("claim+finish, {:2} workers, batch {:2}: {:8.0f} tasks/s\n", threads, batch, done / seconds);
}

/// Claims one batch at a time and hands it back; median and p99 per claim call of `batch`.
double BenchClaimAlone(Store& store, int batch, int rounds, const char* what) {
  std::vector<double> samples;
  for (int i = 0; i < rounds; ++i) {
    const Instant before = RealEnv().Now();
    const auto claims = Must(store.tasks().ClaimTasks({.owner_id = "worker", .limit = batch}));
    samples.push_back(Seconds(RealEnv().Now() - before).count());
    std::vector<Finish> finishes;
    for (const Claim& claim : claims) finishes.push_back({claim.lease(), Completed{}, {}});
    Must(store.tasks().FinishTasks(finishes));
  }
  const double median = Percentile(samples, 0.5);
  fmt::print("claim of {}, {}: p50 {:6.0f} us, p99 {:6.0f} us\n", batch, what, median, Percentile(samples, 0.99));
  return median;
}

/// Rows as the store would have written them, in one statement per table: millions in a minute.
void Fill(const std::string& path, std::int64_t finished, std::int64_t queued) {
  sqlite::Database database =
      Must(sqlite::Database::Open(path, sqlite::OpenMode::kReadWriteCreate, std::chrono::seconds(5)));
  const auto run = [&](const std::string& sql) { Must(database.ExecuteScript(sql.c_str())); };
  run("PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; BEGIN");
  run(fmt::format(
      "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {0}) "
      "INSERT INTO tasks (id, type, domain, status, runnable, priority, max_attempts, retry_base_ms, retry_max_ms, "
      "drift_score, created_at, updated_at, attempts, fencing_token, finished_at) "
      "SELECT printf('0190%04x-%04x-7%03x-8000-%012x', i >> 16, i & 65535, i & 4095, i), 'general_query', '', "
      "iif(i <= {1}, 'completed', 'queued'), iif(i <= {1}, 0, 1), 5, 3, 10000, 300000, 0.0, i, i, i <= {1}, i <= {1}, "
      "iif(i <= {1}, i, NULL) FROM n",
      finished + queued, finished));
  run("INSERT INTO task_payload (seq, description, params) SELECT seq, 'what is the average of the last 48 readings?', "
      "'{\"series\":\"nyc_taxi\",\"window\":48,\"threshold\":0.75,\"tags\":[\"demo\",\"bench\"]}' FROM tasks");
  run("INSERT INTO task_result (seq, result) SELECT seq, '{\"success\":true,\"answer\":42}' FROM tasks "
      "WHERE status = 'completed'");
  for (const char* kind : {"submitted", "claimed", "completed"}) {
    run(
        fmt::format("INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token) "
                    "SELECT seq, created_at, '{0}', status, attempts, fencing_token FROM tasks "
                    "WHERE status = 'completed' OR '{0}' = 'submitted'",
                    kind));
  }
  run("UPDATE task_count SET n = (SELECT count(*) FROM tasks t WHERE t.status = task_count.status); COMMIT");
}

void Run(const std::string& directory, std::int64_t queued, std::int64_t finished) {
  std::filesystem::create_directories(directory);
  const std::string small = directory + "/small.db";
  const std::string large = directory + "/large.db";
  Metrics metrics;
  double empty_claim = 0.0;
  {
    const auto store = Open(small, metrics);
    BenchSubmit(*store, 1, 300, 1);
    BenchSubmit(*store, 32, 1500, 1);
    BenchSubmit(*store, 8, 50, 100);
    BenchClaimFinish(*store, 1, 32, 30'000);
    BenchClaimFinish(*store, 4, 32, 30'000);
    BenchSubmit(*store, 8, 50, 200);
    BenchClaimFinish(*store, 8, 32, 60'000);
    BenchSubmit(*store, 4, 100, 32);
    empty_claim = BenchClaimAlone(*store, 32, 300, "small store");
  }
  if (queued + finished == 0) return;
  {
    Open(large, metrics);
  }
  const Instant start = RealEnv().Now();
  Fill(large, finished, queued);
  fmt::print("filled {} queued and {} finished rows in {:.0f} s, {:.1f} GB\n", queued, finished,
             Seconds(RealEnv().Now() - start).count(), static_cast<double>(std::filesystem::file_size(large)) / 1e9);
  const Instant opening = RealEnv().Now();
  const auto store = Open(large, metrics);
  fmt::print("open of the large store: {:.0f} ms\n", Seconds(RealEnv().Now() - opening).count() * 1e3);
  const double full_claim = BenchClaimAlone(*store, 32, 300, "large store");
  fmt::print("large / small: {:.2f}\n", full_claim / empty_claim);
  BenchClaimFinish(*store, 4, 32, 30'000);
  BenchSubmit(*store, 32, 500, 1);
  const Instant counting = RealEnv().Now();
  Must(store->tasks().Counts());
  fmt::print("counts of the large store: {:.2f} ms\n", Seconds(RealEnv().Now() - counting).count() * 1e3);
}

}  // namespace
}  // namespace seedcore::store

int main(int argc, char** argv) {
  seedcore::log::Configure(seedcore::log::Level::kWarning, seedcore::log::Format::kText);
  std::string directory = argc > 1 ? argv[1] : std::filesystem::temp_directory_path() / "seedcore-store-bench-XXXXXX";
  if (argc <= 1 && mkdtemp(directory.data()) == nullptr) return 1;
  const std::int64_t queued = argc > 3 ? std::atoll(argv[2]) : 0;
  const std::int64_t finished = argc > 3 ? std::atoll(argv[3]) : 0;
  seedcore::store::Run(directory, queued, finished);
  std::filesystem::remove_all(directory);
  return 0;
}
