#include "coordinator/plan.h"

#include <algorithm>
#include <atomic>
#include <latch>
#include <map>
#include <mutex>
#include <random>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json_binding.h"
#include "base/sim_env.h"
#include "coordinator/plan_inputs.h"

namespace seedcore::coordinator {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

Result<Plan> Parse(std::string_view text) { return ParsePlan(ParseJson(text)->as_array()); }

/// The dependencies of the last step of a three-step plan in which it says `depends_on`.
std::vector<std::size_t> DependenciesOf(std::string_view depends_on) {
  const auto plan = Parse(fmt::format(R"([{{"step_id":"a","task":{{"id":"task-a"}}}},{{"step_id":"b","task":{{}}}},
                                          {{"step_id":"c","task":{{}},"depends_on":{}}}])",
                                      depends_on));
  EXPECT_TRUE(plan) << depends_on;
  return plan ? plan->steps[2].depends_on : std::vector<std::size_t>{};
}

TEST(Plan, UnderstandsEveryWayToNameAStep) {
  EXPECT_THAT(DependenciesOf("[0, 1]"), ElementsAre(0, 1));
  EXPECT_THAT(DependenciesOf(R"(["1", "0"])"), ElementsAre(0, 1));
  EXPECT_THAT(DependenciesOf(R"("b")"), ElementsAre(1));
  EXPECT_THAT(DependenciesOf(R"(["task-a"])"), ElementsAre(0));
  EXPECT_THAT(DependenciesOf(R"([[{"step_id":"b"}], {"parent_task_id":"task-a"}])"), ElementsAre(0, 1));
  EXPECT_THAT(DependenciesOf(R"([{"task":{"id":"a"}}])"), ElementsAre(0));
  EXPECT_THAT(DependenciesOf("null"), IsEmpty());
}

TEST(Plan, DropsDependenciesThatMeanNothingAndSaysSo) {
  const auto plan = Parse(R"([{"task":{}},{"task":{},"depends_on":[7, "nobody", 1, 0, 0, -1, true, {}]}])");
  ASSERT_TRUE(plan);
  EXPECT_THAT(plan->steps[1].depends_on, ElementsAre(0));
  EXPECT_EQ(plan->warnings.size(), 7u);
  EXPECT_EQ(plan->warnings[2], "step 'step_1': the dependency 1 names the step itself");
}

TEST(Plan, RefusesWhatCannotBeRun) {
  EXPECT_THAT(Parse("[]").error().message, HasSubstr("no steps"));
  EXPECT_EQ(Parse(R"([{"task":{}}, 5])").error().path, "steps[1]");
  EXPECT_THAT(Parse(R"([{"task":"x"}])").error().message, HasSubstr("no task object"));
  EXPECT_THAT(Parse(R"([{"id":"a","task":{}},{"step_id":"a","task":{}}])").error().message, HasSubstr("used twice"));
  json::array many(17, json::object{{"task", json::object{}}});
  EXPECT_THAT(ParsePlan(many).error().message, HasSubstr("17 steps; at most 16"));
}

TEST(Plan, RefusesCycles) {
  EXPECT_THAT(Parse(R"([{"task":{},"depends_on":[2]},{"task":{},"depends_on":[0]},{"task":{},"depends_on":[1]}])")
                  .error()
                  .message,
              HasSubstr("waits for itself"));
}

/// The error of a workflow with these steps.
Error Refusal(std::string_view steps) {
  const auto plan = ReadWorkflow({{"steps", ParseJson(steps).value()}}, 256);
  EXPECT_FALSE(plan) << steps;
  return plan ? Error{} : plan.error();
}

