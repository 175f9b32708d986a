// A task of each type, from submit to result, and what is recorded about it.
#include <algorithm>
#include <fstream>
#include <set>

#include <gtest/gtest.h>

#include "net/testing.h"
#include "support/running_platform.h"

namespace seedcore::test {
namespace {

TEST(Execution, GeneralQueryAnswersWithAToolAndCitesIt) {
  RunningPlatform platform;
  const Reply task = platform.Complete(R"({"type":"general_query","description":"what is 12 * (3 + 4)?"})");
  EXPECT_NE(task.text.find("84"), std::string::npos) << task.text;
  EXPECT_EQ(task.Text("result.payload.result.tools.0.tool"), "calculate") << task.text;
  EXPECT_EQ(task.Text("attempts"), "1");
  EXPECT_EQ(task.Text("result.path"), "fast");
}

TEST(Execution, HealthCheckReportsTheOrganism) {
  RunningPlatform platform;
  const Reply task = platform.Complete(R"({"type":"health_check"})");
  EXPECT_EQ(task.Text("result.success"), "true") << task.text;
}

TEST(Execution, AFactThatIsStoredIsFoundBySearchAndByTheApi) {
  RunningPlatform platform;
  platform.Complete(
      R"({"type":"fact_store","params":{"text":"the pump in hall 7 leaks at high pressure","tags":["pump"]}})");
  const Reply search = platform.Complete(R"({"type":"fact_search","params":{"query":"pump pressure"}})");
  EXPECT_NE(search.text.find("hall 7"), std::string::npos) << search.text;
  const Reply facts = platform.tasks().Get("/api/v1/facts?q=pump");
  EXPECT_EQ(facts.Array("items").size(), 1U) << facts.text;
  EXPECT_EQ(facts.Text("items.0.tags.0"), "pump");
}

TEST(Execution, ExecuteRunsARegisteredTool) {
  RunningPlatform platform;
  const Reply task =
      platform.Complete(R"({"type":"execute","params":{"tool":"calculate","arguments":{"expression":"2^10"}}})");
  EXPECT_NE(task.text.find("1024"), std::string::npos) << task.text;
  EXPECT_EQ(task.Text("result.organ_id"), "actuator_organ_1") << task.text;
}

TEST(Execution, ExecuteCallsAnAllowedWebhookWithTheTasksKey) {
  std::string key, body;  // written by the handler before it answers
  const net::Handler handler = [&](const net::Request& request) {
    key = request.call.idempotency_key;
    body = request.body;
    return net::JsonResponse(R"({"accepted":true})");
  };
  net::testing::TestServer hook({}, {{.method = net::Method::kPost, .pattern = "/hook", .handler = handler}});
  const std::string url = "http://127.0.0.1:" + std::to_string(hook.port());
  RunningPlatform platform([&](settings::Settings& settings) { settings.organism.webhook_allow = {url + "/hook"}; });

  const Reply task = platform.Complete(R"({"type":"execute","params":{"tool":"webhook","arguments":{"url":")" + url +
                                       R"(/hook","body":{"n":1}}}})");
  EXPECT_NE(task.text.find(R"("accepted":true)"), std::string::npos) << task.text;
  EXPECT_EQ(body, R"({"n":1})");
  EXPECT_FALSE(key.empty());

  const std::string refused =
      platform.Submit(R"({"type":"execute","params":{"tool":"webhook","arguments":{"url":")" + url + R"(/other"}}})");
  EXPECT_EQ(platform.Await(refused, "failed").Text("error_code"), "permission_denied");
}

TEST(Execution, AnomalyTriageFindsThePointAndDecides) {
  RunningPlatform platform;
  std::string series;
  for (int i = 0; i < 400; ++i) series += std::to_string(i == 390 ? 500 : 100 + i % 5) + ",";
  series.pop_back();
  const Reply task = platform.Complete(R"({"type":"anomaly_triage","params":{"series":[)" + series + "]}}");
  EXPECT_NE(task.text.find(R"("index":390)"), std::string::npos) << task.text.substr(0, 4000);
  EXPECT_NE(task.text.find(R"("decision":{)"), std::string::npos) << task.text.substr(0, 4000);
}

TEST(Execution, AnUnknownTypeFailsAtOnceAndNamesTheKnownOnes) {
  RunningPlatform platform;
  const Reply task = platform.Await(platform.Submit(R"({"type":"make_coffee"})"), "failed");
  EXPECT_EQ(task.Text("attempts"), "1") << "trying again would not help";
  for (const char* known :
       {"general_query", "health_check", "fact_store", "fact_search", "execute", "anomaly_triage"}) {
    EXPECT_NE(task.Text("error").find(known), std::string::npos) << task.Text("error");
  }
}

