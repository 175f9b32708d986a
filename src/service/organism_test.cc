#include "service/organism.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/metrics.h"
#include "base/sim_env.h"
#include "base/testing.h"
#include "organism/executors/executors.h"
#include "organism/organism.h"
#include "service/peer.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::service {
namespace {

class OrganismServiceTest : public testing::Test {
 protected:
  OrganismServiceTest() {
    auto opened = store::sqlite::OpenSqliteStore({.path = folder_.File("seedcore.db")}, env, metrics);
    if (!opened) throw std::runtime_error(ToString(opened.error()));
    store = std::move(*opened);
    organism.emplace(organism::DefaultOrganismConfig(), organism::OrganismSettings{}, env, *store, metrics);
    EXPECT_TRUE(
        organism::RegisterExecutors(organism->executors(), {.env = env,
                                                            .store = *store,
                                                            .host = host,
                                                            .vitals = [this] { return organism::VitalsOf(*organism); },
                                                            .webhook_post = {},
                                                            .webhook_allow = {},
                                                            .anomaly_triage = {},
                                                            .more_tools = {}}));
    service.emplace(*organism, env);
  }
  ~OrganismServiceTest() override {
    service.reset();
    organism.reset();
    store.reset();
  }

  /// Through the operation table, as HTTP does it.
  net::Response Send(net::Method method, const std::string& path, std::string body = {}) {
    for (const net::Route& route : Routes(OrganismOperations(), *service)) {
      if (route.method != method || route.pattern != "/organism" + path) continue;
      net::Request request;
      request.method = method;
      request.path = route.pattern;
      request.body = std::move(body);
      return route.handler(request);
    }
    ADD_FAILURE() << "no route " << path;
    return {};
  }
  net::Response Post(const std::string& path, std::string body = "{}") {
    return Send(net::Method::kPost, path, std::move(body));
  }
  json::value Body(const net::Response& response) {
    auto value = ParseJson(response.body);
    EXPECT_TRUE(value) << response.body;
    return value.value_or(nullptr);
  }
  void Start() { ASSERT_EQ(Post("/initialize").status, 200); }

  SimEnv env;
  Metrics metrics;
  state::HostSampler host{env};
  std::unique_ptr<store::Store> store;
  std::optional<organism::Organism> organism;
  std::optional<OrganismService> service;
  CallContext call;

