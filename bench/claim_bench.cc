// Whether a claim stays as fast as the tables grow: claims of 32 from a store with only the tasks to claim, and from
// one with QUEUED more of them behind and FINISHED rows of history, in turns. The last line is JSON.
//
//   claim_bench DIR QUEUED FINISHED

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/json.h"
#include "base/log.h"
#include "store/sqlite/database.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::store {
namespace {

constexpr int kBatch = 32;
constexpr int kRounds = 300;

using Milliseconds = std::chrono::duration<double, std::milli>;
using Microseconds = std::chrono::duration<double, std::micro>;

/// Rows as the store would have written them, in one statement per table: millions in a minute.
Result<void> Fill(const std::string& path, std::int64_t queued, std::int64_t finished) {
  SEEDCORE_ASSIGN_OR_RETURN(sqlite::Database database,
                            sqlite::Database::Open(path, sqlite::OpenMode::kReadWriteCreate, std::chrono::seconds(5)));
  std::vector<std::string> statements{
      "PRAGMA synchronous = OFF; PRAGMA cache_size = -400000; BEGIN",
      fmt::format("WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {0}) "
                  "INSERT INTO tasks (id, type, domain, status, runnable, priority, max_attempts, retry_base_ms, "
                  "retry_max_ms, drift_score, created_at, updated_at, attempts, fencing_token, finished_at) "
                  "SELECT printf('0190%04x-%04x-7%03x-8000-%012x', i >> 16, i & 65535, i & 4095, i), 'general_query', "
                  "'', iif(i <= {1}, 'completed', 'queued'), iif(i <= {1}, 0, 1), 5, 3, 10000, 300000, 0.0, i, i, "
                  "i <= {1}, i <= {1}, iif(i <= {1}, i, NULL) FROM n",
                  finished + queued, finished),
      "INSERT INTO task_payload (seq, description, params) SELECT seq, 'what is the average of the last 48 "
      "readings?', '{\"series\":\"nyc_taxi\",\"window\":48,\"threshold\":0.75,\"tags\":[\"demo\",\"bench\"]}' FROM "
      "tasks",
      "INSERT INTO task_result (seq, result) SELECT seq, '{\"success\":true,\"answer\":42}' FROM tasks "
      "WHERE status = 'completed'"};
  for (const char* kind : {"submitted", "claimed", "completed"}) {
    statements.push_back(
        fmt::format("INSERT INTO task_event (task_seq, at, kind, status, attempt, fencing_token) "
                    "SELECT seq, created_at, '{0}', status, attempts, fencing_token FROM tasks "
                    "WHERE status = 'completed' OR '{0}' = 'submitted'",
                    kind));
  }
  statements.emplace_back(
      "UPDATE task_count SET n = (SELECT count(*) FROM tasks t WHERE t.status = task_count.status); COMMIT");
  for (const std::string& statement : statements) SEEDCORE_RETURN_IF_ERROR(database.ExecuteScript(statement.c_str()));
  return {};
}

/// A store with that many rows. Small ones are filled the same way, so that the claimed rows are alike.
Result<std::unique_ptr<Store>> MakeStore(const std::string& path, Metrics& metrics, std::int64_t queued,
                                         std::int64_t finished) {
  SEEDCORE_RETURN_IF_ERROR(sqlite::OpenSqliteStore({.path = path}, RealEnv(), metrics));  // creates the tables
  const Instant start = RealEnv().Now();
  SEEDCORE_RETURN_IF_ERROR(Fill(path, queued, finished));
  fmt::print("filled {} queued and {} finished rows in {:.1f} s, {:.2f} GB\n", queued, finished,
             Milliseconds(RealEnv().Now() - start).count() / 1e3,
             static_cast<double>(std::filesystem::file_size(path)) / 1e9);
  return sqlite::OpenSqliteStore({.path = path}, RealEnv(), metrics);
}

/// Microseconds of one claim, which is then finished outside of the measurement.
Result<double> ClaimOnce(Store& store) {
  const Instant before = RealEnv().Now();
  SEEDCORE_ASSIGN_OR_RETURN(const auto claims,
                            store.tasks().ClaimTasks({.owner_id = "worker", .limit = kBatch, .types = {}}));
  const double took = Microseconds(RealEnv().Now() - before).count();
  if (claims.size() != kBatch) return Fail(ErrorCode::kInternal, "the store has run out of tasks");
  std::vector<Finish> finishes;
  for (const Claim& claim : claims) finishes.push_back({claim.lease(), Completed{}, {}});
  SEEDCORE_RETURN_IF_ERROR(store.tasks().FinishTasks(finishes));
  return took;
}

Result<void> Run(const std::string& directory, std::int64_t queued, std::int64_t finished) {
  constexpr std::int64_t kClaimed = std::int64_t{kBatch} * kRounds;
  Metrics metrics;
  SEEDCORE_ASSIGN_OR_RETURN(const auto small, MakeStore(directory + "/small.db", metrics, kClaimed, 0));
  SEEDCORE_ASSIGN_OR_RETURN(const auto large, MakeStore(directory + "/large.db", metrics, kClaimed + queued, finished));
  std::vector<double> small_us;
  std::vector<double> large_us;
  for (int i = 0; i < kRounds; ++i) {
    SEEDCORE_ASSIGN_OR_RETURN(small_us.emplace_back(), ClaimOnce(*small));
    SEEDCORE_ASSIGN_OR_RETURN(large_us.emplace_back(), ClaimOnce(*large));
  }
  std::ranges::sort(small_us);
  std::ranges::sort(large_us);
  const json::object figures{{"claim_small_us", small_us[kRounds / 2]},
                             {"claim_large_us", large_us[kRounds / 2]},
                             {"claim_small_p99_us", small_us[kRounds * 99 / 100]},
                             {"claim_large_p99_us", large_us[kRounds * 99 / 100]},
                             {"claim_ratio", large_us[kRounds / 2] / small_us[kRounds / 2]}};
  fmt::print("{}\n", WriteJson(figures));
  return {};
}

}  // namespace
}  // namespace seedcore::store

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: claim_bench DIR QUEUED FINISHED\n");
    return 2;
  }
  seedcore::log::Configure(seedcore::log::Level::kWarning, seedcore::log::Format::kText);
  std::filesystem::create_directories(argv[1]);
  const auto done = seedcore::store::Run(argv[1], std::atoll(argv[2]), std::atoll(argv[3]));
  if (!done) fmt::print(stderr, "{}\n", ToString(done.error()));
  return done ? 0 : 1;
}
