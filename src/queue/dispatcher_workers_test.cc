// Which of a dispatcher's threads claims and which executes, and how many there are.

#include <atomic>
#include <filesystem>
#include <functional>
#include <future>
#include <iterator>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "base/forwarding_env.h"
#include "queue/dispatcher.h"
#include "queue/test_world.h"

namespace seedcore::queue {
namespace {

using store::TaskStatus;

class DispatcherWorkers : public DispatcherWorld {};

/// Another Env, and which thread claims.
class ClaimingEnv : public ForwardingEnv {
 public:
  using ForwardingEnv::ForwardingEnv;

  Result<void> Fault(std::string_view site) override {
    if (site == "dispatcher.claim") claimer_ = std::this_thread::get_id();
    return ForwardingEnv::Fault(site);
  }
  [[nodiscard]] std::thread::id claimer() const { return claimer_; }

 private:
  std::atomic<std::thread::id> claimer_;
};

TEST_F(DispatcherWorkers, WhoeverClaimsATaskExecutesItAndWakesNobodyForIt) {
  ClaimingEnv claiming(env);
  std::atomic<int> by_claimer = 0;
  Dispatcher dispatcher(claiming, tasks(), metrics, {.concurrency = 1}, [&](const store::Task&, const CallContext&) {
    if (claiming.claimer() == std::this_thread::get_id()) ++by_claimer;
    return TaskOutcome::Complete(nullptr);
  });
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(Reaches(Submit(), TaskStatus::kCompleted));
  EXPECT_EQ(by_claimer, 5);
}

TEST_F(DispatcherWorkers, OthersClaimWhileTheOneThatClaimedExecutes) {
  Gate gate;
  std::mutex mutex;  // guards threads
  std::set<std::thread::id> threads;
  const auto executing = [&] {
    const std::scoped_lock lock(mutex);
    return threads.size();
  };
  auto dispatcher = Start(
      [&](const store::Task&, const CallContext& call) {
        {
          const std::scoped_lock lock(mutex);
          threads.insert(std::this_thread::get_id());
        }
        gate.Await(call.stop);
        return TaskOutcome::Complete(nullptr);
      },
      {.concurrency = 4});
  for (std::size_t i = 1; i <= 4; ++i) {
    Submit();
    ASSERT_TRUE(Eventually([&] { return executing() == i; }));
  }
  gate.Open();
  ASSERT_TRUE(Eventually([&] { return Count(TaskStatus::kCompleted) == 4; }));
}

TEST_F(DispatcherWorkers, StartsOnlyTheThreadsItNeeds) {
  std::mutex mutex;  // guards threads
  std::set<std::thread::id> threads;
  const auto running = [] {
    const std::filesystem::directory_iterator tasks("/proc/self/task");
    return std::distance(begin(tasks), end(tasks));
  };
  const auto before = running();
  auto dispatcher = Start(
      [&](const store::Task&, const CallContext&) {
        const std::scoped_lock lock(mutex);
        threads.insert(std::this_thread::get_id());
        return TaskOutcome::Complete(nullptr);
      },
      {.concurrency = 200});
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Reaches(Submit(), TaskStatus::kCompleted));
  EXPECT_LT(running() - before, 100) << "threads, of which a few keep leases and write results";
  EXPECT_LE(threads.size(), 11u);
}

TEST_F(DispatcherWorkers, ClaimsNoMoreThanItHasFreeWorkersFor) {
  Gate gate;
  std::atomic<int> running = 0;
  std::atomic<int> most = 0;
  auto dispatcher = Start(
      [&](const store::Task&, const CallContext& call) {
        const int now = ++running;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        gate.Await(call.stop);
        --running;
        return TaskOutcome::Complete(nullptr);
      },
      {.concurrency = 3});
  SubmitMany(20);
  ASSERT_TRUE(Eventually([&] { return running == 3; }));
  EXPECT_EQ(Count(TaskStatus::kRunning), 3);
  EXPECT_EQ(Count(TaskStatus::kQueued), 17);
  EXPECT_EQ(dispatcher->Status().inflight, 3);
  gate.Open();
  ASSERT_TRUE(Eventually([&] { return Count(TaskStatus::kCompleted) == 20; }));
  EXPECT_EQ(most, 3);
}

/// Another Env, which does something when a claim has come back and the dispatcher does not know its tasks yet.
class InterruptingEnv : public ClaimingEnv {
 public:
  InterruptingEnv(Env& env, std::function<void()> after_claim)
      : ClaimingEnv(env), after_claim_(std::move(after_claim)) {}

  Instant Now() override {
    if (claimer() != std::this_thread::get_id()) ++looks_;
    return ClaimingEnv::Now();
  }
  WallTime WallNow() override {
    if (claimer() == std::this_thread::get_id() && !done_.exchange(true)) after_claim_();
    return ClaimingEnv::WallNow();
  }
  /// At the clock, by other threads than the one that claims.
  [[nodiscard]] int looks() const { return looks_; }

 private:
  const std::function<void()> after_claim_;
  std::atomic<bool> done_{false};
  std::atomic<int> looks_{0};
};

TEST_F(DispatcherWorkers, ACancellationReachesATaskThatIsJustBeingClaimed) {
  const std::string id = Submit();
  std::promise<Dispatcher*> made;
  InterruptingEnv interrupting(env, [&] {
    Dispatcher* const dispatcher = made.get_future().get();
    EXPECT_EQ(Get(id).status, TaskStatus::kRunning);
    EXPECT_TRUE(tasks().Cancel(id));
    const int before = interrupting.looks();
    dispatcher->RenewNow();
    EXPECT_TRUE(Eventually([&] { return interrupting.looks() >= before + 3; })) << "the leases are being renewed";
  });
  // Its handler may be running by the time of the second renewal, or be still to begin: then it never does.
  Dispatcher dispatcher(interrupting, tasks(), metrics, {}, [&](const store::Task&, const CallContext& call) {
    Gate().Await(call.stop);
    return TaskOutcome::Fail({ErrorCode::kCancelled, "told to stop", {}});
  });
  made.set_value(&dispatcher);
  EXPECT_TRUE(Eventually([&] { return dispatcher.Status().cancelled == 1; }));
  EXPECT_TRUE(Eventually([&] { return dispatcher.Status().inflight == 0; }));
}

}  // namespace
}  // namespace seedcore::queue
