// Claims that wait for a commit that was announced to them (schema/claims.cc).

#include <atomic>
#include <chrono>
#include <cstdint>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/conformance.h"
#include "store/postgres/notice.h"
#include "store/postgres/store_fixture.h"

namespace seedcore::store::postgres {
namespace {

using testing::IsEmpty;
using testing::SizeIs;

class Announced : public CheckedPostgresTasks {
 protected:
  /// As another process does ahead of its commit. Returns when the store has heard of it, which holds for 20 ms.
  void Announce(std::uint32_t mark) {
    while (looks_.try_acquire()) continue;
    const std::string payload = ToPayload({.announced = mark, .listeners = Listeners{.claimers = 2}});
    // What is sent before the store listens reaches nobody.
    do {
      Must(announcer_->RunOnce(fmt::format("SELECT pg_notify('seedcore', '{}')", payload), {}));
    } while (!looks_.try_acquire_for(std::chrono::milliseconds(20)));
  }
  /// A transaction that holds the lock of the announcement and has stored a task.
  void Begin(std::uint32_t mark) {
    Must(application_->Script("BEGIN"));
    Must(application_->RunOnce(fmt::format("SELECT pg_advisory_xact_lock(24308, {})", mark), {}));
    Must(application_->RunOnce("SELECT seedcore_enqueue('a')", {}));
  }

  /// A claim that hears of a commit on its way takes the task that it brings.
  void ExpectAwaitedBy(const ClaimRequest& request) {
    // On a slow machine the commit may come when the claim has given up; then the task is there for the next one.
    bool awaited = false;
    const Instant patience = RealEnv().Now() + std::chrono::minutes(1);
    for (std::uint32_t mark = 1; !awaited; ++mark) {
      ASSERT_LT(RealEnv().Now(), patience) << "no claim has awaited a commit";
      Begin(mark);
      Announce(mark);
      std::vector<Claim> claims;
      std::atomic<bool> back{false};
      std::jthread claimer([&] {
        claims = Must(tasks().ClaimTasks(request));
        back = true;
      });
      // Over a connection that is there: the claim waits for 20 ms.
      while (!back && !SomebodyWaits(*announcer_)) continue;
      Must(application_->Script("COMMIT"));
      claimer.join();
      awaited = claims.size() == 1;
      if (!awaited) claims = Must(tasks().ClaimTasks(request));
      ASSERT_THAT(claims, SizeIs(1));
      FinishAll(claims);
    }
  }

  std::unique_ptr<Connection> announcer_ = Connect();
  std::unique_ptr<Connection> application_ = Connect();
  std::counting_semaphore<> looks_{0};
  Subscription on_runnable_ = tasks().OnRunnable([this] { looks_.release(); });
};

TEST_F(Announced, ACommitIsAwaited) { ExpectAwaitedBy({.owner_id = "w"}); }

TEST_F(Announced, ACommitIsAwaitedByAClaimThatLeavesOtherTypes) {
  ExpectAwaitedBy({.owner_id = "w", .except = {"left"}});
}

TEST_F(Announced, ACommitThatDoesNotComeIsNotAwaitedForLong) {
  Begin(1);
  Announce(1);
  EXPECT_THAT(ClaimSome(1), IsEmpty());
  Must(application_->Script("ROLLBACK"));
  EXPECT_THAT(ClaimSome(1), IsEmpty()) << "and one that is over not at all";
}

TEST_F(Announced, WhoeverFindsATaskTakesItAndDoesNotWait) {
  Submit(1);
  Begin(1);
  Announce(1);
  EXPECT_THAT(ClaimSome(1), SizeIs(1));
  Must(application_->Script("COMMIT"));
  EXPECT_THAT(ClaimSome(1), SizeIs(1));
}

}  // namespace
}  // namespace seedcore::store::postgres
