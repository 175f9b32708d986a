#include "coordinator/rules.h"

#include <fstream>
#include <iterator>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/router.h"

namespace seedcore::coordinator {
namespace {

using testing::HasSubstr;

constexpr std::string_view kMinimal = R"(
routing:
  - when: task.type == "a"
    do: fast_path:organ_a
mutations:
  - when: "true"
    do: hold
)";

std::string ErrorOf(std::string_view yaml) {
  const auto rules = ParseRules(yaml, "rules.yaml");
  return rules ? "loads" : rules.error().path + " " + rules.error().message;
}

TEST(ShippedRules, BuiltInTextIsTheFileInTheRepository) {
  std::ifstream file(std::string(SEEDCORE_SOURCE_DIR) + "/config/predicates.yaml");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_EQ(BuiltInRulesText(), text);
}

TEST(Rules, AreSortedByPriorityAndKeepTheFilesOrderWithinOne) {
  const auto rules = ParseRules(R"(
routing:
  - {when: "1", do: hold, description: low}
  - {when: "1", do: hold, priority: 5, description: first}
  - {when: "1", do: retry, priority: 5, description: second}
mutations: [{when: "1", do: skip}]
)",
                                "rules.yaml");
  ASSERT_TRUE(rules) << ToString(rules.error());
  EXPECT_EQ(rules->routing[0].description, "first");
  EXPECT_EQ(rules->routing[1].description, "second");
  EXPECT_EQ(rules->routing[2].description, "low");
  EXPECT_EQ(rules->routing[2].line, 3);
}

TEST(Rules, FlagsAreOnAndFallbacksCautiousWhenAbsent) {
  const auto rules = ParseRules(kMinimal, "rules.yaml");
  ASSERT_TRUE(rules);
  EXPECT_TRUE(rules->routing_enabled && rules->mutations_enabled && rules->gpu_guard_enabled);
  EXPECT_EQ(rules->fallback_routing, RouteAction::kEscalate);
  EXPECT_EQ(rules->fallback_mutation, MutationAction::kHold);
}

TEST(Rules, MutationsMayBeEmptyWhereTheyAreDisabled) {
  const std::string routing = "routing: [{when: '1', do: hold}]\n";
  EXPECT_EQ(ErrorOf(routing + "mutations: []\nmutations_enabled: false"), "loads");
  EXPECT_EQ(ErrorOf(routing + "mutations: []"), "rules.yaml:2 'mutations' needs at least one rule");
}

TEST(RuleErrors, NameFileLineRuleAndColumn) {
  EXPECT_EQ(
      ErrorOf("routing:\n  - when: '1'\n    do: hold\n  - when: task.type == 'x' and p_fsat > 1\n    do: hold\n"
              "    description: Odd\n"),
      "rules.yaml:4 routing[1] (\"Odd\"): 'when': line 1, column 22: unknown name 'p_fsat'; did you mean 'p_fast'?");
}

TEST(RuleErrors, NameTheNearestKey) {
  EXPECT_EQ(ErrorOf("ruting: []"), "rules.yaml:1 the file has an unknown key 'ruting'; did you mean 'routing'?");
  EXPECT_EQ(ErrorOf("routing:\n  - {whem: '1', do: hold}"),
            "rules.yaml:2 routing[0] has an unknown key 'whem'; did you mean 'when'?");
}

TEST(RuleErrors, CoverEveryPartOfARule) {
  const auto error = [](std::string_view rule) { return ErrorOf("routing:\n  - " + std::string(rule)); };
  EXPECT_THAT(error("{do: hold}"), HasSubstr("routing[0]: 'when' must be an expression"));
  EXPECT_THAT(error("{when: '1'}"), HasSubstr("routing[0]: 'do' must name an action"));
  EXPECT_THAT(error("{when: '1', do: run}"),
              HasSubstr("unknown action 'run'; known are fast_path, escalate, hold, retry"));
  EXPECT_THAT(error("{when: '1', do: 'hold:x'}"), HasSubstr("only fast_path takes an organ"));
  EXPECT_THAT(error("{when: '1', do: 'fast_path:'}"), HasSubstr("an organ is missing"));
  EXPECT_THAT(error("{when: '1', do: hold, priority: high}"), HasSubstr("routing[0]: 'priority' must be a number"));
  EXPECT_THAT(error("{when: '1', when: '0', do: hold}"), HasSubstr("has the key 'when' twice"));
  EXPECT_THAT(error("just text"), HasSubstr("must be a mapping"));
}

