#include "state/host.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "base/testing.h"

namespace seedcore::state {
namespace {

/// A /proc of our own, removed at the end.
class HostSamplerTest : public testing::Test {
 protected:
  void SetUp() override {
    std::filesystem::create_directories(folder_.path() / "self");
    Write("stat", "cpu  100 0 100 800 0 0 0 0 0 0\ncpu0 1 2 3 4\n");
    Write("meminfo", "MemTotal:       1000 kB\nMemFree: 10 kB\nMemAvailable:    250 kB\n");
    Write("loadavg", "1.25 0.5 0.25 2/300 4000\n");
    Write("self/status", "Name:\tseedcore\nVmRSS:\t    2048 kB\n");
  }

  void Write(const std::string& name, std::string_view text) { std::ofstream(folder_.path() / name) << text; }

  test::TemporaryFolder folder_;
  SimEnv env_;
};

TEST_F(HostSamplerTest, ReadsEveryFigure) {
  HostSampler sampler(env_, "/", folder_.path().string());
  const HostState host = sampler.Sample();
  EXPECT_DOUBLE_EQ(host.cpu_percent.value(), 20.0);
  EXPECT_DOUBLE_EQ(host.memory_percent.value(), 75.0);
  EXPECT_DOUBLE_EQ(host.load_1m.value(), 1.25);
  EXPECT_DOUBLE_EQ(host.process_rss_bytes.value(), 2048.0 * 1024.0);
  EXPECT_TRUE(host.disk_percent.has_value());
}

TEST_F(HostSamplerTest, CpuUseIsThatSinceTheLastReading) {
  HostSampler sampler(env_, "", folder_.path().string());
  (void)sampler.Sample();
  Write("stat", "cpu  190 0 100 810 0 0 0 0 0 0\n");
  env_.Advance(std::chrono::seconds(2));
  EXPECT_DOUBLE_EQ(sampler.Sample().cpu_percent.value(), 90.0);
}

TEST_F(HostSamplerTest, ReadsAtMostOnceASecond) {
  HostSampler sampler(env_, "", folder_.path().string());
  (void)sampler.Sample();
  Write("loadavg", "9.0 0 0 1/1 1\n");
  env_.Advance(std::chrono::milliseconds(900));
  EXPECT_DOUBLE_EQ(sampler.Sample().load_1m.value(), 1.25);
  env_.Advance(std::chrono::milliseconds(200));
  EXPECT_DOUBLE_EQ(sampler.Sample().load_1m.value(), 9.0);
}

TEST_F(HostSamplerTest, WhatCannotBeReadIsAbsent) {
  HostSampler sampler(env_, "/nonexistent", "/nonexistent");
  const HostState host = sampler.Sample();
  EXPECT_FALSE(host.cpu_percent || host.memory_percent || host.load_1m || host.process_rss_bytes || host.disk_percent);
}

TEST_F(HostSamplerTest, CountersThatGoBackAreNoFigure) {
  HostSampler sampler(env_, "", folder_.path().string());
  (void)sampler.Sample();
  Write("stat", "cpu  90 0 100 910 0 0 0 0 0 0\n");
  env_.Advance(std::chrono::seconds(2));
  EXPECT_FALSE(sampler.Sample().cpu_percent);
}

TEST(HostFiguresTest, GarbageIsNotAFigure) {
  EXPECT_FALSE(ParseLoad("load"));
  EXPECT_FALSE(ParseResidentBytes("VmSize: 3 kB"));
}

}  // namespace
}  // namespace seedcore::state
