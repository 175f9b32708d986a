#include "base/proc.h"

#include <gtest/gtest.h>

namespace seedcore {
namespace {

TEST(Proc, CpuTimesCountGuestsOnceAndNoIdling) {
  const auto times = ParseCpuTimes("cpu  100 20 30 800 50 0 0 0 7 0\ncpu0 1 2 3 4\n");
  ASSERT_TRUE(times);
  EXPECT_EQ(times->busy, 150U);
  EXPECT_EQ(times->total, 1000U);
}

TEST(Proc, TheShareOfBusyTimeIsThatBetweenTwoReadings) {
  EXPECT_EQ(BusyShare({.busy = 100, .total = 1000}, {.busy = 175, .total = 1100}), 0.75);
  EXPECT_FALSE(BusyShare({.busy = 100, .total = 1000}, {.busy = 100, .total = 1000})) << "no time has passed";
  EXPECT_FALSE(BusyShare({.busy = 100, .total = 1000}, {.busy = 99, .total = 1100})) << "counters of idle time go back";
}

TEST(Proc, MemoryInUseIsWhatIsNotAvailable) {
  EXPECT_EQ(ParseMemoryShare("MemTotal:  1000 kB\nMemFree: 100 kB\nMemAvailable:  250 kB\n"), 0.75);
}

TEST(Proc, ANumberStandsAfterItsKeyAtTheBeginningOfALine) {
  EXPECT_EQ(NumberAfter("usage_usec 123\nuser_usec 5\n", "usage_usec "), 123U);
  EXPECT_EQ(NumberAfter("NoVmRSS: 1\nVmRSS:\t  2048 kB", "VmRSS:"), 2048U);
  EXPECT_FALSE(NumberAfter("VmSize: 3 kB", "VmRSS:"));
}

TEST(Proc, GarbageIsNotAFigure) {
  EXPECT_FALSE(ParseCpuTimes("intr 5"));
  EXPECT_FALSE(ParseCpuTimes("cpu  x y z w"));
  EXPECT_FALSE(ParseCpuTimes("cpu  1 2 3"));
  EXPECT_FALSE(ParseCpuTimes(""));
  EXPECT_FALSE(ParseMemoryShare("MemTotal: 1000 kB\n"));
  EXPECT_FALSE(ParseMemoryShare("MemTotal: 0 kB\nMemAvailable: 0 kB\n"));
  EXPECT_FALSE(ParseMemoryShare("MemTotalX: 5 kB\n"));
  EXPECT_EQ(ReadKernelFile("/nonexistent"), "");
}

}  // namespace
}  // namespace seedcore
