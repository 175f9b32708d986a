// The head of these tests itself.
#include <gtest/gtest-spi.h>

#include "suite.h"

namespace seedcore::testing {
namespace {

TEST(HeadBeyondItsMemory, IsEndedAndFailsItsTest) {
  ::testing::TestPartResultArray failures;
  {
    using Reporter = ::testing::ScopedFakeTestPartResultReporter;
    const Reporter collects(Reporter::INTERCEPT_ALL_THREADS, &failures);
    const RayHead head({.ray = RayProgram(), .memory_limit = 1'000'000});
    EXPECT_FALSE(head.is_up());  // it is still starting when it has taken as much
  }
  bool is_told = false;
  for (int i = 0; i < failures.size(); ++i) {
    is_told |= std::string_view(failures.GetTestPartResult(i).message()).contains("took too much memory");
  }
  EXPECT_TRUE(is_told);
}

}  // namespace
}  // namespace seedcore::testing
