// What becomes of submits, claims and results when the connections to PostgreSQL are cut at any byte.
#include <map>
#include <mutex>
#include <thread>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/conformance.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"
#include "support/tcp_weather.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::seconds;

/// Submits until it is acknowledged: the key makes a repetition harmless.
std::string SubmitForSure(TaskStore& tasks, const std::string& key) {
  for (;;) {
    const auto answer =
        tasks.Submit(std::vector<NewTask>{{.type = "a", .retry = {.max_attempts = 100}, .idempotency_key = key}});
    if (answer) return answer->front().task.id;
    EXPECT_TRUE(IsRetryable(answer.error().code)) << ToString(answer.error());
  }
}

void ClaimAndFinish(TaskStore& tasks) {
  const auto claims = tasks.ClaimTasks({.owner_id = "w", .limit = 3});
  if (!claims) return;  // whatever it claimed comes back when the lease ends
  std::vector<Finish> finishes;
  for (const Claim& claim : *claims) finishes.push_back({claim.lease(), Completed{}, {}});
  // Repeated as a worker would: once stored, the repetition is refused, and that is fine.
  for (int tries = 0; tries < 3; ++tries) {
    const auto answers = tasks.FinishTasks(finishes);
    if (answers) return;
    EXPECT_TRUE(IsRetryable(answers.error().code)) << ToString(answers.error());
  }
}

TEST(PostgresCut, NothingIsLostOrDoneTwiceWhenConnectionsAreCut) {
  constexpr int kThreads = 4, kEach = 60;
  TestServer& server = TestServer::Shared();
  server.CreateDatabase("cut");
  SimEnv env;
  Metrics metrics;
  const auto direct = Must(OpenPostgresStore({.dsn = server.Dsn("cut")}, env, metrics));

  std::mutex mutex;
  std::map<std::string, std::string> acknowledged;  // id by key
  int cuts = 0;
  {
    test::TcpWeather proxy(server.port(), {.cut = 1.0 / 80}, 1);
    const std::string good = server.Dsn("cut");
    const std::string from = fmt::format(":{}/", server.port());
    std::string dsn = good;
    dsn.replace(dsn.find(from), from.size(), fmt::format(":{}/", proxy.port()));
    // The connection that opens the store may be cut as well.
    Result<std::unique_ptr<Store>> store = Fail(ErrorCode::kUnavailable, "not opened yet");
    while (!store) store = OpenPostgresStore({.dsn = dsn + "?sslmode=disable"}, env, metrics);
    {
      std::vector<std::jthread> threads;
      for (int t = 0; t < kThreads; ++t) {
        threads.emplace_back([&, t] {
          for (int i = 0; i < kEach; ++i) {
            const std::string key = fmt::format("{}-{}", t, i);
            const std::string id = SubmitForSure((*store)->tasks(), key);
            ClaimAndFinish((*store)->tasks());
            const std::scoped_lock lock(mutex);
            acknowledged.emplace(key, id);
          }
        });
      }
    }
    cuts = proxy.cuts();
    store->reset();
  }
  EXPECT_GT(cuts, 5) << "the test shows nothing";

  env.Advance(seconds(31));
  Must(direct->tasks().Reap(1000));
  for (;;) {
    const auto claims = Must(direct->tasks().ClaimTasks({.owner_id = "w", .limit = 100}));
    if (claims.empty()) break;
    for (const Claim& claim : claims) {
      Must(Must(direct->tasks().FinishTasks(std::vector<Finish>{{claim.lease(), Completed{}, {}}})).front());
    }
  }
  std::map<std::string, int> completions;
  for (const TaskEvent& event : Must(direct->tasks().EventsAfter(0, 1'000'000))) {
    completions[event.task_id] += event.kind == "completed" ? 1 : 0;
  }
  EXPECT_EQ(completions.size(), acknowledged.size()) << "each key is one task";
  for (const auto& [key, id] : acknowledged) EXPECT_EQ(completions[id], 1) << key;
}

}  // namespace
}  // namespace seedcore::store::postgres
