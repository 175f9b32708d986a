#include "app/external_types.h"

#include <gmock/gmock.h>

namespace seedcore::app {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ExternalTypesTest : public testing::Test {
 protected:
  ExternalTypesTest() {
    for (const char* type : {"echo", "text"}) {
      organism::Executor executor;
      executor.type = type;
      if (!executors_.Register(std::move(executor))) throw std::runtime_error("not registered");
    }
  }
  organism::ExecutorRegistry executors_;
};

TEST_F(ExternalTypesTest, WithoutAnyTheDispatcherTakesEverything) {
  const ExternalTypes types({}, executors_);
  EXPECT_THAT(types.Embedded(), IsEmpty());
  EXPECT_TRUE(types.Check("anything"));
}

TEST_F(ExternalTypesTest, TheDispatcherTakesWhatHasAnExecutorAndIsNotExternal) {
  const ExternalTypes types({" Resize ", "text"}, executors_);
  EXPECT_THAT(types.Embedded(), ElementsAre("echo", "workflow"));
  EXPECT_TRUE(types.Check("resize"));
  EXPECT_TRUE(types.Check("text"));
  EXPECT_TRUE(types.Check("echo"));
  EXPECT_TRUE(types.Check("workflow"));
}

TEST_F(ExternalTypesTest, ATypeThatNobodyWouldEverClaimIsRefused) {
  const ExternalTypes types({"resize"}, executors_);
  const auto checked = types.Check("ehco");
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(checked.error().message, HasSubstr("did you mean echo?"));
  EXPECT_THAT(checked.error().message, HasSubstr("resize"));
}

TEST_F(ExternalTypesTest, AStarLeavesEveryOtherTypeToWorkersOutside) {
  const ExternalTypes types({"*"}, executors_);
  EXPECT_THAT(types.Embedded(), ElementsAre("echo", "text", "workflow"));
  EXPECT_TRUE(types.Check("anything"));
}

TEST_F(ExternalTypesTest, WhenAllAreExternalTheDispatcherTakesNothing) {
  const ExternalTypes types({"echo", "text", "workflow"}, executors_);
  EXPECT_THAT(types.Embedded(), ElementsAre(""));
}

}  // namespace
}  // namespace seedcore::app
