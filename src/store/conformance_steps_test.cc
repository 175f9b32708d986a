#include <gmock/gmock.h>

#include "store/conformance.h"

namespace seedcore::store {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::UnorderedElementsAre;

NewPlan Diamond() {
  return {.steps = {{.name = "a", .depends_on = {}, .spec = {{"do", 1}}},
                    {.name = "b", .depends_on = {"a"}, .spec = {}},
                    {.name = "c", .depends_on = {"a"}, .spec = {}},
                    {.name = "d", .depends_on = {"b", "c"}, .spec = {}}},
          .note = {{"by", "test"}}};
}

StepWrite Begin(std::string name) {
  return {.name = std::move(name), .status = TaskStepStatus::kRunning, .result = {}};
}
StepWrite Done(std::string name, json::value result = nullptr) {
  return {.name = std::move(name), .status = TaskStepStatus::kCompleted, .result = std::move(result)};
}
StepWrite Ask(std::string name, std::optional<WallTime> until = std::nullopt) {
  return {.name = std::move(name),
          .status = TaskStepStatus::kWaiting,
          .result = {},
          .error = "may I?",
          .wait_until = until};
}

std::vector<TaskStepStatus> StatusesOf(Store& store, const std::string& id) {
  std::vector<TaskStepStatus> out;
  for (const TaskStep& step : Must(store.steps().Steps(id))) out.push_back(step.status);
  return out;
}

Result<void> Write(Store& store, const Lease& lease, std::vector<StepWrite> writes, const Effects& effects = {}) {
  return store.steps().WriteSteps(lease, writes, effects);
}

constexpr auto kPending = TaskStepStatus::kPending;
constexpr auto kCompleted = TaskStepStatus::kCompleted;

TEST_P(StoreConformance, APlanIsSavedOnceAndFoundAgainAfterARestart) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  EXPECT_THAT(Must(store().steps().Steps(claim.task.id)), IsEmpty());
  EXPECT_THAT(Must(store().steps().SavePlan(claim.lease(), Diamond())), SizeIs(4));
  Must(Write(store(), claim.lease(), {Begin("a"), Done("a", {{"n", 1}})}));
  NewPlan other = Diamond();
  other.steps.pop_back();
  EXPECT_EQ(CodeOf(store().steps().SavePlan(claim.lease(), other)), ErrorCode::kConflict);
  Reopen();
  const auto steps = Must(store().steps().SavePlan(claim.lease(), Diamond()));
  ASSERT_THAT(steps, SizeIs(4));
  EXPECT_EQ(steps[0].status, kCompleted);
  EXPECT_EQ(steps[0].result, (json::object{{"n", 1}}));
  EXPECT_EQ(steps[0].attempt, 1);
  EXPECT_EQ(steps[0].plan_note, (json::object{{"by", "test"}}));
  EXPECT_EQ(steps[0].spec, (json::object{{"do", 1}}));
  EXPECT_EQ(steps[0].fencing_token, 1);
  EXPECT_EQ(steps[0].finished_at, env_.WallNow());
  EXPECT_EQ(steps[3].status, kPending);
  EXPECT_THAT(steps[3].depends_on, ElementsAre("b", "c"));
  EXPECT_THAT(EventKinds(claim.task.id), ElementsAre("submitted", "claimed", "planned", "step_completed"));
}

TEST_P(StoreConformance, AWorkerThatLostItsLeaseWritesNoStepAndNoEffect) {
  SubmitOfType("a");
  const Claim zombie = ClaimOne("zombie");
  Must(store().steps().SavePlan(zombie.lease(), Diamond()));
  Advance(seconds(31));
  Must(tasks().Reap(10));
  const Claim claim = ClaimOne("heir");
  const Effects effects{.facts = {{"late", {}, {}}}, .ledger = {}, .incidents = {}};
  EXPECT_EQ(CodeOf(Write(store(), zombie.lease(), {Done("a")}, effects)), ErrorCode::kLeaseLost);
  EXPECT_EQ(CodeOf(store().steps().SavePlan(zombie.lease(), Diamond())), ErrorCode::kLeaseLost);
  EXPECT_EQ(Must(store().facts().Count()), 0);
  EXPECT_THAT(StatusesOf(store(), claim.task.id), ElementsAre(kPending, kPending, kPending, kPending));
  Must(Write(store(), claim.lease(), {Done("a")}, effects));
  EXPECT_EQ(Must(store().facts().Count()), 1);
}