TEST(RuleErrors, CoverTheRestOfTheFile) {
  const std::string minimal(kMinimal);
  EXPECT_THAT(ErrorOf(""), HasSubstr("must be a mapping"));
  EXPECT_THAT(ErrorOf("mutations: []"), HasSubstr("'routing' is missing"));
  EXPECT_THAT(ErrorOf("routing: 5"), HasSubstr("'routing' must be a list of rules"));
  EXPECT_THAT(ErrorOf(minimal + "gpu_guard: {daily_budget_hours: 25}"), HasSubstr("must be a number between 0 and 24"));
  EXPECT_THAT(ErrorOf(minimal + "gpu_guard: {daily_budget_hours: .nan}"), HasSubstr("must be a number"));
  EXPECT_THAT(ErrorOf(minimal + "gpu_guard: {max_concurrent: 0}"), HasSubstr("must be a number between 1"));
  EXPECT_THAT(ErrorOf(minimal + "fallback: {routing: submit_tuning}"), HasSubstr("unknown action"));
  EXPECT_THAT(ErrorOf(minimal + "routing_enabled: perhaps"), HasSubstr("must be true or false"));
  EXPECT_THAT(ErrorOf("routing: [\n  {when: '1'"), HasSubstr("rules.yaml:"));
  EXPECT_THAT(ErrorOf(std::string(300'000, ' ')), HasSubstr("at most 262144 are allowed"));
  EXPECT_THAT(ErrorOf(std::string(100'000, '[')), HasSubstr("rules.yaml:"));
}

TEST(RuleErrors, AliasesCannotBlowTheFileUp) {
  std::string yaml = std::string(kMinimal) + "alerts:\n  - &a0 [x]\n";
  for (int i = 1; i < 30; ++i) {
    yaml += "  - &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + ", *a" + std::to_string(i - 1) + "]\n";
  }
  EXPECT_THAT(ErrorOf(yaml), HasSubstr("'alerts' is too large"));
}

class Routing : public testing::Test {
 protected:
  Routing() : rules_(*ParseRules(BuiltInRulesText(), "built-in")) {
    Set(Signal::kPFast, 1.0);
    Set(Signal::kSDrift, 0.1);
    Set(Signal::kOcpsEscalate, 0);
    Set(Signal::kMemoryUtilization, 0.5);
    Set(Signal::kCpuUtilization, 0.3);
  }
  void Set(Signal signal, double value) { ASSERT_TRUE(signals_.Set(signal, value)); }
  RouteDecision Route(std::string_view type, int priority = 5, double complexity = 0.5) {
    return Decide(rules_, {.type = type, .priority = priority, .complexity = complexity}, signals_);
  }

  RuleSet rules_;
  Signals signals_;
};

TEST_F(Routing, AnomaliesFollowDriftAndTheFastShare) {
  EXPECT_EQ(Route("anomaly_triage").rule, "Anomaly with low drift, fast path healthy");
  Set(Signal::kPFast, 0.8);
  EXPECT_EQ(Route("anomaly_triage").action, RouteAction::kEscalate);
  Set(Signal::kPFast, 1.0);
  Set(Signal::kSDrift, 0.71);
  EXPECT_EQ(Route("anomaly_triage").rule, "Anomaly with high drift");
  Set(Signal::kSDrift, 0);  // a whole number is as good as a fraction
  EXPECT_EQ(Route("anomaly_triage").action, RouteAction::kFastPath);
}

TEST_F(Routing, TheVerdictOfTheDriftValveIsUsed) {
  Set(Signal::kOcpsEscalate, 1);
  EXPECT_EQ(Route("general_query").action, RouteAction::kEscalate);
  EXPECT_EQ(Route("fact_store").action, RouteAction::kFastPath);
}

TEST_F(Routing, QueriesFollowTheMeasuredLatency) {
  EXPECT_EQ(Route("general_query").action, RouteAction::kFastPath);
  Set(Signal::kFastPathLatencyMs, 99.9);
  EXPECT_EQ(Route("general_query").action, RouteAction::kFastPath);
  Set(Signal::kFastPathLatencyMs, 100);
  EXPECT_EQ(Route("general_query").rule, "Query, fast path is slow");
}

TEST_F(Routing, ExecutionFollowsTheLoadOfTheMachine) {
  EXPECT_EQ(Route("execute").organ, "actuator_organ_1");
  Set(Signal::kCpuUtilization, 0.95);
  EXPECT_EQ(Route("execute").action, RouteAction::kEscalate);
}

TEST_F(Routing, UrgentTasksEscalateAndSimpleOnesDoNot) {
  EXPECT_EQ(Route("other", 8).action, RouteAction::kEscalate);
  EXPECT_EQ(Route("other", 3, 0.2).rule, "Simple and not urgent");
  EXPECT_EQ(Route("other").rule, "Everything else");
  EXPECT_EQ(Route("health_check", 9).action, RouteAction::kFastPath);
}

TEST_F(Routing, ARuleThatCannotBeComputedIsSkippedAndCounted) {
  signals_ = Signals();
  const RouteDecision decision = Route("anomaly_triage");
  EXPECT_EQ(decision.rule, "Everything else");
  EXPECT_EQ(decision.trace.skipped, 3u);
  EXPECT_THAT(decision.trace.first_skip, HasSubstr("Anomaly with high drift: line 1, column 43"));
}

TEST_F(Routing, FallsBackWhenNoRuleMatches) {
  rules_ = *ParseRules(std::string(kMinimal) + "fallback: {routing: hold}", "rules.yaml");
  EXPECT_EQ(Route("a").organ, "organ_a");
  EXPECT_EQ(Route("b").action, RouteAction::kHold);
}

TEST_F(Routing, EverythingTakesTheFastPathWhileRoutingIsDisabled) {
  rules_.routing_enabled = false;
  Set(Signal::kSDrift, 5);
  EXPECT_EQ(Route("anomaly_triage").action, RouteAction::kFastPath);
}

TEST_F(Routing, RulesSeeParametersAndFeatures) {
  rules_ = *ParseRules(R"(
routing: [{when: "task.params.cart.total > 10 and 'vip' in task.features.tags", do: hold}]
mutations: [{when: "1", do: hold}]
fallback: {routing: retry}
)",
                       "rules.yaml");
  const json::object params = ParseJson(R"({"cart":{"total":11}})")->as_object();
  const json::object features = ParseJson(R"({"tags":["vip"]})")->as_object();
  EXPECT_EQ(Decide(rules_, {.type = "a", .params = &params, .features = &features}, signals_).action,
            RouteAction::kHold);
  EXPECT_EQ(Route("a").action, RouteAction::kRetry);
}

TEST_F(Routing, MutationsHoldUntilThereAreRealNumbers) {
  const TaskView task{.type = "anomaly_triage"};
  EXPECT_EQ(DecideMutation(rules_, task, {.action = "tune"}, signals_).action, MutationAction::kHold);
  Set(Signal::kDeltaEEst, 0.06);
  Set(Signal::kGpuGuardOk, 1);
  Set(Signal::kGpuBudgetRemainingS, 601);
  EXPECT_EQ(DecideMutation(rules_, task, {.action = "tune"}, signals_).action, MutationAction::kSubmitTuning);
  EXPECT_EQ(DecideMutation(rules_, task, {.action = "hold"}, signals_).action, MutationAction::kHold);
  Set(Signal::kDeltaEEst, 0.03);
  Set(Signal::kGpuBudgetRemainingS, 2000);
  EXPECT_EQ(DecideMutation(rules_, task, {.action = "retrain"}, signals_).action, MutationAction::kSubmitRetrain);
  rules_.mutations_enabled = false;
  EXPECT_EQ(DecideMutation(rules_, task, {.action = "retrain"}, signals_).action, MutationAction::kHold);
}

TEST(Signals, RefuseWhatIsOutsideTheirRange) {
  Signals signals;
  EXPECT_FALSE(signals.Set(Signal::kTaskPriority, 11));
  EXPECT_FALSE(signals.Set(Signal::kTaskPriority, 5.5));
  EXPECT_FALSE(signals.Set(Signal::kPFast, 1.01));
  EXPECT_FALSE(signals.Set(Signal::kSDrift, std::numeric_limits<double>::infinity()));
  EXPECT_TRUE(signals.Set(Signal::kSDrift, -3));
  EXPECT_EQ(signals.Set(Signal::kGpuGuardOk, 2).error().path, "gpu_guard_ok");
  EXPECT_EQ(WriteJson(signals.ToJson()), R"({"s_drift":-3.0})");
}

}  // namespace
}  // namespace seedcore::coordinator
