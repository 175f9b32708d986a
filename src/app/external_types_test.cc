#include "app/external_types.h"

#include <gmock/gmock.h>

#include "base/metrics.h"
#include "base/sim_env.h"
#include "base/testing.h"
#include "store/admission.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::app {
namespace {

using namespace std::chrono_literals;
using queue::TypeChoice;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

template <class... Names>
TypeChoice Only(Names... names) {
  return {.types = {names...}};
}
template <class... Names>
TypeChoice Except(Names... names) {
  return {.except = {names...}};
}

class ExternalTypesTest : public testing::Test {
 protected:
  ExternalTypesTest() {
    for (const char* type : {"echo", "text"}) {
      organism::Executor executor;
      executor.type = type;
      if (!executors_.Register(std::move(executor))) throw std::runtime_error("not registered");
    }
  }

  void Register(std::vector<std::string> types) {
    const auto registered = types_.Register(types);
    EXPECT_TRUE(registered) << ToString(registered.error());
  }
  /// As another process does it.
  void RegisterElsewhere(const std::string& type) { EXPECT_TRUE(store_->queues().AddExternalTypes({&type, 1})); }
  std::vector<std::string> Stored() {
    std::vector<std::string> names;
    const auto types = store_->queues().ExternalTypes().value();
    for (const store::ExternalType& one : types) names.push_back(one.type);
    return names;
  }
  queue::TaskOutcome Execute(const std::string& type, queue::TaskOutcome outcome) {
    store::Task task;
    task.type = type;
    return types_.HandingBack([&](const store::Task&, const CallContext&) { return outcome; })(task, {});
  }
  static bool IsHandedBack(const queue::TaskOutcome& outcome) {
    return std::holds_alternative<store::HandedBack>(outcome.verdict);
  }
  static queue::TaskOutcome Failed() { return queue::TaskOutcome::Fail({ErrorCode::kNonRetryable, "no executor", {}}); }

