#include <fstream>

#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "base/testing.h"
#include "coordinator/load_meter.h"
#include "coordinator/machine_load.h"

namespace seedcore::coordinator {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(LoadMeter, HasNoFiguresBeforeTheFirstMeasurement) {
  SimEnv env;
  const auto reading = LoadMeter(env).Read();
  EXPECT_EQ(reading.p_fast, 1.0);
  EXPECT_FALSE(reading.escalation_ratio || reading.fast_path_latency_ms || reading.hgnn_latency_ms ||
               reading.success_rate);
}

TEST(LoadMeter, ReportsSharesAndMedians) {
  SimEnv env;
  LoadMeter meter(env);
  for (const int ms : {10, 20, 30'000}) meter.RecordFastPath(milliseconds(ms), ms < 100);
  meter.RecordEscalation(milliseconds(200), true);
  for (const bool escalated : {true, false, false, false}) {
    meter.RecordDecision(escalated);
    meter.RecordVerdict(escalated);
  }
  const auto reading = meter.Read();
  EXPECT_EQ(reading.fast_path_latency_ms, 20.0);
  EXPECT_EQ(reading.hgnn_latency_ms, 200.0);
  EXPECT_EQ(reading.success_rate, 0.75);
  EXPECT_EQ(reading.escalation_ratio, 0.25);
  EXPECT_EQ(reading.p_fast, 0.75);
}

TEST(LoadMeter, ForgetsWhatIsOlderThanAMinute) {
  SimEnv env;
  LoadMeter meter(env);
  meter.RecordFastPath(seconds(5), false);
  env.Advance(seconds(40));
  meter.RecordFastPath(milliseconds(5), true);
  env.Advance(seconds(21));
  EXPECT_EQ(meter.Read().fast_path_latency_ms, 5.0);
  EXPECT_EQ(meter.Read().success_rate, 1.0);
  env.Advance(seconds(60));
  EXPECT_FALSE(meter.Read().fast_path_latency_ms);
}

TEST(LoadMeter, KeepsABoundedNumberOfMeasurements) {
  SimEnv env;
  LoadMeter meter(env);
  for (int i = 0; i < 1000; ++i) meter.RecordDecision(true);
  for (std::size_t i = 0; i < RecentValues::kCapacity; ++i) meter.RecordDecision(false);
  EXPECT_EQ(meter.Read().escalation_ratio, 0.0);
}

TEST(MachineLoad, TheCoresOfAContainerAreItsQuotaByItsPeriod) {
  EXPECT_EQ(ParseCpuMax("150000 100000\n"), 1.5);
  EXPECT_FALSE(ParseCpuMax("max 100000\n"));
}

class MachineLoadFiles : public testing::Test {
 protected:
  void Write(const std::string& file, const std::string& text) {
    std::filesystem::create_directories((folder_.path() / file).parent_path());
    std::ofstream(folder_.path() / file) << text;
  }

  SimEnv env_;
  test::TemporaryFolder folder_;
};

TEST_F(MachineLoadFiles, MeasuresBetweenReadingsAtMostOnceASecond) {
  Write("proc/stat", "cpu 100 0 0 900 0 0 0 0\n");
  Write("proc/meminfo", "MemTotal: 1000 kB\nMemAvailable: 400 kB\n");
  MachineLoad load(env_, folder_.path());
  EXPECT_FALSE(load.Read().cpu_utilization);
  EXPECT_DOUBLE_EQ(*load.Read().memory_utilization, 0.6);
  Write("proc/stat", "cpu 175 0 0 925 0 0 0 0\n");
  env_.Advance(milliseconds(999));
  EXPECT_FALSE(load.Read().cpu_utilization);
  env_.Advance(milliseconds(1));
  EXPECT_DOUBLE_EQ(*load.Read().cpu_utilization, 0.75);
}

TEST_F(MachineLoadFiles, PrefersTheLimitsOfTheContainer) {
  Write("proc/stat", "cpu 100 0 0 900 0 0 0 0\n");
  Write("sys/fs/cgroup/cpu.max", "200000 100000\n");
  Write("sys/fs/cgroup/cpu.stat", "usage_usec 1000000\n");
  Write("sys/fs/cgroup/memory.max", "1000\n");
  Write("sys/fs/cgroup/memory.current", "900\n");
  Write("sys/fs/cgroup/memory.stat", "anon 300\ninactive_file 600\n");
  MachineLoad load(env_, folder_.path());
  EXPECT_DOUBLE_EQ(*load.Read().memory_utilization, 0.3);
  Write("sys/fs/cgroup/cpu.stat", "usage_usec 2000000\n");
  env_.Advance(seconds(1));
  EXPECT_DOUBLE_EQ(*load.Read().cpu_utilization, 0.5);
}

TEST_F(MachineLoadFiles, SaysNothingWhereTheKernelSaysNothing) {
  MachineLoad load(env_, folder_.path());
  env_.Advance(seconds(1));
  EXPECT_FALSE(load.Read().cpu_utilization);
  EXPECT_FALSE(load.Read().memory_utilization);
}

TEST(MachineLoad, ReadsThisMachine) {
  MachineLoad load(RealEnv());
  const auto memory = load.Read().memory_utilization;
  ASSERT_TRUE(memory);
  EXPECT_GT(*memory, 0.0);
  EXPECT_LE(*memory, 1.0);
}

}  // namespace
}  // namespace seedcore::coordinator
