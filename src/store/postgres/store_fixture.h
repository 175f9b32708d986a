#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/check.h"
#include "store/conformance.h"
#include "store/location.h"
#include "store/postgres/connection.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"

/// For tests that look into the database behind a store, or speak to it as an application does.
namespace seedcore::store::postgres {

/// An empty database of its own.
class PostgresStore : public testing::Test {
 protected:
  PostgresStore() {
    static int made = 0;
    database_ = fmt::format("own_{}", ++made);
    server_.CreateDatabase(database_);
  }

  PostgresSettings Settings() const { return {.dsn = server_.Dsn(database_), .writers = 4, .readers = 2}; }
  Result<std::unique_ptr<Store>> Open() { return Open(Settings()); }
  Result<std::unique_ptr<Store>> Open(const PostgresSettings& settings) {
    auto store = OpenPostgresStore(settings, env_, metrics_);
    EXPECT_THAT(store ? "" : ToString(store.error()), testing::Not(testing::HasSubstr("s3cret")));
    return store;
  }
  std::unique_ptr<Connection> Connect() { return Must(Connection::Open({.dsn = server_.Dsn(database_), .setup = {}})); }
  std::int64_t QueryInt(const std::string& sql) { return Must(Connect()->RunOnce(sql, {})).Int(0, 0); }
  /// Whether anybody waits for a lock, as `watcher` sees it.
  static bool SomebodyWaits(Connection& watcher) {
    return Must(watcher.RunOnce("SELECT count(*) FROM pg_locks WHERE NOT granted", {})).Int(0, 0) > 0;
  }
  /// Until somebody does.
  void AwaitAWaiter() {
    const auto watcher = Connect();
    while (!SomebodyWaits(*watcher)) continue;
  }
  std::int64_t Count(const std::string& table) { return QueryInt("SELECT count(*) FROM " + table); }

  TestServer& server_ = TestServer::Shared();
  std::string database_;
  SimEnv env_;
  Metrics metrics_;
};

/// The same with an open store, and what tests do with its tasks.
class PostgresTasks : public PostgresStore {
 protected:
  PostgresTasks() : store_(Must(Open())) {}

  TaskStore& tasks() { return store_->tasks(); }
  std::vector<std::string> Submit(int n, const NewTask& task = {.type = "a"}) {
    std::vector<std::string> ids;
    for (const SubmitResult& result : Must(tasks().Submit(std::vector<NewTask>(static_cast<std::size_t>(n), task)))) {
      ids.push_back(result.task.id);
    }
    return ids;
  }
  std::vector<Claim> ClaimSome(int n, const std::string& owner = "w",
                               std::chrono::seconds lease = std::chrono::seconds(30)) {
    return Must(tasks().ClaimTasks({.owner_id = owner, .limit = n, .lease = lease}));
  }
  void FinishAll(const std::vector<Claim>& claims, const decltype(Finish::outcome)& outcome = Completed{}) {
    std::vector<Finish> finishes;
    for (const Claim& claim : claims) finishes.push_back({.lease = claim.lease(), .outcome = outcome, .effects = {}});
    for (const Result<void>& answer : Must(tasks().FinishTasks(finishes))) EXPECT_TRUE(answer);
  }

  std::unique_ptr<Store> store_;
};

/// The same, for tests that end with a store in which every rule holds.
class CheckedPostgresTasks : public PostgresTasks {
 protected:
  ~CheckedPostgresTasks() override {
    const auto tables = Must(OpenTables(server_.Dsn(database_), TablesUse::kInspect, env_));
    for (const Finding& finding : Must(CheckStore(*tables)).findings) ADD_FAILURE() << finding.rule;
  }
};

inline std::string SubmitOne(Store& store, NewTask task) {
  return Must(store.tasks().Submit(std::vector<NewTask>{std::move(task)})).front().task.id;
}

}  // namespace seedcore::store::postgres
