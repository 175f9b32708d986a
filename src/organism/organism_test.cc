#include "organism/organism.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "organism/test_world.h"

namespace seedcore::organism {
namespace {

class OrganismTest : public World {
 protected:
  OrganismTest() { EXPECT_TRUE(organism.executors().Register(Echo())); }
  Execution MustExecute(json::object params, const std::string& organ = "left") {
    auto execution =
        organism.Execute(organ, {.id = "t1", .type = "echo", .description = "say it", .params = params}, call);
    EXPECT_TRUE(execution) << ToString(execution.error());
    return execution.value_or(Execution{});
  }
  void Start() { ASSERT_TRUE(organism.Initialize()); }

  Organism organism{SmallConfig(), OrganismSettings{}, env, *store, metrics};
};

TEST_F(OrganismTest, NothingRunsBeforeItIsInitialized) {
  const auto execution = organism.Execute("left", {.type = "echo"}, call);
  ASSERT_FALSE(execution);
  EXPECT_EQ(execution.error().code, ErrorCode::kUnavailable);
  EXPECT_EQ(organism.RandomOrgan().error().code, ErrorCode::kUnavailable);
}

TEST_F(OrganismTest, InitializeRegistersOrgansAndAgents) {
  EXPECT_EQ(organism.Initialize(), true);
  EXPECT_EQ(organism.Initialize(), false);
  const auto rows = registry().Organs();
  ASSERT_TRUE(rows);
  ASSERT_EQ(rows->size(), 2U);
  EXPECT_EQ(rows->front().organ_id, "left");
  EXPECT_EQ(rows->front().agent_ids, (std::vector<std::string>{"left_agent_0", "left_agent_1"}));
  EXPECT_EQ(ActiveInstanceIds("left").size(), 1U);
}

TEST_F(OrganismTest, EachStartIsANewEpochUnlessItRolls) {
  const auto before = registry().CurrentEpoch();
  Start();
  const auto after = registry().CurrentEpoch();
  EXPECT_NE(before, after);
  Organism rolling(SmallConfig(), {.rolling_init = true}, env, *store, metrics);
  ASSERT_TRUE(rolling.Initialize());
  EXPECT_EQ(registry().CurrentEpoch(), after);
}

TEST_F(OrganismTest, TheAgentsVerdictIsTheTasksVerdict) {
  Start();
  const Execution good = MustExecute({{"x", 1}});
  EXPECT_TRUE(good.success);
  EXPECT_EQ(good.result, json::value({{"x", 1}}));
  const Execution bad = MustExecute({{"fail", "unavailable"}});
  EXPECT_FALSE(bad.success);
  EXPECT_EQ(bad.error, (Error{ErrorCode::kUnavailable, "as asked", "params.fail"}));
}

TEST_F(OrganismTest, TheLedgerEntryIsTheMeasuredChange) {
  Start();
  const double before = organism.population().Energy().total;
  const Execution execution = MustExecute({});
  const double after = organism.population().Energy().total;
  ASSERT_EQ(execution.effects.ledger.size(), 1U);
  const auto& entry = execution.effects.ledger.front();
  EXPECT_EQ(entry.scope_id, execution.agent_id);
  EXPECT_EQ(entry.task_id, "t1");
  EXPECT_DOUBLE_EQ(entry.energy_before, before);
  EXPECT_DOUBLE_EQ(entry.energy_after, after);
  EXPECT_NE(entry.delta_e, 0.0);
  EXPECT_NEAR(entry.delta_e, after - before, 1e-15);
}

TEST_F(OrganismTest, ABadRequestDoesNotMakeTheAgentLookIncapable) {
  Start();
  const Execution execution = MustExecute({{"fail", "invalid_argument"}});
  EXPECT_FALSE(execution.success);
  EXPECT_TRUE(execution.effects.ledger.empty());
  EXPECT_EQ(execution.accounted.state.tasks_processed, 0);
  EXPECT_DOUBLE_EQ(execution.accounted.state.capability, 0.5);
}

TEST_F(OrganismTest, AFailureTurnsSelectionToTheOtherAgent) {
  Start();
  const std::string first = MustExecute({{"fail", "internal"}}).agent_id;
  EXPECT_NE(MustExecute({}).agent_id, first);
}

TEST_F(OrganismTest, AnUnknownTypeNamesTheKnownOnes) {
  Start();
  const auto execution = organism.Execute("left", {.type = "ehco"}, call);
  ASSERT_FALSE(execution);
  EXPECT_EQ(execution.error().code, ErrorCode::kNonRetryable);
  EXPECT_EQ(execution.error().message, "no executor for task type 'ehco', did you mean echo?; known types: echo");
}

TEST_F(OrganismTest, AnExecutorThatThrowsIsAFailureOfTheTask) {
  ASSERT_TRUE(organism.executors().Register(
      {.type = "throw",
       .doc = "",
       .params_schema = {},
       .execute = [](const TaskSpec&, const CallContext&) -> ExecutionResult { throw std::runtime_error("boom"); }}));
  Start();
  const auto execution = organism.Execute("left", {.type = "throw"}, call);
  ASSERT_TRUE(execution);
  EXPECT_EQ(execution->error->message, "the executor of throw failed: boom");
  for (const auto& agent : organism.population().Agents()) EXPECT_EQ(agent.running, 0);
}

TEST_F(OrganismTest, AnInjectedFaultFailsTheTask) {
  Start();
  env.ArmFault("organism.execute", {ErrorCode::kUnavailable, "injected", {}});
  EXPECT_EQ(MustExecute({}).error->message, "injected");
  EXPECT_TRUE(MustExecute({}).success);
}

TEST_F(OrganismTest, ACancelledCallDoesNotRun) {
  Start();
  std::stop_source stop;
  stop.request_stop();
  CallContext cancelled;
  cancelled.stop = stop.get_token();
  const auto execution = organism.Execute("left", {.type = "echo"}, cancelled);
  ASSERT_TRUE(execution);
  EXPECT_EQ(execution->error->code, ErrorCode::kCancelled);
}

TEST_F(OrganismTest, AnExecutorsFactsTravelWithTheExecution) {
  ASSERT_TRUE(organism.executors().Register(
      {.type = "note", .doc = "", .params_schema = {}, .execute = [](const TaskSpec&, const CallContext&) {
         auto result = ExecutionResult::Success(nullptr);
         result.effects.facts.push_back({"water is wet", {"test"}, {}});
         return result;
       }}));
  Start();
  const auto execution = organism.Execute("left", {.type = "note"}, call);
  ASSERT_TRUE(execution);
  EXPECT_EQ(execution->effects.facts.size(), 1U);
  EXPECT_EQ(store->facts().Count(), 0);
  ASSERT_TRUE(organism.ApplyEffects(execution->effects));
  EXPECT_EQ(store->facts().Count(), 1);
  EXPECT_EQ(store->ledger().Recent(10)->size(), 1U);
}

TEST_F(OrganismTest, ShutdownWaitsForWorkAndSignsOff) {
  std::atomic<bool> entered = false;
  std::atomic<bool> go_on = false;
  ASSERT_TRUE(organism.executors().Register(
      {.type = "slow", .doc = "", .params_schema = {}, .execute = [&](const TaskSpec&, const CallContext&) {
         entered.store(true);
         entered.notify_all();
         go_on.wait(false);
         return ExecutionResult::Success(nullptr);
       }}));
  Start();
  bool finished = false;
  std::jthread worker([&] { finished = organism.Execute("left", {.type = "slow"}, call)->success; });
  entered.wait(false);
  Result<bool> down = false;
  std::jthread stopper([&] { down = organism.Shutdown(call); });
  EXPECT_TRUE(Eventually([&] { return !organism.IsInitialized(); }));
  EXPECT_EQ(organism.Execute("left", {.type = "echo"}, call).error().code, ErrorCode::kUnavailable);
  go_on.store(true);
  go_on.notify_all();
  worker.join();
  stopper.join();
  EXPECT_TRUE(finished);
  EXPECT_EQ(down, true);
  EXPECT_TRUE(ActiveInstanceIds("left").empty());
  EXPECT_EQ(organism.Shutdown(call), false);
  EXPECT_EQ(organism.Initialize(), true);
}

TEST_F(OrganismTest, ManyThreadsExecuteAndTheBooksBalance) {
  Start();
  const double before = organism.population().Energy().total;
  std::mutex mutex;
  double sum = 0.0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 50; ++i) {
          const auto execution =
              organism.Execute(t % 2 == 0 ? "left" : "right", {.id = fmt::format("{}-{}", t, i), .type = "echo"}, call);
          ASSERT_TRUE(execution);
          const std::lock_guard lock(mutex);
          sum += execution->effects.ledger.front().delta_e;
        }
      });
    }
  }
  EXPECT_NEAR(organism.population().Energy().total - before, sum, 1e-9);
}