TEST(Workflow, WhatMakesNoSenseIsRefusedWithItsPlace) {
  struct Case {
    const char* steps;
    const char* path;
    const char* message;
  };
  const std::vector<Case> cases{
      {"[]", "params.steps", "no steps"},
      {"5", "params.steps", "a list of objects"},
      {R"([{"task":{"type":"x"}},7])", "params.steps[1]", "expected an object"},
      {R"([{"step_id":"a","task":{"type":"x"}},{"step_id":"a","task":{"type":"x"}}])", "params.steps[1]", "used twice"},
      {R"([{"step_id":"a","task":{"type":"x"},"depends_on":["b"]},{"step_id":"b","task":{"type":"x"},"depends_on":["a"]}])",
       "params.steps[0].depends_on", "waits for itself"},
      {R"([{"task":{"type":"x"}},{"task":{"type":"x"},"depends_on":["step_0","nobody"]}])",
       "params.steps[1].depends_on[1]", "names no step"},
      {R"([{"task":{"type":"x","depends_on":[{"step_id":"nobody"}]}}])", "params.steps[0].task.depends_on[0].step_id",
       "names no step"},
      {R"([{"step_id":"a","task":{"type":"x"},"depends_on":"a"}])", "params.steps[0].depends_on", "itself"},
      {R"([{"task":{"type":"x"},"depend_on":[]}])", "params.steps[0].depend_on", "no member 'depend_on'"},
      {R"([{"step_id":7,"task":{"type":"x"}}])", "params.steps[0].step_id", "expected a text"},
      {R"([{"task":{}}])", "params.steps[0].task.type", "needs a type"},
      {R"([{}])", "params.steps[0]", "no task object"},
      {R"([{"task":{"type":"x"},"hold":{"reason":"?"}}])", "params.steps[0]", "not both"},
      {R"([{"hold":{"reason":"?","timeout_s":-1}}])", "params.steps[0].hold.timeout_s", "expected 0"},
      {R"([{"task":{"type":"x"},"retry":{"max_attempts":0}}])", "params.steps[0].retry.max_attempts", "expected 1"},
      {R"([{"task":{"type":"x"},"timeout_s":"soon"}])", "params.steps[0].timeout_s", ""},
      {R"([{"task":{"type":"x","params":"y"}}])", "params.steps[0].task.params", "expected an object"},
      {R"([{"step_id":"a","task":{"type":"x"}},{"task":{"type":"x","params":{"n":["${a.n}"]}}}])",
       "params.steps[1].task.params", "names no step that this one depends on"},
  };
  for (const Case& c : cases) {
    const Error error = Refusal(c.steps);
    EXPECT_EQ(error.code, ErrorCode::kInvalidArgument);
    EXPECT_EQ(error.path, c.path);
    EXPECT_THAT(error.message, HasSubstr(c.message));
  }
  EXPECT_EQ(ReadWorkflow({}, 256).error().path, "params.steps");
  EXPECT_THAT(ReadWorkflow({{"steps", json::array(3)}}, 2).error().message, HasSubstr("at most 2"));
}

TEST(Workflow, WhatMakesSenseIsRead) {
  const auto plan = ReadWorkflow(
      {{"steps",
        ParseJson(R"([{"step_id":"a.b","task":{"type":"x"}},{"step_id":null,"hold":{"reason":"?"},"depends_on":[0]},
        {"task":{"type":"y","params":{"n":"${a.b.n} of ${step_1}, ${ is open"}},"depends_on":["a.b","step_1"]}])")
            .value()}},
      256);
  ASSERT_TRUE(plan) << ToString(plan.error());
  EXPECT_THAT(plan->steps[2].depends_on, ElementsAre(0, 1));
}

TEST(Plan, SurvivesBeingStored) {
  const auto plan = Parse(R"([{"task":{"type":"x","depends_on":["b"]}},{"id":"b","task":{"type":"y"}}])");
  ASSERT_TRUE(plan);
  const auto again = ParsePlan(ToJson(*plan));
  ASSERT_TRUE(again);
  EXPECT_EQ(ToJson(*again), ToJson(*plan));
  EXPECT_THAT(again->steps[0].depends_on, ElementsAre(1));
}