  SimEnv env_;
  Metrics metrics_;
  test::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_ =
      store::sqlite::OpenSqliteStore({.path = folder_.File("seedcore.db")}, env_, metrics_).value();
  organism::ExecutorRegistry executors_;
  LocalExecutables executables_{executors_};
  ExternalTypes types_{env_, store_->queues(), executables_};
};

TEST_F(ExternalTypesTest, WithoutAnyTheDispatcherTakesEverything) {
  Register({});
  EXPECT_EQ(types_.Claimed(), TypeChoice{});
}

TEST_F(ExternalTypesTest, TheDispatcherLeavesWhatIsExternalAndTakesTheRestAlsoWhatHasNoExecutor) {
  Register({" Resize ", "text", " "});
  EXPECT_THAT(Stored(), ElementsAre("resize", "text"));
  EXPECT_EQ(types_.Claimed(), Except("resize", "text"));
  EXPECT_TRUE(types_.Check("resize", {}));
  EXPECT_TRUE(types_.Check("for_a_plan", {}));
}

TEST_F(ExternalTypesTest, AStarLeavesEveryOtherTypeToWorkersOutside) {
  Register({"*"});
  EXPECT_EQ(types_.Claimed(), Only("echo", "text", "workflow"));
  EXPECT_TRUE(types_.Check("anything", {}));
}

/// A workflow of one step of this type.
json::object OneStep(const char* type) {
  return {{"steps", json::array{json::object{{"task", json::object{{"type", type}}}}}}};
}

TEST_F(ExternalTypesTest, AStepNeedsAnExecutorAndTheRefusalSaysWhy) {
  const auto expect_refused = [&](const char* type, const char* why) {
    const auto checked = types_.Check("workflow", OneStep(type));
    ASSERT_FALSE(checked) << type;
    EXPECT_EQ(checked.error().code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(checked.error().path, "params.steps[0].task.type");
    EXPECT_THAT(checked.error().message, HasSubstr(why));
  };
  Register({});
  expect_refused("ehco", "step 'step_0': no executor for task type 'ehco', did you mean echo?");
  expect_refused("workflow", "a workflow cannot be a step of another");
  EXPECT_TRUE(types_.Check("workflow", OneStep("text")));
  Register({"resize", "text"});
  expect_refused("resize", "'resize' is left to workers outside, who take tasks, not steps");
  EXPECT_TRUE(types_.Check("workflow", OneStep("text"))) << "the dispatcher has an executor for a step";
  Register({"*"});
  expect_refused("blur", "workers outside take tasks, not steps");
}

TEST_F(ExternalTypesTest, AWorkflowThatMakesNoSenseIsRefusedUnlessWorkersOutsideTakeWorkflows) {
  Register({"*"});
  EXPECT_EQ(types_.Check("workflow", {}).error().path, "params.steps");
  RegisterElsewhere("workflow");
  EXPECT_TRUE(types_.Check("workflow", {})) << "looked up before it is refused";
}

TEST_F(ExternalTypesTest, WhenAllAreExternalTheDispatcherTakesNothing) {
  Register({"*", "echo", "text", "workflow"});
  EXPECT_EQ(types_.Claimed(), Only(""));
}

TEST_F(ExternalTypesTest, WhatThisProcessAloneLeavesToOthersIsNotRegistered) {
  ExternalTypes types(env_, store_->queues(), executables_, {"text"});
  EXPECT_TRUE(types.Register({}));
  EXPECT_EQ(types.Claimed(), Except("text"));
  EXPECT_THAT(Stored(), IsEmpty());
}

TEST_F(ExternalTypesTest, WhatAnotherProcessRegistersOrRemovesIsKnownThreeSecondsLater) {
  Register({});
  RegisterElsewhere("text");
  EXPECT_EQ(types_.Claimed(), TypeChoice{}) << "claims do not ask each time";
  env_.Advance(3s);
  EXPECT_EQ(types_.Claimed(), Except("text"));
  EXPECT_TRUE(store_->queues().RemoveExternalType("text").value());
  env_.Advance(3s);
  EXPECT_EQ(types_.Claimed(), TypeChoice{});
}

TEST_F(ExternalTypesTest, TypesThatAreAskedForAreClaimedUnlessTheyAreExternalAndNobodyCanExecuteThem) {
  Register({});
  EXPECT_EQ(types_.Claimed({" Resize", "blur", "text"}), Only("blur", "resize", "text"));
  Register({"resize", "text"});
  EXPECT_EQ(types_.Claimed({"resize", "blur", "text"}), Only("blur", "text"));
  EXPECT_EQ(types_.Claimed({"resize"}), Only(""));
  Register({"*"});
  EXPECT_EQ(types_.Claimed({"resize", "blur", "text"}), Only("text"));
}

TEST_F(ExternalTypesTest, ATaskThatNobodyHereCanExecuteIsHandedBackOnceTheTypeIsExternal) {
  Register({});
  EXPECT_FALSE(IsHandedBack(Execute("resize", Failed()))) << "nobody knows the type";
  RegisterElsewhere("resize");
  EXPECT_TRUE(IsHandedBack(Execute("resize", Failed()))) << "a moment later";
  EXPECT_EQ(types_.Claimed(), Except("resize")) << "or it would claim the task again";
  EXPECT_TRUE(IsHandedBack(Execute("resize", queue::TaskOutcome::Hold("ask"))));
  EXPECT_FALSE(IsHandedBack(Execute("resize", queue::TaskOutcome::Complete("done"))));
  EXPECT_FALSE(IsHandedBack(Execute("blur", Failed()))) << "another type";
}

TEST_F(ExternalTypesTest, AnExecutorsOwnFailureIsAFailureAlsoOfAnExternalType) {
  Register({"text"});
  EXPECT_FALSE(IsHandedBack(Execute("text", Failed())));
  RegisterElsewhere("*");
  EXPECT_FALSE(IsHandedBack(Execute("echo", Failed())));
  EXPECT_TRUE(IsHandedBack(Execute("blur", Failed())));
}

TEST_F(ExternalTypesTest, AWorkersFirstClaimRegistersWhatNobodyHereCanExecute) {
  Register({});
  const std::vector<std::string> asked{"resize", "echo", "workflow", "*"};
  EXPECT_TRUE(types_.Offer(asked));
  EXPECT_THAT(Stored(), ElementsAre("resize"));
  EXPECT_EQ(types_.Claimed(), Except("resize")) << "from the first task on";

  EXPECT_TRUE(store_->queues().RemoveExternalType("resize").value());
  env_.Advance(3s);
  EXPECT_TRUE(types_.Offer(asked));
  EXPECT_THAT(Stored(), IsEmpty()) << "somebody has removed it since";
  ExternalTypes another(env_, store_->queues(), executables_);
  EXPECT_TRUE(another.Offer(asked));
  EXPECT_THAT(Stored(), ElementsAre("resize"));
}

TEST_F(ExternalTypesTest, ClaimsOfMoreTypesThanAStoreKeepsAreRefused) {
  std::vector<std::string> most;
  for (std::int64_t i = 0; i < store::kMaxExternalTypes; ++i) most.push_back("type_" + std::to_string(i));
  EXPECT_TRUE(types_.Offer(most));
  EXPECT_TRUE(types_.Offer(std::span(most).last(1)));
  const auto refused = types_.Offer(std::vector<std::string>{"one_more"});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kResourceExhausted);
  EXPECT_THAT(refused.error().message, HasSubstr("external types"));
  const auto registered = types_.Register(std::vector<std::string>{"one_more"});
  ASSERT_FALSE(registered);
  EXPECT_EQ(registered.error().path, "queue.external_types");
}

}  // namespace
}  // namespace seedcore::app