TEST_P(StoreConformance, ACompletedStepStaysAsItIs) {
  SubmitOfType("a");
  const Claim first = ClaimOne();
  Must(store().steps().SavePlan(first.lease(), Diamond()));
  Must(Write(store(), first.lease(), {Done("a", 1)}));
  Must(Write(store(), first.lease(), {Done("a", 2)}));  // the answer to the first one may have been lost
  EXPECT_EQ(CodeOf(Write(store(), first.lease(), {Done("b"), Begin("a")})), ErrorCode::kConflict);
  Must(End(first, HandedBack{}));
  const Claim second = ClaimOne();
  EXPECT_EQ(CodeOf(Write(store(), second.lease(), {Done("a", 3)})), ErrorCode::kConflict);
  EXPECT_EQ(Must(store().steps().Steps(second.task.id))[0].result, 1);
  EXPECT_THAT(StatusesOf(store(), second.task.id), ElementsAre(kCompleted, kPending, kPending, kPending));
}

TEST_P(StoreConformance, AStepThatIsWrittenAgainLeavesItsEffectsOnce) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Must(store().steps().SavePlan(claim.lease(), Diamond()));
  const Effects effects{.facts = {{"once", {}, {}}}, .ledger = {}, .incidents = {}};
  Must(Write(store(), claim.lease(), {Done("a", 1)}, effects));
  Must(Write(store(), claim.lease(), {Done("a", 1)}, effects));  // the answer to the first one may have been lost
  EXPECT_EQ(Must(store().facts().Count()), 1);
}

TEST_P(StoreConformance, TheLastStepAndTheEndOfItsTaskAreOneTransaction) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Must(store().steps().SavePlan(claim.lease(), {.steps = {{"only", {}, {}}}, .note = {}}));
  Lease stale = claim.lease();
  stale.fencing_token = 99;
  const Effects effects{.facts = {{"known", {}, {}}}, .ledger = {}, .incidents = {}};
  const std::vector<Finish> finishes{
      {stale, Completed{1}, effects, {Done("only", 1)}},
      {claim.lease(), Completed{2}, effects, {Done("unknown", 1)}},
      {claim.lease(), Completed{3}, effects, {Done("only", 3)}},
  };
  const auto answers = Must(tasks().FinishTasks(finishes));
  EXPECT_EQ(CodeOf(answers[0]), ErrorCode::kLeaseLost);
  EXPECT_EQ(CodeOf(answers[1]), ErrorCode::kNotFound);
  Must(answers[2]);
  EXPECT_EQ(Get(claim.task.id).result, 3);
  const auto steps = Must(store().steps().Steps(claim.task.id));
  EXPECT_EQ(steps[0].result, 3);
  EXPECT_EQ(Must(store().facts().Count()), 1);
  EXPECT_THAT(EventKinds(claim.task.id),
              UnorderedElementsAre("submitted", "claimed", "planned", "lease_lost", "step_completed", "completed"));
}

TEST_P(StoreConformance, APersonsAnswerQueuesTheParkedTask) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  const std::string id = claim.task.id;
  Must(store().steps().SavePlan(claim.lease(), Diamond()));
  EXPECT_EQ(CodeOf(store().steps().Answer(id, "a", {true, false, ""})), ErrorCode::kConflict);
  const std::vector<Finish> parked{{claim.lease(), Held{"may I?", true}, {}, {Ask("a")}}};
  Must(Must(tasks().FinishTasks(parked)).front());
  EXPECT_EQ(Get(id).status, TaskStatus::kCreated);
  EXPECT_TRUE(ClaimUpTo(1).empty());
  Reopen();
  EXPECT_EQ(CodeOf(store().steps().Answer(id, "z", {})), ErrorCode::kNotFound);
  EXPECT_EQ(Must(store().steps().Answer(id, "a", {{{"yes", true}}, false, ""})).status, TaskStatus::kQueued);
  EXPECT_EQ(CodeOf(store().steps().Answer(id, "a", {})), ErrorCode::kConflict);
  EXPECT_EQ(Must(store().steps().Steps(id))[0].result, (json::object{{"yes", true}}));
  EXPECT_EQ(ClaimOne().task.id, id);
  EXPECT_THAT(EventKinds(id), ElementsAre("submitted", "claimed", "planned", "step_waiting", "held", "step_completed",
                                          "resumed", "claimed"));
}

