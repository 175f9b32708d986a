#include "organism/executors/executors.h"

#include "organism/test_world.h"

namespace seedcore::organism {
namespace {

class ExecutorsTest : public World {
 protected:
  ExecutorsTest() {
    const auto registered = RegisterExecutors(
        executors,
        {.env = env,
         .store = *store,
         .host = host,
         .vitals = [this] { return vitals; },
         .webhook_post = [this](const std::string& url, const json::value& body,
                                const CallContext& context) -> Result<json::value> {
           posted.push_back(url + " " + WriteJson(body) + " " + context.idempotency_key);
           return json::value({{"accepted", true}});
         },
         .webhook_allow = {"https://Hooks.example.com/in", "http://127.0.0.1:9000"},
         .anomaly_triage = [this](const json::object& request, const CallContext&) -> Result<AnomalyTriageOutcome> {
           triaged = request;
           AnomalyTriageOutcome outcome;
           outcome.reply = {{"anomalies", json::array{}}, {"decision", {{"confidence", 0.4}}}};
           outcome.effects.incidents.push_back({.salience_score = 0.8, .event_data = {}});
           return outcome;
         },
         .more_tools = {}});
    EXPECT_TRUE(registered) << ToString(registered.error());
  }
  ExecutionResult Run(std::string type, std::string description, json::object params = {}) {
    const auto executor = executors.Find(type);
    EXPECT_TRUE(executor) << ToString(executor.error());
    return (*executor)->execute(
        {.id = "task-1", .type = type, .description = std::move(description), .params = std::move(params)}, call);
  }
  static std::string Formatted(const ExecutionResult& result) {
    if (!result.success) return ToString(*result.error);
    return std::string(result.result.at("formatted").as_string());
  }
  void AddFact(std::string text) { ASSERT_TRUE(store->facts().Add({std::move(text), {"test"}, {}})); }