// Evolution, end to end.

TEST_F(OrganismTest, ASplitThatDoesNotPayIsDeclined) {
  Start();
  const auto outcome = organism.Evolve({.op = EvolutionOp::kSplit, .organ_id = "left", .k = 2}, call);
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->accepted);
  EXPECT_FALSE(outcome->applied);
  EXPECT_EQ(registry().Organs()->size(), 2U);
}

TEST_F(OrganismTest, AForcedSplitIsMadeInMemoryAndRegistry) {
  Start();
  const auto outcome = organism.Evolve({.op = EvolutionOp::kSplit, .organ_id = "left", .k = 2, .force = true}, call);
  ASSERT_TRUE(outcome) << ToString(outcome.error());
  EXPECT_TRUE(outcome->applied);
  EXPECT_EQ(organism.population().Organ("left")->agent_ids.size(), 1U);
  EXPECT_EQ(organism.population().Organ("left_split_1")->agent_ids.size(), 1U);
  const auto rows = registry().Organs();
  const auto row = std::ranges::find(*rows, "left_split_1", &store::RegistryStore::OrganRow::organ_id);
  ASSERT_NE(row, rows->end());
  EXPECT_EQ(row->agent_ids, std::vector<std::string>{"left_agent_1"});
  EXPECT_EQ(ActiveInstanceIds("left_split_1").size(), 1U);
  EXPECT_EQ(store->ledger().Recent(1)->front().scope, "cluster");
  EXPECT_TRUE(organism.Execute("left_split_1", {.type = "echo"}, call)->success);
}