Plan RandomPlan(std::mt19937_64& engine) {
  const auto size = 1 + engine() % kMaxPlanSteps;
  std::vector<std::size_t> order(size);  // a topological order that is not the order of the steps
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::shuffle(order, engine);
  Plan plan;
  for (std::size_t i = 0; i < size; ++i)
    plan.steps.push_back({.id = fmt::format("s{}", i), .task = {}, .depends_on = {}});
  for (std::size_t later = 1; later < size; ++later) {
    for (std::size_t earlier = 0; earlier < later; ++earlier) {
      if (engine() % 4 == 0) plan.steps[order[later]].depends_on.push_back(order[earlier]);
    }
    std::ranges::sort(plan.steps[order[later]].depends_on);
  }
  return plan;
}

TEST(PlanRun, RandomGraphsRespectOrderFailuresAndInputs) {
  std::mt19937_64 engine(4);
  SimEnv env;
  for (int round = 0; round < 300; ++round) {
    const Plan plan = RandomPlan(engine);
    std::set<std::string> failing;
    for (const PlanStep& step : plan.steps) {
      if (engine() % 8 == 0) failing.insert(step.id);
    }
    std::mutex mutex;
    std::map<std::string, int> started;
    std::set<std::string> finished;
    std::atomic<int> running = 0;
    std::atomic<int> most = 0;
    const int parallel = 1 + static_cast<int>(engine() % 4);
    PlanHooks hooks;
    hooks.run = [&](const PlanStep& step, const json::object& inputs) -> Result<json::value> {
      const int now = ++running;
      for (int seen = most; seen < now && !most.compare_exchange_weak(seen, now);) {
      }
      {
        const std::lock_guard lock(mutex);
        ++started[step.id];
        EXPECT_EQ(inputs.size(), step.depends_on.size());
        for (const std::size_t d : step.depends_on) {
          EXPECT_TRUE(finished.contains(plan.steps[d].id));
          EXPECT_EQ(inputs.at(plan.steps[d].id), json::value("out " + plan.steps[d].id));
        }
      }
      std::this_thread::yield();
      --running;
      if (failing.contains(step.id)) return Fail(ErrorCode::kUnavailable, "broken");
      const std::lock_guard lock(mutex);
      finished.insert(step.id);
      return json::value("out " + step.id);
    };
    const auto outcomes = RunPlan(plan, hooks, parallel, {}, env);
    EXPECT_LE(most, parallel);
    for (std::size_t i = 0; i < plan.steps.size(); ++i) {
      const bool blocked = std::ranges::any_of(plan.steps[i].depends_on,
                                               [&](auto d) { return outcomes[d].status != StepStatus::kDone; });
      const StepStatus expected = blocked                              ? StepStatus::kSkipped
                                  : failing.contains(plan.steps[i].id) ? StepStatus::kFailed
                                                                       : StepStatus::kDone;
      EXPECT_EQ(outcomes[i].status, expected);
      EXPECT_EQ(started[plan.steps[i].id], blocked ? 0 : 1);
      if (expected != StepStatus::kDone) {
        EXPECT_EQ(outcomes[i].error->code, ErrorCode::kUnavailable);
      }
    }
  }
}

TEST(PlanRun, IndependentStepsRunSideBySide) {
  const auto plan = Parse(R"([{"task":{}},{"task":{}},{"task":{}}])");
  SimEnv env;
  std::latch together(3);  // opens only when all three are running at once
  PlanHooks hooks;
  hooks.run = [&](const PlanStep&, const json::object&) -> Result<json::value> {
    together.arrive_and_wait();
    return json::value(1);
  };
  for (const auto& outcome : RunPlan(*plan, hooks, 3, {}, env)) EXPECT_EQ(outcome.status, StepStatus::kDone);
}

TEST(PlanRun, OneThreadTakesReadyStepsInTheirOrder) {
  const auto plan = Parse(R"([{"id":"a","task":{},"depends_on":["d"]},{"id":"b","task":{}},{"id":"c","task":{}},
                              {"id":"d","task":{}}])");
  SimEnv env;
  std::string order;
  PlanHooks hooks;
  hooks.run = [&](const PlanStep& step, const json::object&) -> Result<json::value> {
    order += step.id;
    return json::value();
  };
  static_cast<void>(RunPlan(*plan, hooks, 1, {}, env));
  EXPECT_EQ(order, "bcda");
}

