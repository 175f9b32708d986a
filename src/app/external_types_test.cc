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
  EXPECT_TRUE(types.Check("anything", {}));
}

TEST_F(ExternalTypesTest, TheDispatcherTakesWhatHasAnExecutorAndIsNotExternal) {
  const ExternalTypes types({" Resize ", "text"}, executors_);
  EXPECT_THAT(types.Embedded(), ElementsAre("echo", "workflow"));
  EXPECT_TRUE(types.Check("resize", {}));
  EXPECT_TRUE(types.Check("text", {}));
  EXPECT_TRUE(types.Check("echo", {}));
}

TEST_F(ExternalTypesTest, ATypeThatNobodyWouldEverClaimIsRefused) {
  const ExternalTypes types({"resize"}, executors_);
  const auto checked = types.Check("ehco", {});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(checked.error().message, HasSubstr("did you mean echo?"));
  EXPECT_THAT(checked.error().message, HasSubstr("resize"));
}

TEST_F(ExternalTypesTest, AStarLeavesEveryOtherTypeToWorkersOutside) {
  const ExternalTypes types({"*"}, executors_);
  EXPECT_THAT(types.Embedded(), ElementsAre("echo", "text", "workflow"));
  EXPECT_TRUE(types.Check("anything", {}));
}

/// A workflow of one step of this type.
json::object OneStep(const char* type) {
  return {{"steps", json::array{json::object{{"task", json::object{{"type", type}}}}}}};
}

TEST_F(ExternalTypesTest, AStepNeedsAnExecutorAndTheRefusalSaysWhy) {
  struct Case {
    std::vector<std::string> external;
    const char* type;
    const char* why;
  };
  const std::vector<Case> cases{
      {{}, "ehco", "step 'step_0': no executor for task type 'ehco', did you mean echo?"},
      {{"resize"}, "resize", "'resize' is left to workers outside (queue.external_types), who take tasks, not steps"},
      {{"*"}, "resize", "workers outside (queue.external_types) take tasks, not steps"},
      {{}, "workflow", "a workflow cannot be a step of another"},
  };
  for (const Case& c : cases) {
    const auto checked = ExternalTypes(c.external, executors_).Check("workflow", OneStep(c.type));
    ASSERT_FALSE(checked) << c.type;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(checked.error().path, "params.steps[0].task.type");
    EXPECT_THAT(checked.error().message, HasSubstr(c.why));
  }
  for (const char* external : {"", "text", "*"}) {
    EXPECT_TRUE(ExternalTypes({external}, executors_).Check("workflow", OneStep("text")));
  }
}

TEST_F(ExternalTypesTest, AWorkflowThatMakesNoSenseIsRefusedUnlessWorkersOutsideTakeWorkflows) {
  EXPECT_EQ(ExternalTypes({}, executors_).Check("workflow", {}).error().path, "params.steps");
  EXPECT_EQ(ExternalTypes({"*"}, executors_).Check("workflow", {}).error().path, "params.steps");
  EXPECT_TRUE(ExternalTypes({"workflow"}, executors_).Check("workflow", {}));
}

TEST_F(ExternalTypesTest, WhenAllAreExternalTheDispatcherTakesNothing) {
  const ExternalTypes types({"echo", "text", "workflow"}, executors_);
  EXPECT_THAT(types.Embedded(), ElementsAre(""));
}

}  // namespace
}  // namespace seedcore::app
