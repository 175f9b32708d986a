#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <ostream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/metrics.h"
#include "base/sim_env.h"
#include "store/store.h"

/// The suite every store must pass, for tests only. A store takes part with one line in a test of its own:
///
///     SEEDCORE_STORE_CONFORMANCE(Sqlite, [](const std::string& directory, Env& env, Metrics& metrics) { return
///     Open(...); });
///
/// The tests are in conformance_*_test.cc, linked into the same test program.
namespace seedcore::store {

/// Opens the store that belongs to `directory`, a fresh and empty one; the same directory again means the same store.
using StoreFactory =
    std::function<Result<std::unique_ptr<Store>>(const std::string& directory, Env& env, Metrics& metrics)>;

struct StoreUnderTest {
  std::string name;  ///< in the names of the tests
  StoreFactory open;

  friend std::ostream& operator<<(std::ostream& out, const StoreUnderTest& store) { return out << store.name; }
};

/// The value, or an exception that ends the test with the error's text.
template <class T>
T Must(Result<T> result) {
  if (!result) throw std::runtime_error(ToString(result.error()));
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

/// A folder of its own, removed at the end; in memory where the system has that, because every commit waits for its
/// disk.
class TempDirectory {
 public:
  TempDirectory() {
    const std::filesystem::path memory = "/dev/shm";
    path_ = (std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path()) /
            "seedcore-store-XXXXXX";
    if (mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary directory");
  }
  ~TempDirectory() { std::filesystem::remove_all(path_); }
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class StoreConformance : public testing::TestWithParam<StoreUnderTest> {
 protected:
  StoreConformance() { Reopen(); }

  void Reopen() {
    store_.reset();
    store_ = Must(GetParam().open(directory_.path(), env_, metrics_));
  }

  Store& store() { return *store_; }
  TaskStore& tasks() { return store_->tasks(); }
  QueueStore& queues() { return store_->queues(); }
  ScheduleStore& schedules() { return store_->schedules(); }
  RuleStore& rules() { return store_->rules(); }
  void Advance(std::chrono::nanoseconds duration) { env_.Advance(duration); }

  Task Submit(NewTask task) {
    auto results = Must(tasks().Submit(std::vector<NewTask>{std::move(task)}));
    return std::move(results.front().task);
  }
  Task SubmitOfType(std::string type) { return Submit({.type = std::move(type)}); }
  std::vector<Claim> ClaimUpTo(int limit, std::string owner = "worker") {
    return Must(tasks().ClaimTasks({.owner_id = std::move(owner), .limit = limit}));
  }
  /// Claims exactly one; the test fails when there is none.
  Claim ClaimOne(std::string owner = "worker") {
    auto claims = ClaimUpTo(1, std::move(owner));
    if (claims.size() != 1) throw std::runtime_error("expected a task to claim");
    return std::move(claims.front());
  }
  template <class Outcome>
  Result<void> End(const Claim& claim, Outcome outcome, Effects effects = {}) {
    return EndLease(claim.lease(), std::move(outcome), std::move(effects));
  }
  template <class Outcome>
  Result<void> EndLease(const Lease& lease, Outcome outcome, Effects effects = {}) {
    const std::vector<Finish> finishes{{lease, std::move(outcome), std::move(effects)}};
    return Must(tasks().FinishTasks(finishes)).front();
  }
  Task Get(const std::string& id) { return Must(tasks().Get(id)); }
  std::vector<std::string> EventKinds(const std::string& task_id) {
    std::vector<std::string> kinds;
    for (const TaskEvent& event : Must(tasks().Events(task_id))) kinds.push_back(event.kind);
    return kinds;
  }
  std::int64_t Count(TaskStatus status) { return Must(tasks().Counts()).by_status[status]; }
  double LeaseLostCount() { return metrics_.GetCounter("seedcore_lease_lost_total", "").Value(); }

  TempDirectory directory_;
  SimEnv env_;
  Metrics metrics_;
  std::unique_ptr<Store> store_;
};

inline Error WorkFailed() { return {ErrorCode::kUnavailable, "the work failed", {}}; }

/// The part of the suite about the graph, whose nodes are what the rest of the store keeps.
class GraphConformance : public StoreConformance {};
/// The part about what the look of the retention forgets beside tasks.
class RetentionConformance : public StoreConformance {};

/// The code of an error that must be there.
template <class T>
ErrorCode CodeOf(const Result<T>& result) {
  if (result) throw std::runtime_error("expected an error");
  return result.error().code;
}

}  // namespace seedcore::store

#define SEEDCORE_STORE_CONFORMANCE(name, ...)                                               \
  const ::seedcore::store::StoreUnderTest& name##UnderTest() {                              \
    static const ::seedcore::store::StoreUnderTest store{#name, __VA_ARGS__};               \
    return store;                                                                           \
  }                                                                                         \
  INSTANTIATE_TEST_SUITE_P(name, StoreConformance, testing::Values(name##UnderTest()));     \
  INSTANTIATE_TEST_SUITE_P(name, RetentionConformance, testing::Values(name##UnderTest())); \
  INSTANTIATE_TEST_SUITE_P(name, GraphConformance, testing::Values(name##UnderTest()))

/// For a store that keeps tasks alone: the graph is read out of everything that a store keeps.
#define SEEDCORE_TASK_STORE_CONFORMANCE(name, ...)                     \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(GraphConformance);     \
  GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(RetentionConformance); \
  INSTANTIATE_TEST_SUITE_P(name, StoreConformance,                     \
                           testing::Values(::seedcore::store::StoreUnderTest{#name, __VA_ARGS__}))