TEST(PlanRun, ASecondRunSkipsWhatTheFirstFinished) {
  const auto plan = Parse(R"([{"id":"a","task":{}},{"id":"b","task":{},"depends_on":["a"]}])");
  SimEnv env;
  std::map<std::string, json::value> checkpoints;
  int runs = 0;
  bool broken = true;
  PlanHooks hooks;
  hooks.run = [&](const PlanStep& step, const json::object&) -> Result<json::value> {
    ++runs;
    if (step.id == "b" && broken) return Fail(ErrorCode::kUnavailable, "broken");
    return json::value("out " + step.id);
  };
  hooks.recall = [&](const PlanStep& step) -> std::optional<Result<json::value>> {
    const auto found = checkpoints.find(step.id);
    return found == checkpoints.end() ? std::nullopt : std::optional(Result<json::value>(found->second));
  };
  hooks.save = [&](const PlanStep& step, const json::value& output, bool) -> Result<void> {
    checkpoints[step.id] = output;
    return {};
  };
  EXPECT_EQ(RunPlan(*plan, hooks, 1, {}, env)[1].status, StepStatus::kFailed);
  broken = false;
  const auto outcomes = RunPlan(*plan, hooks, 1, {}, env);
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(outcomes[0].status, StepStatus::kReused);
  EXPECT_EQ(outcomes[1].status, StepStatus::kDone);
}

TEST(PlanRun, AHoldStopsWhatDependsOnItAndNothingElse) {
  const auto plan = Parse(R"([{"id":"ask","hold":{"reason":"may I?"}},{"id":"after","task":{},"depends_on":["ask"]},
                              {"id":"beside","task":{}}])");
  SimEnv env;
  PlanHooks hooks;
  int asked = 0;
  hooks.run = [](const PlanStep&, const json::object&) -> Result<json::value> { return 1; };
  hooks.wait = [&](const PlanStep& step) -> Result<void> {
    EXPECT_EQ(step.hold->reason, "may I?");
    ++asked;
    return {};
  };
  const auto outcomes = RunPlan(*plan, hooks, 4, {}, env);
  EXPECT_EQ(outcomes[0].status, StepStatus::kWaiting);
  EXPECT_EQ(outcomes[1].status, StepStatus::kPending);
  EXPECT_EQ(outcomes[2].status, StepStatus::kDone);
  EXPECT_EQ(asked, 1);
  hooks.wait = nullptr;
  EXPECT_EQ(RunPlan(*plan, hooks, 4, {}, env)[1].status, StepStatus::kSkipped);
}

TEST(PlanRun, AStepWhoseCheckpointFailsIsNotDone) {
  const auto plan = Parse(R"([{"id":"a","task":{}},{"id":"b","task":{},"depends_on":["a"]}])");
  SimEnv env;
  PlanHooks hooks;
  hooks.run = [](const PlanStep&, const json::object&) -> Result<json::value> { return 1; };
  hooks.save = [](const PlanStep&, const json::value&, bool) -> Result<void> {
    return Fail(ErrorCode::kUnavailable, "disk full");
  };
  const auto outcomes = RunPlan(*plan, hooks, 2, {}, env);
  EXPECT_EQ(outcomes[0].status, StepStatus::kFailed);
  EXPECT_EQ(outcomes[0].error->message, "disk full");
  EXPECT_EQ(outcomes[1].status, StepStatus::kSkipped);
}

TEST(PlanRun, OnlyTheStepThatCompletesThePlanIsTheLast) {
  const auto plan = Parse(R"([{"id":"a","task":{}},{"id":"b","task":{},"depends_on":["a"]}])");
  SimEnv env;
  PlanHooks hooks;
  std::vector<std::pair<std::string, bool>> saved;
  hooks.run = [](const PlanStep&, const json::object&) -> Result<json::value> { return 1; };
  hooks.save = [&](const PlanStep& step, const json::value&, bool is_last) -> Result<void> {
    saved.emplace_back(step.id, is_last);
    return {};
  };
  (void)RunPlan(*plan, hooks, 1, {}, env);
  EXPECT_EQ(saved, (std::vector<std::pair<std::string, bool>>{{"a", false}, {"b", true}}));
}

