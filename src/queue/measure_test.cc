#include "queue/measure.h"

#include <algorithm>

#include "queue/test_world.h"

namespace seedcore::queue {
namespace {

using namespace std::chrono_literals;

/// The measurements need a clock that runs: the same folder and metrics, but a store on real time.
class MeasureTest : public World {
 protected:
  MeasureTest() {
    const std::string path = store->CheckHealth().location;
    store.reset();
    auto opened = store::sqlite::OpenSqliteStore({.path = path}, RealEnv(), metrics);
    if (!opened) throw std::runtime_error(ToString(opened.error()));
    store = std::move(*opened);
  }
};

TEST_F(MeasureTest, EverySubmitThatIsCountedIsStored) {
  const auto rate = MeasureSubmit(RealEnv(), tasks(), metrics, 4, {.tasks = 50, .time = 20s}, false);
  ASSERT_TRUE(rate) << ToString(rate.error());
  EXPECT_EQ(rate->tasks, 50);
  EXPECT_EQ(Count(store::TaskStatus::kCreated), 50);
  EXPECT_GT(rate->PerSecond(), 0.0);
  EXPECT_GE(rate->commits, 1.0);
}

TEST_F(MeasureTest, ADispatcherDrainsWhatABatchHasQueued) {
  ASSERT_TRUE(MeasureSubmitBatches(RealEnv(), tasks(), metrics, 30, 100));
  const auto rate = MeasureExecute(RealEnv(), tasks(), metrics, 4, 32, {.tasks = 100, .time = 20s});
  ASSERT_TRUE(rate) << ToString(rate.error());
  EXPECT_EQ(rate->tasks, 100);
  EXPECT_EQ(Count(store::TaskStatus::kCompleted), 100);
}

TEST_F(MeasureTest, TheBareStoreDrainsWhatABatchHasQueued) {
  ASSERT_TRUE(MeasureSubmitBatches(RealEnv(), tasks(), metrics, 30, 100));
  const auto rate = MeasureClaimFinish(RealEnv(), tasks(), metrics, 2, 32, {.tasks = 100, .time = 20s});
  ASSERT_TRUE(rate) << ToString(rate.error());
  EXPECT_EQ(rate->tasks, 100);
  EXPECT_EQ(Count(store::TaskStatus::kCompleted), 100);
}

TEST_F(MeasureTest, TimeLimitsASubmit) {
  const auto rate = MeasureSubmit(RealEnv(), tasks(), metrics, 1, {.tasks = 1'000'000'000, .time = 20ms});
  ASSERT_TRUE(rate);
  EXPECT_LT(rate->tasks, 1'000'000'000);
}

TEST_F(MeasureTest, LatenciesAreAscendingAndOnePerTask) {
  const auto latencies = MeasureStartLatency(RealEnv(), tasks(), metrics, {.tasks = 5, .time = 20s});
  ASSERT_TRUE(latencies) << ToString(latencies.error());
  ASSERT_EQ(latencies->size(), 5U);
  EXPECT_TRUE(std::ranges::is_sorted(*latencies));
  EXPECT_GT(latencies->front(), 0.0);
}

TEST(Quantile, TakesTheNearestSample) {
  const std::vector<double> values{1, 2, 3, 4, 5};
  EXPECT_EQ(Quantile(values, 0.0), 1);
  EXPECT_EQ(Quantile(values, 0.5), 3);
  EXPECT_EQ(Quantile(values, 0.99), 5);
  EXPECT_EQ(Quantile({}, 0.5), 0);
}

}  // namespace
}  // namespace seedcore::queue