  state::HostSampler host{env};
  Vitals vitals{.initialized = true, .organs = 3, .agents = 6, .running_tasks = 1, .free_slots = 47, .problems = {}};
  std::vector<std::string> posted;
  json::object triaged;
  ExecutorRegistry executors;
};

TEST_F(ExecutorsTest, EveryExecutorIsDocumentedAndHasASchema) {
  std::vector<std::string> types;
  for (const auto& executor : executors.All()) {
    types.push_back(executor->type);
    EXPECT_FALSE(executor->doc.empty());
    EXPECT_EQ(executor->params_schema.at("type").as_string(), "object");
  }
  EXPECT_EQ(types, (std::vector<std::string>{"anomaly_triage", "execute", "fact_search", "fact_store", "general_query",
                                             "health_check"}));
}

TEST_F(ExecutorsTest, ATypeIsRegisteredOnce) {
  EXPECT_EQ(executors.Register(Echo("execute")).error().code, ErrorCode::kConflict);
}

TEST_F(ExecutorsTest, ArithmeticIsAnsweredExactlyAndCitesTheTool) {
  const auto result = Run("general_query", "What is 12 * (3 + 4)?");
  EXPECT_EQ(Formatted(result), "12 * (3 + 4) = 84");
  EXPECT_EQ(result.result.at("query_type").as_string(), "math_query");
  const auto& cited = result.result.at("tools").at(0);
  EXPECT_EQ(cited.at("tool").as_string(), "calculate");
  EXPECT_EQ(cited.at("arguments").at("expression").as_string(), "12 * (3 + 4)");
  EXPECT_EQ(cited.at("output").at("value").as_int64(), 84);
  EXPECT_EQ(result.quality, 1.0);
}

TEST_F(ExecutorsTest, TimeAndDateComeFromTheClock) {
  const auto days = std::chrono::floor<std::chrono::days>(env.WallNow());
  env.Advance(std::chrono::days(1) - (env.WallNow() - days) + std::chrono::hours(9) + std::chrono::seconds(5));
  EXPECT_TRUE(Formatted(Run("general_query", "what time is it?")).starts_with("It is 09:00:05 UTC on "));
  const auto date = Run("general_query", "what is today's date");
  const std::string iso = ToRfc3339(env.WallNow()).substr(0, 10);
  EXPECT_EQ(date.result.at("tools").at(0).at("output").at("date").as_string(), iso);
}

TEST_F(ExecutorsTest, DivisionByZeroIsAFailureThatIsNotRetried) {
  const auto result = Run("general_query", "1 / 0");
  ASSERT_FALSE(result.success);
  EXPECT_EQ(result.error->code, ErrorCode::kNonRetryable);
  EXPECT_EQ(result.error->message, "calculate: division by zero at position 3");
}

TEST_F(ExecutorsTest, AQuestionNoToolAnswersFailsHonestly) {
  const auto result = Run("general_query", "who will win the cup?");
  ASSERT_FALSE(result.success);
  EXPECT_EQ(result.error->code, ErrorCode::kNonRetryable);
  EXPECT_TRUE(result.error->message.starts_with("no tool can answer 'who will win the cup?'. There are: time"));
}

TEST_F(ExecutorsTest, AStoredFactMayAnswerAQuestion) {
  AddFact("The cup was won by the blue team");
  const auto result = Run("general_query", "who won the cup?");
  EXPECT_EQ(Formatted(result), "The cup was won by the blue team");
  EXPECT_EQ(result.mem_hits, 1);
}

TEST_F(ExecutorsTest, AFactWithMostOfTheWordsAnswersToo) {
  AddFact("The cup was won by the blue team");
  AddFact("The cup is made of silver");
  EXPECT_EQ(Formatted(Run("general_query", "who won the cup yesterday?")), "The cup was won by the blue team");
  EXPECT_FALSE(Run("general_query", "where does the cup stand every other night?").success);
}

TEST_F(ExecutorsTest, StatusIsLive) {
  const auto result = Run("general_query", "system status");
  ASSERT_TRUE(result.success) << Formatted(result);
  EXPECT_NE(Formatted(result).find("6 agents, 1 tasks running"), std::string::npos) << Formatted(result);
  EXPECT_TRUE(result.result.at("tools").at(0).at("output").at("checks").at("store").at("healthy").as_bool());
}

TEST_F(ExecutorsTest, TasksAreCounted) {
  const store::NewTask task{.type = "execute", .description = "restart the pump"};
  ASSERT_TRUE(store->tasks().Submit(std::span(&task, 1)));
  const auto result = Run("general_query", "how many tasks are queued?");
  EXPECT_EQ(Formatted(result), "1 tasks in all: 1 queued. 1 of them match.");
  EXPECT_EQ(result.result.at("tools").at(0).at("output").at("tasks").as_array().size(), 1U);
}

TEST_F(ExecutorsTest, AnUnknownParameterIsRefusedWithItsPath) {
  const auto result = Run("general_query", "time", {{"qery", "x"}});
  ASSERT_FALSE(result.success);
  EXPECT_EQ(result.error->code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(result.error->path, "params.qery");
}

TEST_F(ExecutorsTest, ParametersOfRoutingAreLeftAlone) {
  EXPECT_TRUE(Run("general_query", "time", {{"organ_timeout_s", 5}, {"priority", 9}, {"agent_id", "a"}}).success);
}

TEST_F(ExecutorsTest, AHealthyHealthCheckSucceeds) {
  const auto result = Run("health_check", "");
  ASSERT_TRUE(result.success) << ToString(*result.error);
  EXPECT_TRUE(result.result.at("checks").at("organism").at("healthy").as_bool());
  EXPECT_GT(result.quality, 0.0);
}

TEST_F(ExecutorsTest, AHealthCheckFailsWhenTheOrganismCannotServe) {
  vitals.initialized = false;
  const auto result = Run("health_check", "");
  ASSERT_FALSE(result.success);
  EXPECT_EQ(*result.error, (Error{ErrorCode::kUnavailable, "organism: not initialized", ""}));
  EXPECT_EQ(result.result.at("status").as_string(), "unhealthy");
}

TEST_F(ExecutorsTest, AFactIsAnEffectOfTheTask) {
  const auto result = Run("fact_store", "", {{"text", " water is wet "}, {"tags", {"physics"}}});
  ASSERT_TRUE(result.success);
  ASSERT_EQ(result.effects.facts.size(), 1U);
  EXPECT_EQ(result.effects.facts[0].text, "water is wet");
  EXPECT_EQ(result.effects.facts[0].meta_data.at("task_id").as_string(), "task-1");
  EXPECT_EQ(store->facts().Count(), 0);
}

TEST_F(ExecutorsTest, AnEmptyFactIsRefused) { EXPECT_EQ(Run("fact_store", "  ").error->path, "params.text"); }

TEST_F(ExecutorsTest, FactSearchMeasuresHowMuchOfTheQueryWasFound) {
  AddFact("the pump in hall 4 leaks");
  const auto found = Run("fact_search", "", {{"query", "pump hall"}});
  ASSERT_TRUE(found.success);
  EXPECT_EQ(found.quality, 1.0);
  EXPECT_EQ(found.result.at("count").as_int64(), 1);
  const auto nothing = Run("fact_search", "", {{"query", "giraffe"}});
  EXPECT_TRUE(nothing.success);
  EXPECT_EQ(nothing.quality, 0.0);
  EXPECT_EQ(Run("fact_search", "", {{"query", "x"}, {"limit", 0}}).error->path, "params.limit");
}

TEST_F(ExecutorsTest, ExecuteRunsAToolByName) {
  const auto result = Run("execute", "", {{"tool", "calculate"}, {"arguments", {{"expression", "2+2"}}}});
  ASSERT_TRUE(result.success) << ToString(*result.error);
  EXPECT_EQ(result.result.at("output").at("value").as_int64(), 4);
}

TEST_F(ExecutorsTest, ExecuteNamesTheKnownTools) {
  EXPECT_EQ(Run("execute", "").error->path, "params.tool");
  const auto unknown = Run("execute", "", {{"tool", "webhok"}});
  EXPECT_EQ(unknown.error->code, ErrorCode::kNonRetryable);
  EXPECT_TRUE(unknown.error->message.starts_with("no tool called 'webhok', did you mean webhook?; tools: calculate"));
  EXPECT_EQ(Run("execute", "", {{"tool", "calculate"}, {"arguments", {{"expr", "1"}}}}).error->path,
            "params.arguments.expression");
}

TEST_F(ExecutorsTest, AWebhookGoesToAnAllowedUrlWithTheKey) {
  call.idempotency_key = "key-7";
  const auto result =
      Run("execute", "",
          {{"tool", "webhook"}, {"arguments", {{"url", "https://hooks.example.com/in/a"}, {"body", {1, 2}}}}});
  ASSERT_TRUE(result.success) << ToString(*result.error);
  EXPECT_EQ(posted, std::vector<std::string>{"https://hooks.example.com:443/in/a [1,2] key-7"});
}

TEST_F(ExecutorsTest, EveryOtherUrlIsDenied) {
  for (const auto* url :
       {"https://evil.example.com/in", "http://hooks.example.com/in", "https://hooks.example.com/inside",
        "https://hooks.example.com/in/../admin", "https://hooks.example.com/in/%2e%2e/admin",
        "https://hooks.example.com:444/in", "http://127.0.0.1:9001/", "http://127.0.0.1.evil.com:9000/"}) {
    const auto result = Run("execute", "", {{"tool", "webhook"}, {"arguments", {{"url", url}}}});
    ASSERT_FALSE(result.success) << url;
    EXPECT_EQ(result.error->code, ErrorCode::kPermissionDenied) << url;
    EXPECT_NE(result.error->message.find("SEEDCORE_WEBHOOK_ALLOW"), std::string::npos);
    EXPECT_EQ(result.error->path, "params.arguments.url");
  }
  EXPECT_TRUE(posted.empty());
}

TEST_F(ExecutorsTest, WhatIsNoWebUrlIsInvalid) {
  for (const auto* url : {"ftp://hooks.example.com/in", "hooks.example.com", "https://user:pw@hooks.example.com/in",
                          "https://hooks.example.com/in#x", "https:///in", ""}) {
    const auto result = Run("execute", "", {{"tool", "webhook"}, {"arguments", {{"url", url}}}});
    ASSERT_FALSE(result.success) << url;
    EXPECT_EQ(result.error->code, ErrorCode::kInvalidArgument) << url;
  }
}

TEST_F(ExecutorsTest, ABadAllowListIsRefusedAtTheStart) {
  EXPECT_EQ(MakeWebhookTool({}, {"not a url"}).error().path, "SEEDCORE_WEBHOOK_ALLOW");
}

TEST_F(ExecutorsTest, AnomalyTriageGoesToTheCoordinator) {
  const auto result = Run("anomaly_triage", "", {{"agent_id", "taxi"}, {"series", {1, 2.5}}});
  ASSERT_TRUE(result.success);
  EXPECT_EQ(triaged.at("agent_id").as_string(), "taxi");
  EXPECT_EQ(triaged.at("series").as_array().size(), 2U);
  EXPECT_EQ(result.quality, 0.4);
  ASSERT_EQ(result.effects.incidents.size(), 1U) << "written together with the completion, not before it";
  EXPECT_EQ(Run("anomaly_triage", "", {{"series", "x"}}).error->path, "params.series");
}

TEST_F(ExecutorsTest, WhatIsNotConnectedSaysSo) {
  const auto triage = MakeAnomalyTriage({});
  EXPECT_EQ(triage.execute({}, call).error->code, ErrorCode::kUnavailable);
}

}  // namespace
}  // namespace seedcore::organism