TEST_F(OrganismTest, TheMeasuredChangeOfAnEvolutionIsThePredictedOne) {
  Start();
  for (int i = 0; i < 5; ++i) (void)MustExecute({});
  (void)MustExecute({}, "right");
  const auto outcome =
      organism.Evolve({.op = EvolutionOp::kMerge, .organ_id = "right", .sources = {"left"}, .force = true}, call);
  ASSERT_TRUE(outcome) << ToString(outcome.error());
  EXPECT_NE(outcome->measured_after, outcome->measured_before);
  EXPECT_NEAR(outcome->measured_after - outcome->measured_before,
              outcome->plan.energy_after - outcome->plan.energy_before, 1e-12);
  EXPECT_EQ(outcome->accepted, outcome->plan.energy_after - outcome->plan.energy_before + outcome->plan.cost < 0.0);
}

/// Refuses new rules, which is the last thing that an evolution does to the registry.
class RegistryWithoutRules final : public ForwardingRegistry {
 public:
  using ForwardingRegistry::ForwardingRegistry;
  Result<void> ChangeRoutingRules(std::span<const store::RoutingRule>, std::span<const store::RoutingRule>) override {
    return Fail(ErrorCode::kUnavailable, "disk full");
  }
};

TEST_F(OrganismTest, AnEvolutionThatTheRegistryRefusesHalfWayIsUndone) {
  RegistryWithoutRules broken(registry());
  StoreWithRegistry broken_store(*store, broken);
  Organism unlucky(SmallConfig(), OrganismSettings{}, env, broken_store, metrics);
  ASSERT_TRUE(unlucky.executors().Register(Echo()));
  ASSERT_TRUE(unlucky.Initialize());
  const auto agents_before = registry().Organs()->front().agent_ids;
  const auto refused =
      unlucky.Evolve({.op = EvolutionOp::kMerge, .organ_id = "right", .sources = {"left"}, .force = true}, call);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "disk full");
  EXPECT_EQ(unlucky.population().Organ("left")->agent_ids.size(), 2U);
  ASSERT_EQ(registry().Organs()->size(), 2U);
  EXPECT_EQ(registry().Organs()->front().agent_ids, agents_before);
}

TEST_F(OrganismTest, AMergeTakesTheRoutesAlong) {
  Start();
  ASSERT_TRUE(
      organism.Evolve({.op = EvolutionOp::kMerge, .organ_id = "right", .sources = {"left"}, .force = true}, call));
  const auto route = organism.routing().Resolve("echo", "", "", call);
  ASSERT_TRUE(route);
  EXPECT_EQ(route->logical_id, "right");
  EXPECT_EQ(organism.population().Organ("right")->agent_ids.size(), 4U);
  EXPECT_EQ(registry().Organs()->size(), 1U);
}

TEST_F(OrganismTest, AnOrganThatStillGetsTasksIsNotRetired) {
  Start();
  const auto outcome = organism.Evolve({.op = EvolutionOp::kRetire, .organ_id = "left", .force = true}, call);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().message,
            "left still gets tasks of type echo; give params.migrate_to or change the routing rules");
  EXPECT_EQ(organism.Evolve({.op = EvolutionOp::kRetire, .organ_id = "right", .force = true}, call).error().message,
            "right is the default organ and can't go away");
}

TEST_F(OrganismTest, EvolvedStructureEndsWithTheProcess) {
  Start();
  ASSERT_TRUE(organism.Evolve({.op = EvolutionOp::kClone, .organ_id = "left", .force = true}, call));
  EXPECT_EQ(registry().Organs()->size(), 3U);
  ASSERT_TRUE(organism.Shutdown(call));
  ASSERT_TRUE(organism.Initialize());
  EXPECT_EQ(registry().Organs()->size(), 2U);
}

}  // namespace
}  // namespace seedcore::organism
