#include "app/progress_relay.h"

#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/env.h"
#include "base/metrics.h"
#include "base/testing.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::app {
namespace {

/// A task that one process has claimed, and another one works on.
class ProgressRelayTest : public testing::Test {
 protected:
  ProgressRelayTest() {
    auto opened = store::sqlite::OpenSqliteStore({.path = folder_.File("s.db")}, RealEnv(), metrics_);
    EXPECT_TRUE(opened);
    store_ = std::move(*opened);
    there_.emplace(RealEnv(), tasks(), metrics_);
    here_.emplace(RealEnv(), tasks(), metrics_);
  }
  store::TaskStore& tasks() { return store_->tasks(); }

  store::Claim Claim() {
    store::NewTask task;
    task.type = "graph_embed";
    EXPECT_TRUE(tasks().Submit({&task, 1}));
    return tasks().ClaimTasks({.owner_id = "dispatcher \"0\""}).value().at(0);
  }
  /// The request as whoever has claimed the task sends it.
  net::Request RequestFor(std::shared_ptr<ProgressReporter> progress) const {
    CallContext call;
    call.progress = std::move(progress);
    net::Request request;
    NameLease(call, request.headers);
    return request;
  }
  bool Reaches(const std::string& id, double fraction) {
    for (const Instant until = RealEnv().Now() + std::chrono::seconds(30); RealEnv().Now() < until;
         std::this_thread::yield()) {
      const auto known = tasks().ProgressOf(std::vector{id}).value();
      const auto found = known.find(id);
      if (found != known.end() && found->second.progress.fraction == fraction) return true;
    }
    return false;
  }

  test::TemporaryFolder folder_;
  Metrics metrics_;
  std::unique_ptr<store::Store> store_;
  std::optional<queue::ProgressKeeper> there_;  // where it was claimed
  std::optional<queue::ProgressKeeper> here_;   // where it is worked on
};

TEST_F(ProgressRelayTest, WhoeverDoesTheWorkReportsUnderTheLeaseHoweverManyServicesAreBetween) {
  const store::Claim claim = Claim();
  net::Request request = RequestFor(there_->For(claim.lease()));
  const net::Handler work = WithProgress(
      [](const net::Request& received) {
        received.call.Report({.fraction = 0.5, .note = "half"});
        return net::Response{};
      },
      *here_);
  const net::Handler between = WithProgress(
      [&](const net::Request& received) {
        net::Request passed_on;
        NameLease(received.call, passed_on.headers);
        return work(passed_on);
      },
      *there_);
  (void)between(request);
  EXPECT_TRUE(Reaches(claim.task.id, 0.5));
}

TEST_F(ProgressRelayTest, ACallThatIsForNoTaskNamesNoLease) {
  net::Request request = RequestFor(nullptr);
  EXPECT_TRUE(request.headers.All().empty());
  bool could_report = true;
  (void)WithProgress(
      [&](const net::Request& received) {
        could_report = received.call.progress != nullptr;
        return net::Response{};
      },
      *here_)(request);
  EXPECT_FALSE(could_report);
}

TEST_F(ProgressRelayTest, AFieldThatMakesNoSenseIsNoReasonNotToWork) {
  net::Request request;
  request.headers.Add("X-SeedCore-Lease", "{\"task_id\":7");
  bool worked = false;
  (void)WithProgress(
      [&](const net::Request&) {
        worked = true;
        return net::Response{};
      },
      *here_)(request);
  EXPECT_TRUE(worked);
}

}  // namespace
}  // namespace seedcore::app
