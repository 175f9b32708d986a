#include "organism/population.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

#include "base/sim_env.h"

namespace seedcore::organism {
namespace {

class PopulationTest : public testing::Test {
 protected:
  PopulationTest() {
    EXPECT_TRUE(population.AddOrgan("organ", "Utility"));
    population.AddAgent("organ_agent_0", "organ", 1);
    population.AddAgent("organ_agent_1", "organ", 1);
  }
  static Experience Work(bool success) {
    return {.type = "execute",
            .domain = "",
            .description = "some work",
            .success = success,
            .quality = success ? 1.0 : 0.0,
            .mem_hits = 1,
            .latency_ms = 1.0,
            .at = WallTime{}};
  }
  Population::Slot MustAcquire(const TaskSpec& task = {}) {
    auto slot = population.Acquire("organ", task, call);
    EXPECT_TRUE(slot) << ToString(slot.error());
    return slot.value_or(Population::Slot{});
  }

  SimEnv env;
  CallContext call;
  Population population{env, 1};
};

TEST_F(PopulationTest, ATieGoesToTheFirstAgent) { EXPECT_EQ(MustAcquire().agent->id, "organ_agent_0"); }

TEST_F(PopulationTest, TheAgentThatHasProvedItselfIsSelected) {
  const auto first = MustAcquire();
  const auto second = MustAcquire();
  ASSERT_EQ(second.agent->id, "organ_agent_1");
  (void)population.Finish(first, Work(false));
  (void)population.Finish(second, Work(true));
  const auto next = MustAcquire();
  EXPECT_EQ(next.agent->id, "organ_agent_1");
  EXPECT_EQ(next.candidates, 2);
  EXPECT_EQ(MustAcquire().agent->id, "organ_agent_0");  // the better one is busy
}

TEST_F(PopulationTest, ARequestedAgentIsUsedOrNamedAsUnknown) {
  EXPECT_EQ(MustAcquire({.agent_id = "organ_agent_1"}).agent->id, "organ_agent_1");
  const auto unknown = population.Acquire("organ", {.agent_id = "nobody"}, call);
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
}

TEST_F(PopulationTest, AnUnknownOrganIsAnErrorThatNamesTheKnownOnes) {
  const auto slot = population.Acquire("orgn", {}, call);
  ASSERT_FALSE(slot);
  EXPECT_EQ(slot.error().message, "no organ called 'orgn'; organs: organ");
}

TEST_F(PopulationTest, NobodyCapableEnoughIsSaidAtOnce) {
  const auto slot = population.Acquire("organ", {.required_capability = 0.9}, call);
  ASSERT_FALSE(slot);
  EXPECT_EQ(slot.error().code, ErrorCode::kUnavailable);
}

TEST_F(PopulationTest, TheMeasuredChangesAddUpToTheChangeOfTheWhole) {
  const double start = population.Energy().total;
  double sum = 0.0;
  for (int i = 0; i < 20; ++i) {
    const auto a = MustAcquire();
    const auto b = MustAcquire();
    const auto b_done = population.Finish(b, Work(i % 3 != 0));
    const auto a_done = population.Finish(a, Work(i % 2 == 0));
    sum += (a_done.after.total - a_done.before.total) + (b_done.after.total - b_done.before.total);
  }
  EXPECT_NE(sum, 0.0);
  EXPECT_NEAR(population.Energy().total - start, sum, 1e-12);
}

TEST_F(PopulationTest, AReleasedAgentHasLearnedNothing) {
  const auto accounted = population.Release(MustAcquire());
  EXPECT_EQ(accounted.state.tasks_processed, 0);
  EXPECT_EQ(accounted.before.total, accounted.after.total);
}

TEST_F(PopulationTest, ATaskWaitsForAFreeAgent) {
  const auto first = MustAcquire();
  const auto second = MustAcquire();
  std::string got;
  std::jthread waiter([&] { got = MustAcquire().agent->id; });
  env.AwaitWaiters(1);
  (void)population.Finish(second, Work(true));
  waiter.join();
  EXPECT_EQ(got, "organ_agent_1");
}

TEST_F(PopulationTest, WaitingEndsWithTheDeadline) {
  const auto first = MustAcquire();
  const auto second = MustAcquire();
  ErrorCode code{};
  std::jthread waiter(
      [&] { code = population.Acquire("organ", {}, call.Within(std::chrono::seconds(5), env)).error().code; });
  env.AwaitWaiters(1);
  env.Advance(std::chrono::seconds(5));
  waiter.join();
  EXPECT_EQ(code, ErrorCode::kResourceExhausted);
}

TEST_F(PopulationTest, WaitingEndsWithCancellation) {
  const auto first = MustAcquire();
  const auto second = MustAcquire();
  std::stop_source stop;
  ErrorCode code{};
  std::jthread waiter([&] {
    CallContext cancellable = call;
    cancellable.stop = stop.get_token();
    code = population.Acquire("organ", {}, cancellable).error().code;
  });
  env.AwaitWaiters(1);
  stop.request_stop();
  waiter.join();
  EXPECT_EQ(code, ErrorCode::kCancelled);
}

TEST_F(PopulationTest, OnlySoManyMayWait) {
  const auto first = MustAcquire();
  const auto second = MustAcquire();
  std::jthread waiter([&] { (void)MustAcquire(); });
  env.AwaitWaiters(1);
  const auto refused = population.Acquire("organ", {}, call);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  (void)population.Release(first);
}

TEST_F(PopulationTest, AnAgentThatMovesFinishesItsWorkAndKeepsItsState) {
  ASSERT_TRUE(population.AddOrgan("other", "Utility"));
  const auto slot = MustAcquire();
  population.Rearrange({{"organ_agent_0", "other"}}, {});
  (void)population.Finish(slot, Work(true));
  const auto agents = population.Agents();
  EXPECT_EQ(agents[0].organ_id, "other");
  EXPECT_EQ(agents[0].state.tasks_processed, 1);
  EXPECT_EQ(agents[0].running, 0);
  EXPECT_EQ(population.Organ("organ")->agent_ids, std::vector<std::string>{"organ_agent_1"});
}

TEST_F(PopulationTest, ManyThreadsNeverRunMoreThanTheAgentsCan) {
  Population busy(env, 64);
  ASSERT_TRUE(busy.AddOrgan("o", "Utility"));
  for (int i = 0; i < 3; ++i) busy.AddAgent(fmt::format("a{}", i), "o", 2);
  constexpr int kThreads = 8;
  constexpr int kRounds = 200;
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < kThreads; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < kRounds; ++i) {
          const auto slot = busy.Acquire("o", {}, call);
          ASSERT_TRUE(slot);
          const int now = ++running;
          for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
          }
          --running;
          (void)busy.Finish(*slot, Work(i % 4 != 0));
        }
      });
    }
  }
  EXPECT_LE(most, 6);
  std::int64_t processed = 0;
  for (const auto& agent : busy.Agents()) {
    EXPECT_EQ(agent.running, 0);
    processed += agent.state.tasks_processed;
  }
  EXPECT_EQ(processed, kThreads * kRounds);
}

}  // namespace
}  // namespace seedcore::organism