 private:
  test::TemporaryFolder folder_;
};

TEST_F(OrganismServiceTest, HealthIs503UntilInitialized) {
  auto health = Send(net::Method::kGet, "/health");
  EXPECT_EQ(health.status, 503);
  EXPECT_EQ(Body(health).at("status").as_string(), "initializing");
  Start();
  health = Send(net::Method::kGet, "/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(Body(health).at("agents").as_int64(), 6);
  ASSERT_EQ(Post("/shutdown").status, 200);
  EXPECT_EQ(Send(net::Method::kGet, "/health").status, 503);
}

TEST_F(OrganismServiceTest, InitializingTwiceSaysSo) {
  EXPECT_EQ(Body(Post("/initialize")).at("message").as_string(), "Organism initialized successfully");
  EXPECT_EQ(Body(Post("/initialize-organism")).at("message").as_string(), "Organism already initialized");
}

TEST_F(OrganismServiceTest, BeforeThatEverythingElseIsUnavailable) {
  EXPECT_EQ(Send(net::Method::kGet, "/organism-summary").status, 503);
  EXPECT_EQ(Post("/execute-on-organ", R"({"organ_id":"utility_organ_1","task":{"type":"general_query"}})").status, 503);
  EXPECT_EQ(Post("/handle-task", R"({"task_type":"general_query"})").status, 503);
  EXPECT_EQ(Post("/evolve", R"({"op":"split","organ_id":"utility_organ_1"})").status, 503);
}

TEST_F(OrganismServiceTest, ATaskIsExecutedAndAccountedFor) {
  Start();
  const auto response =
      Post("/execute-on-organ",
           R"({"organ_id":"utility_organ_1","task":{"id":"t1","type":"general_query","description":"6*7"}})");
  ASSERT_EQ(response.status, 200) << response.body;
  const json::value body = Body(response);
  EXPECT_TRUE(body.at("success").as_bool());
  const auto& report = body.at("result");
  EXPECT_EQ(report.at("result").at("formatted").as_string(), "6*7 = 42");
  EXPECT_DOUBLE_EQ(report.at("delta_e_realized").as_double(),
                   report.at("E_after").as_double() - report.at("E_before").as_double());
  EXPECT_EQ(store->ledger().ForTask("t1")->size(), 1U);
}

TEST_F(OrganismServiceTest, TheVerdictOfTheAgentIsTheOuterVerdict) {
  Start();
  const json::value body = Body(Post(
      "/execute-on-organ", R"({"organ_id":"utility_organ_1","task":{"type":"general_query","description":"1/0"}})"));
  EXPECT_FALSE(body.at("success").as_bool());
  EXPECT_EQ(body.at("error").as_string(), "calculate: division by zero at position 2");
  EXPECT_EQ(body.at("error_code").as_string(), "non_retryable");
  EXPECT_FALSE(body.at("retryable").as_bool());
}

TEST_F(OrganismServiceTest, EffectsAreReturnedToACallerThatAsksForThem) {
  Start();
  const ExecuteOnOrganRequest request{.organ_id = "utility_organ_1",
                                      .task = {.id = "t1", .type = "fact_store", .params = {{"text", "water is wet"}}},
                                      .effects = EffectsMode::kReturn};
  const auto reply = service->ExecuteOnOrgan(request, call);
  ASSERT_TRUE(reply) << ToString(reply.error());
  EXPECT_EQ(reply->effects.facts.size(), 1U);
  EXPECT_EQ(reply->effects.ledger.size(), 1U);
  EXPECT_EQ(store->facts().Count(), 0);
  EXPECT_EQ(reply->effects.ToStore().facts[0].text, "water is wet");
  // What goes over the wire arrives as it was sent.
  const auto again = FromJsonText<ExecuteReply>(ToJsonText(*reply));
  ASSERT_TRUE(again) << ToString(again.error());
  EXPECT_EQ(again->effects.facts[0].meta_data, reply->effects.facts[0].meta_data);
  EXPECT_NEAR(again->effects.ledger[0].delta_e, reply->effects.ledger[0].delta_e, 1e-12);
  EXPECT_EQ(again->result->result, reply->result->result);
}

TEST_F(OrganismServiceTest, EffectsAreAppliedOtherwise) {
  Start();
  ASSERT_EQ(Post("/handle-task", R"({"task_type":"fact_store","params":{"text":"water is wet"}})").status, 200);
  EXPECT_EQ(store->facts().Count(), 1);
}

TEST_F(OrganismServiceTest, BadCallsGetTheirHttpStatus) {
  Start();
  EXPECT_EQ(Post("/execute-on-organ", R"({"organ_id":"nowhere","task":{"type":"health_check"}})").status, 404);
  EXPECT_EQ(Post("/execute-on-organ", R"({"organ_id":"utility_organ_1","task":{"type":"dance"}})").status, 422);
  EXPECT_EQ(Post("/execute-on-organ", R"({"task":{"type":"health_check"}})").status, 422);
  EXPECT_EQ(Post("/execute-on-organ", R"({"organ_id":"x","task":{"type":" "}})").status, 422);
  EXPECT_EQ(Post("/execute-on-organ", "{").status, 400);
  EXPECT_EQ(Send(net::Method::kPut, "/routing/rules", R"({"add":[{"task_type":"execute","logical_id":"z"}]})").status,
            404);
  EXPECT_EQ(Post("/evolve", R"({"op":"split","organ_id":"utility_organ_1","params":{"kk":2}})").status, 422);
  EXPECT_EQ(Post("/evolve", R"({"op":"split","organ_id":"z"})").status, 404);
}

TEST_F(OrganismServiceTest, AHealthCheckTaskSeesTheLiveOrganism) {
  Start();
  const json::value body = Body(Post("/handle-task", R"({"task_type":"health_check"})"));
  ASSERT_TRUE(body.at("success").as_bool()) << WriteJson(body);
  const auto& checks = body.at("result").at("result").at("result").at("checks");
  EXPECT_EQ(checks.at("organism").at("detail").as_string(), "3 organs, 6 agents, 1 tasks running, 47 slots free");
}

TEST_F(OrganismServiceTest, RandomTakesAnOrganWithAFreeAgent) {
  Start();
  const json::value body = Body(Post("/execute-on-random", R"({"task":{"type":"general_query","description":"1+1"}})"));
  EXPECT_TRUE(body.at("success").as_bool());
  EXPECT_TRUE(body.at("organ_id").as_string().ends_with("_organ_1"));
}

TEST_F(OrganismServiceTest, RoutesSayWhereTheyCameFrom) {
  Start();
  const json::value one = Body(Post("/resolve-route", R"({"task":{"type":"execute"}})"));
  EXPECT_EQ(one.at("logical_id").as_string(), "actuator_organ_1");
  EXPECT_EQ(one.at("resolved_from").as_string(), "default");
  EXPECT_EQ(one.at("epoch").as_string(), *store->registry().CurrentEpoch());

  const json::value many = Body(Post(
      "/resolve-routes",
      R"({"tasks":[{"type":"execute"},{"type":"nope","key":"k","index":7},{"type":"graph_embed"},{"type":"health_check"}]})"));
  const auto& results = many.at("results").as_array();
  EXPECT_EQ(results[0].at("status").as_string(), "ok");
  EXPECT_EQ(results[1].at("status").as_string(), "unknown_type");
  EXPECT_EQ(results[1].at("index").as_int64(), 7);
  EXPECT_EQ(results[1].at("key").as_string(), "k");
  EXPECT_EQ(results[2].at("status").as_string(), "unknown_type");
  EXPECT_EQ(results[3].at("logical_id").as_string(), "utility_organ_1");
}

TEST_F(OrganismServiceTest, RoutesBeforeTheStartFallBack) {
  const json::value body = Body(Post("/resolve-route", R"({"task":{"type":"execute"}})"));
  EXPECT_EQ(body.at("resolved_from").as_string(), "fallback");
  EXPECT_TRUE(body.at("instance_id").is_null());
}

TEST_F(OrganismServiceTest, RulesCanBeAddedAndRemoved) {
  Start();
  json::value body = Body(Send(net::Method::kPut, "/routing/rules",
                               R"({"add":[{"task_type":"execute","domain":"ops","logical_id":"utility_organ_1"}]})"));
  EXPECT_EQ(body.at("rules").at("rules_by_domain").at("execute/ops").as_string(), "utility_organ_1");
  EXPECT_EQ(body.at("rules").at("rules_by_task").at("execute").as_string(), "actuator_organ_1");
  body = Body(Send(net::Method::kPut, "/routing/rules", R"({"remove":[{"task_type":"execute","domain":"ops"}]})"));
  EXPECT_TRUE(body.at("rules").at("rules_by_domain").as_object().empty());
  EXPECT_EQ(Post("/routing/refresh").status, 200);
}

TEST_F(OrganismServiceTest, StatusAndSummaryShowWhatHappened) {
  Start();
  (void)Post("/handle-task", R"({"task_type":"general_query","description":"1+1"})");
  const json::value status = Body(Send(net::Method::kGet, "/status"));
  EXPECT_EQ(status.at("status").as_string(), "healthy");
  EXPECT_EQ(status.at("organism_info").at("tasks_processed").as_int64(), 1);
  const json::value summary = Body(Send(net::Method::kGet, "/organism-summary")).at("summary");
  EXPECT_EQ(summary.at("total_organs").as_int64(), 3);
  EXPECT_EQ(summary.at("agents_by_type").at("Utility").as_int64(), 2);
  const json::value organs = Body(Send(net::Method::kGet, "/organism-status"));
  EXPECT_EQ(organs.at("status").as_array().size(), 3U);
  EXPECT_EQ(organs.at("status").at(0).at("status").as_string(), "healthy");
  const json::value agents = Body(Send(net::Method::kGet, "/agents"));
  EXPECT_EQ(agents.at("agents").at(0).at("state_embedding_h").as_array().size(), 128U);
  EXPECT_EQ(Body(Send(net::Method::kGet, "/executors")).at("executors").as_array().size(), 6U);
}

TEST_F(OrganismServiceTest, AnEvolutionReportsMeasuredEnergyAndWhetherItPays) {
  Start();
  const json::value body =
      Body(Post("/evolve", R"({"op":"clone","organ_id":"utility_organ_1","params":{"force":true}})"));
  EXPECT_TRUE(body.at("applied").as_bool());
  EXPECT_EQ(body.at("accepted").as_bool(), body.at("delta_E_est").as_double() + body.at("cost").as_double() < 0.0);
  EXPECT_EQ(body.at("result").at("new_organs").at(0).as_string(), "utility_organ_1_clone");
  EXPECT_EQ(Body(Send(net::Method::kGet, "/organism-summary")).at("summary").at("total_agents").as_int64(), 8);
}

TEST_F(OrganismServiceTest, AnswersTravelOverTheWireUnchanged) {
  Start();
  Peer<OrganismService> remote;
  remote.BindRemote(OrganismOperations(),
                    [this](net::Method method, const std::string& path, std::string body,
                           const CallContext&) -> Result<net::Response> {
                      return Send(method, path.substr(std::string_view("/organism").size()), std::move(body));
                    });
  const auto reply = remote.Call<&OrganismService::HandleTask>(
      HandleTaskRequest{.task_type = "general_query", .description = "2^10"}, call);
  ASSERT_TRUE(reply) << ToString(reply.error());
  EXPECT_TRUE(reply->success);
  const auto agents = remote.Call<&OrganismService::Agents>(Empty{}, call);
  ASSERT_TRUE(agents) << ToString(agents.error());
  EXPECT_EQ(agents->agents.size(), 6U);
  EXPECT_TRUE(remote.Call<&OrganismService::Health>(Empty{}, call));
}

}  // namespace
}  // namespace seedcore::service
