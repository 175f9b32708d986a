#include "service/cognitive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/sim_env.h"
#include "base/testing.h"
#include "cognitive/engine.h"
#include "cognitive/rules/rules.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::service {
namespace {

using ::testing::HasSubstr;

class CognitiveServiceTest : public ::testing::Test {
 protected:
  CognitiveServiceTest() {
    auto store = store::sqlite::OpenSqliteStore({.path = folder_.File("s.db")}, env_, metrics_);
    EXPECT_TRUE(store) << ToString(store.error());
    store_ = std::move(*store);
    engine_ = std::make_unique<cognitive::Engine>(
        cognitive::Engine::Parts{store_->facts(), store_->incidents(), rules_, rules_, metrics_, env_},
        settings::CognitiveSettings{});
    service_ = std::make_unique<CognitiveService>(*engine_, env_);
    routes_ = Routes(CognitiveOperations(), *service_);
  }

  net::Response Send(net::Method method, const std::string& path, std::string body = {}) {
    for (const net::Route& route : routes_) {
      if (route.method != method || route.pattern != path) continue;
      net::Request request;
      request.method = method;
      request.path = path;
      request.body = std::move(body);
      request.call = call_;
      return route.handler(request);
    }
    ADD_FAILURE() << "no route " << path;
    return {};
  }
  net::Response Post(const std::string& path, std::string body) {
    return Send(net::Method::kPost, "/cognitive" + path, std::move(body));
  }

  SimEnv env_;
  Metrics metrics_;
  CallContext call_;
  test::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
  cognitive::rules::RulesProvider rules_{env_};
  std::unique_ptr<cognitive::Engine> engine_;
  std::unique_ptr<CognitiveService> service_;
  std::vector<net::Route> routes_;
};

TEST_F(CognitiveServiceTest, AnswersInTheShapeOfTheApi) {
  const net::Response response =
      Post("/plan-task",
           R"({"agent_id":"a1","task_description":"what time is it","current_capabilities":{},"available_tools":{}})");
  ASSERT_EQ(response.status, 200) << response.body;
  const json::value body = *ParseJson(response.body);
  EXPECT_EQ(body.at("success"), true);
  EXPECT_EQ(body.at("agent_id"), "a1");
  EXPECT_TRUE(body.at("error").is_null());
  const json::value& result = body.at("result");
  EXPECT_EQ(result.at("success"), true);
  EXPECT_EQ(result.at("task_type"), "task_planning");
  EXPECT_EQ(result.at("result"), result.at("payload"));
  EXPECT_EQ(result.at("metadata").at("path"), "cognitive_reasoning");
  EXPECT_EQ(result.at("metadata").at("provider"), "rules");
  EXPECT_EQ(result.at("result").at("solution_steps").at(0).at("task").at("type"), "general_query");
  EXPECT_EQ(result.at("result").at("meta").at("plan_type"), "cognitive_proposal");
}

TEST_F(CognitiveServiceTest, AllSixOperationsAnswer) {
  const std::pair<const char*, const char*> requests[] = {
      {"/reason-about-failure", R"({"agent_id":"a","incident_context":{"error":"timeout"}})"},
      {"/plan-task", R"({"agent_id":"a","task":{"type":"health_check"}})"},
      {"/make-decision", R"({"agent_id":"a","decision_context":{"options":["retry","hold"]}})"},
      {"/solve-problem", R"({"agent_id":"a","problem_statement":"Checkout is slow."})"},
      {"/synthesize-memory", R"({"agent_id":"a","memory_fragments":["x",{"y":1}],"synthesis_goal":"g"})"},
      {"/assess-capabilities", R"({"agent_id":"a","target_capabilities":{"speed":2}})"}};
  for (const auto& [path, body] : requests) {
    const net::Response response = Post(path, body);
    EXPECT_EQ(response.status, 200) << path << ": " << response.body;
  }
}

TEST_F(CognitiveServiceTest, InnerFailureIsAnHttpError) {
  call_.deadline = env_.Now();
  EXPECT_EQ(Post("/solve-problem", R"({"agent_id":"a","problem_statement":"x"})").status, 504);
}

TEST_F(CognitiveServiceTest, BadRequestsNameTheirPath) {
  for (const char* path : {"/reason-about-failure", "/plan-task", "/make-decision", "/solve-problem",
                           "/synthesize-memory", "/assess-capabilities"}) {
    EXPECT_EQ(Post(path, "{}").status, 422) << path;
    EXPECT_THAT(Post(path, "{}").body, HasSubstr("agent_id"));
    EXPECT_EQ(Post(path, R"({"agent_id":"a"})").status, 422) << path;
    EXPECT_EQ(Post(path, "{").status, 400) << path;
    EXPECT_THAT(Post(path, R"({"agent_id":"a","profil":"deep"})").body, HasSubstr("profile")) << path;
    EXPECT_EQ(Post(path, R"({"agent_id":"a","profile":"deeper"})").status, 422) << path;
  }
}

TEST_F(CognitiveServiceTest, SecondAnswerComesFromTheCacheWithItsOwnFigures) {
  const std::string body = R"({"agent_id":"a","task":{"type":"health_check"}})";
  EXPECT_EQ(ParseJson(Post("/plan-task", body).body)->at("result").at("metadata").at("cache_hit"), false);
  const json::value again = *ParseJson(Post("/plan-task", body).body);
  EXPECT_EQ(again.at("result").at("metadata").at("cache_hit"), true);
  EXPECT_EQ(again.at("result").at("result").at("meta").at("planner_timings_ms").at("plan_build_ms"), 0.0);
}

TEST_F(CognitiveServiceTest, DecisionTakesTheAnalysisAsItCame) {
  const net::Response analysis =
      Post("/reason-about-failure",
           R"({"agent_id":"a","incident_context":{"errors":["timeout","HTTP 503","connection reset"]}})");
  json::object context{{"anomaly_count", 1}, {"reason", *ParseJson(analysis.body)}};
  const net::Response decision =
      Post("/make-decision", WriteJson(json::object{{"agent_id", "a"}, {"decision_context", std::move(context)}}));
  ASSERT_EQ(decision.status, 200) << decision.body;
  EXPECT_EQ(ParseJson(decision.body)->at("result").at("result").at("action"), "retry");
}

TEST_F(CognitiveServiceTest, HealthAndInfoTellTheTruth) {
  const net::Response health = Send(net::Method::kGet, "/cognitive/health");
  EXPECT_EQ(health.status, 200);
  EXPECT_EQ(ParseJson(health.body)->at("status"), "healthy");
  EXPECT_EQ(ParseJson(health.body)->at("schema_version"), "v2.0");
  const json::value info = *ParseJson(Send(net::Method::kGet, "/cognitive/info").body);
  EXPECT_EQ(info.at("profiles").at("deep").at("timeout_s"), 20.0);
  EXPECT_EQ(info.at("task_types").as_array().size(), 6u);
  const json::value index = *ParseJson(Send(net::Method::kGet, "/cognitive").body);
  EXPECT_EQ(index.at("endpoints").at("PlanTask"), "/cognitive/plan-task");
}

}  // namespace
}  // namespace seedcore::service
