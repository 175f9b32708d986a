#pragma once

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/env.h"
#include "base/metrics.h"
#include "queue/dispatcher.h"
#include "queue/reaper.h"
#include "store/check.h"
#include "store/location.h"
#include "store/postgres/postgres_store.h"
#include "support/history.h"

/// Clients of a PostgreSQL server that is in trouble, and what is looked at when it is over.
namespace seedcore::test {

using namespace std::chrono_literals;

[[noreturn]] inline void Die(std::string_view who, std::string_view what) {
  fmt::print(stderr, "{}: {}\n", who, what);
  std::exit(2);
}

/// One process's worth of store, dispatcher and reaper, and a submitter.
class Client {
 public:
  /// `padding`: bytes in the params of each task.
  Client(const std::string& dsn, int number, int tasks, std::size_t padding = 0) : number_(number), padding_(padding) {
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

  /// After the batch under way.
  void StopSubmitting() { enough_ = true; }
  [[nodiscard]] bool HasSubmitted() const { return submitted_; }
  [[nodiscard]] store::TaskStore& tasks() { return store_->tasks(); }
  [[nodiscard]] int refused() const { return refused_; }
  [[nodiscard]] std::int64_t late() const { return dispatcher_->Status().lease_lost; }
  [[nodiscard]] std::int64_t completed() const { return dispatcher_->Status().completed; }
  /// Why submits were refused, each message once; forgotten by the call.
  std::set<std::string> TakeRefusals() {
    const std::scoped_lock lock(mutex_);
    return std::exchange(refusals_, {});
  }
  std::set<std::string> Acknowledged() {
    submitter_.join();
    return std::move(acknowledged_);
  }

 private:
  static constexpr int kBatch = 5;
  static constexpr auto kPause = 40ms;  ///< between two batches: three clients bring some 300 tasks a second

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
      if (enough_) break;
      std::vector<store::NewTask> batch;
      for (int i = first; i < std::min(first + kBatch, count); ++i) {
        store::NewTask task{.type = "work", .retry = {.max_attempts = 100, .base = 5ms, .max = 50ms}};
        task.params = {{"n", i}, {"fails", i % 16 == 0}};
        if (padding_ > 0) task.params["padding"] = Padding();
        task.idempotency_key = fmt::format("{}-{}", number_, i);
        batch.push_back(std::move(task));
      }
      for (;;) {
        const auto results = store_->tasks().Submit(batch);
        if (results) {
          for (const store::SubmitResult& result : *results) acknowledged_.insert(result.task.id);
          break;
        }
        if (!IsRetryable(results.error().code)) Die("submit", ToString(results.error()));
        ++refused_;
        {
          const std::scoped_lock lock(mutex_);
          refusals_.insert(results.error().message);
        }
        env_.SleepFor(5ms, {});
      }
      // A load that lasts through many restarts.
      env_.SleepFor(kPause, {});
    }
    submitted_ = true;
  }

  /// Nothing that compression would make smaller.
  std::string Padding() {
    std::string out;
    while (out.size() < padding_) out += fmt::format("{:016x}", env_.Random());
    return out;
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
  const std::size_t padding_;
  Metrics metrics_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<queue::Reaper> reaper_;
  std::unique_ptr<queue::Dispatcher> dispatcher_;
  std::set<std::string> acknowledged_;  // the submitter's until it has ended
  std::mutex mutex_;                    // guards refusals_
  std::set<std::string> refusals_;
  std::atomic<int> refused_ = 0;
  std::atomic<bool> enough_ = false;
  std::atomic<bool> submitted_ = false;
  std::jthread submitter_;
};

[[nodiscard]] inline std::int64_t OpenTasks(store::TaskStore& tasks) {
  const auto counts = tasks.Counts();
  if (!counts) return 1;  // not known now
  std::int64_t open = 0;
  for (const auto& [status, count] : counts->by_status) {
    if (!store::IsTerminal(status)) open += count;
  }
  return open;
}

struct Verdict {
  HistoryReport report;
  std::size_t events = 0;
};

/// The history of each task, and the invariants of the store; both into the violations.
[[nodiscard]] inline Verdict Verify(std::string_view who, const std::string& dsn,
                                    const std::set<std::string>& acknowledged) {
  Env& env = RealEnv();
  Metrics metrics;
  const auto store = store::postgres::OpenPostgresStore({.dsn = dsn}, env, metrics);
  if (!store) Die(who, "open: " + ToString(store.error()));
  const auto events = ReadHistory((*store)->tasks());
  if (!events) Die(who, "events: " + ToString(events.error()));
  Verdict verdict{CheckHistory(*events, acknowledged, {.max_executions = 100}), events->size()};
  const auto tables = store::OpenTables(dsn, store::TablesUse::kInspect, env);
  if (!tables) Die(who, "check: " + ToString(tables.error()));
  const auto check = store::CheckStore(**tables);
  if (!check) Die(who, "check: " + ToString(check.error()));
  for (const store::Finding& finding : check->findings) {
    verdict.report.violations.push_back(fmt::format("{}: {} rows, {}", finding.rule, finding.count, finding.example));
  }
  return verdict;
}

}  // namespace seedcore::test