TEST(PlanParse, AStepSaysHowItIsRetriedAndWhatItWaitsFor) {
  const auto plan = Parse(R"([{"id":"a","task":{"type":"x"},"retry":{"max_attempts":3},"timeout_s":5},
                              {"id":"b","hold":{"reason":"?","timeout_s":60},"depends_on":["a"]}])");
  EXPECT_EQ(plan->steps[0].retry.max_attempts, 3);
  EXPECT_EQ(plan->steps[0].timeout_s, 5.0);
  EXPECT_EQ(plan->steps[1].hold->timeout_s, 60.0);
  EXPECT_EQ(ToJson(*ParsePlan(ToJson(*plan))), ToJson(*plan));
  EXPECT_FALSE(Parse(R"([{"id":"a","task":{},"hold":{"reason":"?"}}])"));
  EXPECT_FALSE(Parse(R"([{"id":"a","task":{},"retry":{"max_attempts":0}}])"));
  EXPECT_FALSE(Parse(R"([{"id":"a","task":{},"retry":{"max_attemps":2}}])"));
}

TEST(PlanRun, NoStepBeginsPastTheDeadline) {
  const auto plan = Parse(R"([{"id":"a","task":{}},{"id":"b","task":{}}])");
  SimEnv env;
  PlanHooks hooks;
  hooks.run = [&](const PlanStep&, const json::object&) -> Result<json::value> {
    env.Advance(std::chrono::seconds(2));
    return json::value();
  };
  const auto outcomes = RunPlan(*plan, hooks, 1, CallContext{}.Within(std::chrono::seconds(1), env), env);
  EXPECT_EQ(outcomes[0].status, StepStatus::kDone);
  EXPECT_EQ(outcomes[0].took, std::chrono::seconds(2));
  EXPECT_EQ(outcomes[1].error->code, ErrorCode::kDeadlineExceeded);
}

TEST(PlanRun, AThrowingStepFails) {
  const auto plan = Parse(R"([{"task":{}}])");
  SimEnv env;
  PlanHooks hooks;
  hooks.run = [](const PlanStep&, const json::object&) -> Result<json::value> { throw std::runtime_error("oops"); };
  EXPECT_EQ(RunPlan(*plan, hooks, 2, {}, env)[0].error->code, ErrorCode::kInternal);
}

std::string Resolve(std::string_view params) {
  const auto inputs = ParseJson(R"({"a":{"n":1,"list":["x",{"y":2}]},"a.b":{"n":5}})")->as_object();
  const auto resolved = ResolveInputs(*ParseJson(params), inputs);
  return resolved ? WriteJson(*resolved) : resolved.error().message;
}

TEST(PlanInputs, AReferenceBecomesTheValueItself) {
  EXPECT_EQ(Resolve(R"({"q":"${a.list.1}","deep":[["${a.n}"]]})"), R"({"q":{"y":2},"deep":[[1]]})");
  EXPECT_EQ(Resolve(R"(["${a.b.n}","${a.n}"])"), "[5,1]");
}

TEST(PlanInputs, InsideATextItBecomesText) {
  EXPECT_EQ(Resolve(R"("${a.list.0} and ${a.n}${a.n}, 5 $ {a} ${")"), R"("x and 11, 5 $ {a} ${")");
}

TEST(PlanInputs, AReferenceToNothingIsRefused) {
  EXPECT_EQ(Resolve(R"("${b.n}")"), "the reference ${b.n} names no step that this one depends on");
  EXPECT_EQ(Resolve(R"("${a.list.2}")"), "the reference ${a.list.2} names nothing in the output of that step");
}

}  // namespace
}  // namespace seedcore::coordinator