TEST(Execution, EnergyBeforeAndAfterIsRecordedOnTheTask) {
  RunningPlatform platform;
  const Reply task = platform.Complete(R"({"type":"general_query","description":"what time is it?"})");
  const json::value before = task.At("result.energy.before"), after = task.At("result.energy.after");
  ASSERT_TRUE(before.is_number() && after.is_number()) << task.text;
  EXPECT_NE(JsonToDouble(before), 0.0) << "the energy of a live organism is not nothing";
  EXPECT_NEAR(JsonToDouble(task.At("result.energy.delta")), JsonToDouble(after) - JsonToDouble(before), 1e-12);
}

TEST(Execution, AnEscalatedTaskCarriesItsStepsAndItsEnergy) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "rules.yaml") << "routing: [{when: 'true', do: escalate}]\nmutations_enabled: false\n";
  RunningPlatform platform(
      [&](settings::Settings& settings) { settings.coordinator.predicates_path = folder.path() / "rules.yaml"; });
  const Reply task = platform.Complete(R"({"type":"general_query","description":"what is 6 * 7?"})");
  EXPECT_EQ(task.Text("result.path"), "hgnn") << task.text;
  ASSERT_FALSE(task.Array("result.results").empty()) << task.text;
  EXPECT_EQ(task.Text("result.results.0.status"), "done") << task.text;
  EXPECT_NE(task.text.find("42"), std::string::npos) << task.text;
  EXPECT_TRUE(task.At("result.energy.before").is_number()) << task.text;
  EXPECT_TRUE(task.At("result.results.0.energy.after").is_number()) << task.text;
}

TEST(Execution, ATypeWithoutAnExecutorGetsItsPlanAlsoBesideTypesForWorkersOutside) {
  const TemporaryFolder folder;
  std::ofstream(folder.path() / "rules.yaml") << "routing: [{when: 'true', do: escalate}]\nmutations_enabled: false\n";
  RunningPlatform platform([&](settings::Settings& settings) {
    settings.coordinator.predicates_path = folder.path() / "rules.yaml";
    settings.queue.external_types = {"resize"};
  });
  // The planner built in leaves a type that it does not know as it is, which is a plan of one step.
  const Reply task = platform.Await(platform.Submit(R"({"type":"a_question","description":"why?"})"), "failed");
  EXPECT_EQ(task.Text("result.path"), "hgnn") << task.text;
  EXPECT_EQ(task.Array("result.results").size(), 1U) << task.text;
}

TEST(Execution, TheShippedRulesRouteEveryTypeToAnEndWhateverTheLoad) {
  RunningPlatform platform([](settings::Settings& settings) { settings.coordinator.predicates_path.clear(); });
  for (const std::string task :
       {R"({"type":"general_query","description":"6 * 7"})", R"({"type":"health_check"})",
        R"({"type":"fact_store","description":"a fact"})", R"({"type":"fact_search","description":"a fact"})",
        R"({"type":"execute","params":{"tool":"calculate","arguments":{"expression":"1"}}})",
        R"({"type":"anomaly_triage","params":{"series":[1,2,3,2,1,2,3]}})"}) {
    EXPECT_EQ(platform.Complete(task).Text("result.success"), "true") << task;
  }
}

TEST(Execution, TheCallsMadeForATaskAreKeptAsSpansOfOneTrace) {
  RunningPlatform platform;
  const Reply task = platform.Complete(R"({"type":"general_query","description":"what day is it?"})");
  const Reply history = platform.tasks().Get("/api/v1/tasks/" + task.Text("id") + "/events");
  const json::value spans = history.At("spans");
  ASSERT_GE(spans.as_array().size(), 2U) << history.text;
  std::set<std::string> traces, names;
  for (const json::value& span : spans.as_array()) {
    traces.insert(TextAt(span, "trace_id"));
    names.insert(TextAt(span, "name"));
    EXPECT_GE(JsonToDouble(At(span, "duration_ms")), 0.0);
  }
  EXPECT_EQ(traces.size(), 1U) << history.text;
  const auto has = [&](std::string_view word) {
    return std::ranges::any_of(names, [&](const std::string& name) { return name.find(word) != std::string::npos; });
  };
  EXPECT_TRUE(has("DriftScore")) << history.text;
  EXPECT_TRUE(has("Execute")) << history.text;
}

TEST(Execution, ATaskThatFailsForNowIsTriedAgainAndThenBecomesADeadLetter) {
  RunningPlatform platform([](settings::Settings& settings) {
    settings.organism.webhook_allow = {"http://127.0.0.1:1/"};  // nobody listens there
  });
  const Reply task =
      platform.Await(platform.Submit(R"({"type":"execute","retry":{"max_attempts":2,"base_s":0.001,"max_s":0.001},)"
                                     R"("params":{"tool":"webhook","arguments":{"url":"http://127.0.0.1:1/"}}})"),
                     "failed");
  EXPECT_EQ(task.Text("attempts"), "2") << task.text;
  EXPECT_EQ(task.Text("dead_letter"), "true") << task.text;
  const Reply redriven = platform.tasks().Post("/api/v1/tasks/redrive", R"({"type":"execute"})");
  EXPECT_EQ(redriven.Text("requeued"), "1") << redriven.text;
}

}  // namespace
}  // namespace seedcore::test