TEST_P(StoreConformance, AnAnswerThatComesBeforeTheTaskIsParkedIsNotMissed) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Must(store().steps().SavePlan(claim.lease(), Diamond()));
  Must(Write(store(), claim.lease(), {Ask("a")}));
  EXPECT_EQ(Must(store().steps().Answer(claim.task.id, "a", {1, false, ""})).status, TaskStatus::kRunning);
  Must(End(claim, Held{"may I?", true}));
  EXPECT_EQ(Get(claim.task.id).status, TaskStatus::kQueued);
  EXPECT_EQ(Get(claim.task.id).hold_reason, "");
}

TEST_P(StoreConformance, StepsOfCancelledTasksKeepNobodyElseWaiting) {
  std::vector<std::string> ids;
  for (int i = 0; i < 4; ++i) {
    SubmitOfType("a");
    const Claim claim = ClaimOne();
    ids.push_back(claim.task.id);
    Must(store().steps().SavePlan(claim.lease(), Diamond()));
    const std::vector<Finish> parked{
        {claim.lease(), Held{"may I?", true}, {}, {Ask("a", env_.WallNow() + seconds(60 + i))}}};
    Must(Must(tasks().FinishTasks(parked)).front());
  }
  for (int i = 0; i < 3; ++i) Must(tasks().Cancel(ids[static_cast<std::size_t>(i)]));
  Advance(seconds(70));
  EXPECT_EQ(Must(tasks().Reap(2)), 1);
  EXPECT_EQ(Get(ids.back()).status, TaskStatus::kQueued);
}

TEST_P(StoreConformance, ARefusalAndSilenceFailTheStep) {
  for (const bool silent : {false, true}) {
    SubmitOfType("a");
    const Claim claim = ClaimOne();
    Must(store().steps().SavePlan(claim.lease(), Diamond()));
    const std::vector<Finish> parked{
        {claim.lease(), Held{"may I?", true}, {}, {Ask("a", env_.WallNow() + seconds(60))}}};
    Must(Must(tasks().FinishTasks(parked)).front());
    EXPECT_EQ(Must(tasks().Reap(10)), 0);
    if (silent) {
      Advance(seconds(60));
      EXPECT_EQ(Must(tasks().Reap(10)), 1);
      EXPECT_EQ(Must(tasks().Reap(10)), 0);
    } else {
      Must(store().steps().Answer(claim.task.id, "a", {nullptr, true, "too dear"}));
    }
    const auto steps = Must(store().steps().Steps(claim.task.id));
    EXPECT_EQ(steps[0].status, TaskStepStatus::kFailed);
    EXPECT_EQ(steps[0].error, silent ? "nobody answered in time" : "refused: too dear");
    Must(End(ClaimOne(), Completed{}));
    EXPECT_EQ(CodeOf(store().steps().Answer(claim.task.id, "a", {})), ErrorCode::kConflict);
  }
}

TEST_P(StoreConformance, AReplayDropsAStepAndWhatDependsOnIt) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  const std::string id = claim.task.id;
  Must(store().steps().SavePlan(claim.lease(), Diamond()));
  Must(Write(store(), claim.lease(), {Done("a", 1), Done("b", 2), Done("c", 3)}));
  EXPECT_EQ(CodeOf(store().steps().Replay(id, "b")), ErrorCode::kConflict);
  const std::vector<Finish> end{{claim.lease(), Completed{{{"n", 1}}}, {}, {Done("d", 4)}}};
  Must(Must(tasks().FinishTasks(end)).front());
  EXPECT_EQ(CodeOf(store().steps().Replay(id, "z")), ErrorCode::kNotFound);
  EXPECT_EQ(Must(store().steps().Replay(id, "b")).status, TaskStatus::kQueued);
  EXPECT_TRUE(Get(id).result.is_null());
  const auto steps = Must(store().steps().Steps(id));
  EXPECT_THAT(StatusesOf(store(), id), ElementsAre(kCompleted, kPending, kCompleted, kPending));
  EXPECT_EQ(steps[0].round, 1);
  EXPECT_EQ(steps[1].round, 2);
  EXPECT_TRUE(steps[1].result.is_null());
  EXPECT_EQ(steps[2].result, 3);
  EXPECT_EQ(Must(tasks().Events(id))[8].detail, "from step 'b'; dropped: b, d");
  EXPECT_EQ(Count(TaskStatus::kCompleted), 0);
  EXPECT_EQ(ClaimOne().task.id, id);
}

TEST_P(StoreConformance, AForkIsANewTaskWithTheCompletedStepsBefore) {
  Submit({.type = "a", .params = {{"x", 1}}, .priority = 7, .idempotency_key = "once"});
  const Claim claim = ClaimOne();
  Must(store().steps().SavePlan(claim.lease(), Diamond()));
  Must(Write(store(), claim.lease(), {Done("a", 1), Done("b", 2), Done("c", 3)}));
  Must(End(claim, FailedForGood{WorkFailed(), nullptr}));
  const Task fork = Must(store().steps().Fork(claim.task.id, "c"));
  EXPECT_NE(fork.id, claim.task.id);
  EXPECT_EQ(fork.params, (json::object{{"x", 1}}));
  EXPECT_EQ(fork.priority, 7);
  EXPECT_EQ(fork.idempotency_key, "");
  EXPECT_THAT(StatusesOf(store(), fork.id), ElementsAre(kCompleted, kCompleted, kPending, kPending));
  EXPECT_EQ(Must(store().steps().Steps(fork.id))[1].result, 2);
  EXPECT_THAT(StatusesOf(store(), claim.task.id), ElementsAre(kCompleted, kCompleted, kCompleted, kPending));
  EXPECT_EQ(ClaimOne().task.id, fork.id);
}

TEST_P(StoreConformance, StepsHaveBounds) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  const auto add = [&](std::string name, json::value result) {
    return Write(store(), claim.lease(),
                 {{.name = std::move(name), .status = kCompleted, .result = std::move(result), .may_add = true}});
  };
  EXPECT_EQ(CodeOf(add("large", json::string(std::string(kMaxStepResultBytes, 'x')))), ErrorCode::kPayloadTooLarge);
  EXPECT_EQ(CodeOf(add("", 1)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(add(std::string(kMaxStepName + 1, 'n'), 1)), ErrorCode::kInvalidArgument);
  EXPECT_EQ(CodeOf(Write(store(), claim.lease(), {Done("unplanned")})), ErrorCode::kNotFound);
  for (std::size_t i = 0; i < kMaxSteps; ++i) Must(add(std::to_string(i), 1));
  EXPECT_EQ(CodeOf(add("one more", 1)), ErrorCode::kResourceExhausted);
  EXPECT_THAT(Must(store().steps().Steps(claim.task.id))[2].depends_on, ElementsAre("1"));
}

TEST_P(StoreConformance, StepsGoWithTheirTask) {
  SubmitOfType("a");
  const Claim claim = ClaimOne();
  Must(store().steps().SavePlan(claim.lease(), Diamond()));
  Must(End(claim, Completed{}));
  EXPECT_EQ(Must(tasks().DeleteFinished(env_.WallNow() + seconds(1), 10)), 1);
  EXPECT_EQ(CodeOf(store().steps().Steps(claim.task.id)), ErrorCode::kNotFound);
}

}  // namespace
}  // namespace seedcore::store
