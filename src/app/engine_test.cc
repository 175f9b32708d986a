#include "app/engine.h"

#include <functional>
#include <future>
#include <map>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/platform.h"
#include "base/testing.h"
#include "net/testing.h"
#include "store/postgres/testing.h"

namespace seedcore::app {
namespace {

using std::chrono::seconds;
using testing::HasSubstr;

struct Reply {
  int status = 0;
  json::object body;
};

/// Engines that share one store, with the embedded platform, on a store of its own, as the gateway to the other
/// services.
class EngineTest : public testing::Test {
 protected:
  std::string Gateway() {
    settings::Settings settings;
    settings.server.listen.port = 0;
    settings.server.api_listen.port = 0;
    settings.store.data_dir = folder_.path() / "gateway";
    auto started = Platform::Start(settings, RealEnv());
    EXPECT_TRUE(started) << (started ? "" : ToString(started.error()));
    platform_ = std::move(*started);
    return platform_->services_url();
  }

  Result<std::unique_ptr<ServiceEngine>> Start(const std::string& service, json::object user_config = {},
                                               const std::string& gateway = "http://127.0.0.1:9") {
    user_config["store.data_dir"] = folder_.File("shared");
    return ServiceEngine::Start({.service = service, .gateway_url = gateway, .user_config = std::move(user_config)},
                                RealEnv());
  }

  static Reply Ask(ServiceEngine& engine, const std::string& method, const std::string& path, std::string body = "",
                   const std::string& root = "") {
    std::promise<net::Answer> answer;
    engine.Handle({.method = method, .raw_path = path, .root_path = root, .query = {}, .headers = {}, .body = body}, {},
                  [&](net::Answer given) { answer.set_value(std::move(given)); });
    const net::Response response = answer.get_future().get().response;
    auto parsed = ParseJson(response.body);
    return {response.status, parsed && parsed->is_object() ? parsed->get_object() : json::object{}};
  }

  json::object Config(json::object user_config) const {
    user_config["store.data_dir"] = folder_.File("shared");
    return user_config;
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<Platform> platform_;
};

TEST_F(EngineTest, EveryServiceStartsOnTheSharedStoreAndSaysHowItIs) {
  std::vector<std::unique_ptr<ServiceEngine>> engines;
  for (const ServiceKind& kind : ServiceKinds()) {
    auto engine = Start(std::string(kind.name));
    ASSERT_TRUE(engine) << kind.name << ": " << ToString(engine.error());
    EXPECT_TRUE((*engine)->CheckHealth()) << kind.name;
    const Reply health = Ask(**engine, "GET", std::string(kind.prefix) + "/health");
    EXPECT_TRUE(health.body.contains("status")) << kind.name << " " << health.status;
    engines.push_back(std::move(*engine));
  }
}

TEST_F(EngineTest, TheMountPointMayBeCalledAnything) {
  const auto engine = Start("ml");
  ASSERT_TRUE(engine);
  EXPECT_EQ(Ask(**engine, "GET", "/ml/health", "", "/ml").status, 200);
  EXPECT_EQ(Ask(**engine, "GET", "/team/models/health", "", "/team/models").status, 200);
  EXPECT_EQ(Ask(**engine, "GET", "/team", "", "/team").body.at("service").as_string(), "seedcore-ml");
  EXPECT_EQ(Ask(**engine, "GET", "/teammate/health", "", "/team").status, 404);
}

TEST_F(EngineTest, AServiceThatDoesNotExistIsNamedWithThoseThatDo) {
  const auto engine = Start("mll");
  ASSERT_FALSE(engine);
  EXPECT_THAT(ToString(engine.error()), HasSubstr("ml, cognitive, coordinator, state, energy, organism"));
}

TEST_F(EngineTest, CoordinatorsReachTheOtherServicesThroughTheGatewayAndShareTheirValves) {
  const std::string gateway = Gateway();
  const auto left = Start("coordinator", {}, gateway);
  const auto right = Start("coordinator", {}, gateway);
  ASSERT_TRUE(left && right);
  constexpr int kTasks = 8;
  for (int i = 0; i < kTasks; ++i) {
    ServiceEngine& engine = i % 2 == 0 ? **left : **right;
    const Reply reply = Ask(engine, "POST", "/pipeline/route-and-execute",
                            R"({"type":"health_check","domain":"shared","params":{}})", "/pipeline");
    EXPECT_EQ(reply.status, 200) << WriteJson(reply.body);
    EXPECT_EQ(reply.body.at("path").as_string(), "fast");
    EXPECT_FALSE(reply.body.at("drift").is_null()) << "ML was not reached";
  }
  for (const auto* engine : {&left, &right}) {
    const Reply status = Ask(***engine, "GET", "/pipeline/predicates/status");
    const auto& valve = status.body.at("ocps").at("health_check|shared").as_object();
    EXPECT_EQ(valve.at("fast").to_number<int>() + valve.at("escalated").to_number<int>(), kTasks);
  }
}

TEST_F(EngineTest, CoordinatorsShareTheRulesOfTheStore) {
  const auto left = Start("coordinator");
  const auto right = Start("coordinator");
  ASSERT_TRUE(left && right);
  const auto version = [](ServiceEngine& engine) {
    return Ask(engine, "GET", "/pipeline/predicates/status").body.at("predicate_config").at("store_version");
  };
  const Reply put = Ask(**left, "PUT", "/pipeline/predicates",
                        R"({"yaml":"routing: [{when: '1', do: hold}]\nmutations_enabled: false\n"})", "/pipeline");
  ASSERT_EQ(put.status, 200) << WriteJson(put.body);
  EXPECT_EQ(version(**left), 1);
  EXPECT_TRUE(test::Eventually([&] { return version(**right) == 1; }));
  const auto late = Start("coordinator");
  ASSERT_TRUE(late);
  EXPECT_EQ(version(**late), 1) << "one that starts later has them at once";
}

TEST_F(EngineTest, AGatewayThatDoesNotAnswerIsAnErrorAndNotACrash) {
  const auto engine = Start("coordinator");
  ASSERT_TRUE(engine);
  const Reply health = Ask(**engine, "GET", "/pipeline/health");
  EXPECT_EQ(health.status, 503);
  EXPECT_EQ(health.body.at("status").as_string(), "unhealthy");
}

TEST_F(EngineTest, StateAndEnergyMeasureTheOrganismOfAnotherProcess) {
  const std::string gateway = Gateway();
  const auto state = Start("state", {}, gateway);
  const auto energy = Start("energy", {}, gateway);
  ASSERT_TRUE(state && energy);
  const Reply unified = Ask(**state, "GET", "/state/unified-state");
  ASSERT_EQ(unified.status, 200) << WriteJson(unified.body);
  const Reply local = Ask(**energy, "GET", "/energy/energy-from-state");
  ASSERT_EQ(local.status, 200) << WriteJson(local.body);
  EXPECT_FALSE(unified.body.at("unified_state").at("agents").as_object().empty());
  EXPECT_EQ(unified.body.at("unified_state").at("agents").as_object().begin()->value().at("h").as_array().size(), 128U);
}

TEST_F(EngineTest, AnotherUserConfigTakesEffectWithoutARestart) {
  const auto engine = Start("cognitive", {{"cognitive", {{"retrieval_limit", 7}}}});
  ASSERT_TRUE(engine);
  const auto limit = [&] {
    return Ask(**engine, "GET", "/cognitive/info").body.at("profiles").at("fast").at("max_facts").to_number<int>();
  };
  EXPECT_EQ(limit(), 7);
  const auto changed = (*engine)->Reconfigure(Config({{"cognitive.retrieval_limit", 9}}));
  ASSERT_TRUE(changed) << ToString(changed.error());
  EXPECT_EQ(limit(), 9);
}

TEST_F(EngineTest, AWrongUserConfigIsRefusedByNameAndChangesNothing) {
  const auto engine = Start("cognitive");
  ASSERT_TRUE(engine);
  EXPECT_THAT(ToString((*engine)->Reconfigure({{"cognitive", {{"retrieval_limits", 9}}}}).error()),
              HasSubstr("cognitive.retrieval_limits"));
  EXPECT_FALSE((*engine)->Reconfigure(Config({{"cognitive.retrieval_limit", "many"}})));
  EXPECT_THAT(ToString((*engine)->Reconfigure(Config({{"server.api_tokens", "secret"}})).error()), HasSubstr("secret"));
  json::object elsewhere = {{"store.data_dir", folder_.File("elsewhere")}};
  EXPECT_THAT(ToString((*engine)->Reconfigure(elsewhere).error()), HasSubstr("store"));
  EXPECT_EQ(Ask(**engine, "GET", "/cognitive/health").status, 200);
}

TEST_F(EngineTest, TheOrganismStopsBeforeItsSuccessorStarts) {
  const auto engine = Start("organism");
  ASSERT_TRUE(engine);
  const auto health = [&] { return Ask(**engine, "GET", "/organism/health"); };
  ASSERT_EQ(health().status, 200);
  ASSERT_TRUE((*engine)->Reconfigure(Config({{"organism.route_cache_ttl", "5s"}})));
  EXPECT_EQ(health().status, 200) << WriteJson(health().body);
}

TEST_F(EngineTest, EveryServiceTakesAnotherUserConfigAndNamesASlip) {
  const std::map<std::string, json::object, std::less<>> configs = {
      {"ml", {{"ml.max_series_length", 3}}},
      {"cognitive", {{"cognitive.retrieval_limit", 3}}},
      {"coordinator", {{"coordinator.ocps_threshold", 0.9}}},
      {"state", {{"log.level", "warning"}}},
      {"energy", {{"energy.l_tot_cap", 0.9}}},
      {"organism", {{"organism.execution_timeout", "7s"}}},
  };
  for (const ServiceKind& kind : ServiceKinds()) {
    const std::string name(kind.name);
    const auto engine = Start(name);
    ASSERT_TRUE(engine) << name << ": " << ToString(engine.error());
    const auto changed = (*engine)->Reconfigure(Config(configs.at(name)));
    EXPECT_TRUE(changed) << name << ": " << ToString(changed.error());
    const auto slip = (*engine)->Reconfigure(Config({{name + ".no_such_setting", 1}}));
    ASSERT_FALSE(slip) << name;
    EXPECT_EQ(slip.error().path, name + ".no_such_setting");
    EXPECT_TRUE((*engine)->CheckHealth()) << name;
  }
}

TEST_F(EngineTest, AnotherLengthOfASeriesIsInForceWithTheNextRequest) {
  const auto engine = Start("ml");
  ASSERT_TRUE(engine);
  const auto detect = [&] { return Ask(**engine, "POST", "/ml/detect/anomaly", R"({"data":[1,2,3,4]})").status; };
  EXPECT_EQ(detect(), 200);
  ASSERT_TRUE((*engine)->Reconfigure(Config({{"ml.max_series_length", 3}})));
  EXPECT_EQ(detect(), 413);
}

TEST_F(EngineTest, WhatIsFixedWhileAReplicaRunsIsRefusedAndNamesWhereItCanBeSet) {
  const auto engine = Start("cognitive");
  ASSERT_TRUE(engine);
  const std::map<std::string, json::value, std::less<>> fixed = {
      {"server.max_body_size", "1KiB"}, {"client.breaker_failures", 7}, {"cluster.serve_url", "http://127.0.0.1:1"},
      {"direct.io_threads", 2},         {"gateway.eject_after", 9},     {"store.readers", 9}};
  for (const auto& [name, value] : fixed) {
    const auto changed = (*engine)->Reconfigure(Config({{name, value}}));
    ASSERT_FALSE(changed) << name << " was taken, and has no effect";
    EXPECT_EQ(changed.error().path, name);
    EXPECT_THAT(changed.error().message, HasSubstr("settings_file"));
  }
}

TEST_F(EngineTest, SqliteOnSeveralHostsIsRefusedWithTheSettingThatHelps) {
  const auto engine = ServiceEngine::Start({.service = "ml",
                                            .gateway_url = "http://127.0.0.1:9",
                                            .user_config = Config({}),
                                            .settings_file = {},
                                            .place = {},
                                            .hosts = 2},
                                           RealEnv());
  ASSERT_FALSE(engine);
  EXPECT_EQ(engine.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(ToString(engine.error()), HasSubstr("SEEDCORE_PG_DSN"));
}

TEST_F(EngineTest, OnSeveralHostsAListenerOnLoopbackIsNotOpened) {
  auto& server = store::postgres::TestServer::Shared();
  server.CreateDatabase("engine_several_hosts");
  json::object config = Config({{"store.pg_dsn", server.Dsn("engine_several_hosts")}});
  EngineOptions options{.service = "ml",
                        .gateway_url = "http://127.0.0.1:9",
                        .user_config = config,
                        .settings_file = {},
                        .place = {.node_id = "here", .node_ip = "127.0.0.1"},
                        .hosts = 2};
  {
    const auto closed = ServiceEngine::Start(options, RealEnv());
    ASSERT_TRUE(closed) << ToString(closed.error());
    EXPECT_EQ((*closed)->DirectAddress(), "");
    EXPECT_EQ(Ask(**closed, "GET", "/ml/health").status, 200);
  }
  options.hosts = 1;
  const auto open = ServiceEngine::Start(options, RealEnv());
  ASSERT_TRUE(open) << ToString(open.error());
  EXPECT_THAT((*open)->DirectAddress(), testing::StartsWith("127.0.0.1:"));
}

TEST_F(EngineTest, AnEngineThatWasStoppedIsNotHealthy) {
  const auto engine = Start("energy");
  ASSERT_TRUE(engine);
  EXPECT_TRUE((*engine)->CheckHealth());
  (*engine)->Drain(seconds(5));
  EXPECT_THAT(ToString((*engine)->CheckHealth().error()), HasSubstr("stopped"));
}

TEST_F(EngineTest, AnEngineThatDrainsIsHealthyUntilItHas) {
  const net::testing::LoopbackListener silent;
  const auto engine =
      Start("coordinator", {{"direct.enabled", false}}, "http://127.0.0.1:" + std::to_string(silent.port()));
  ASSERT_TRUE(engine) << ToString(engine.error());
  auto held = (*engine)->Handle({.method = "POST",
                                 .raw_path = "/pipeline/route-and-execute",
                                 .root_path = {},
                                 .query = {},
                                 .headers = {},
                                 .body = R"({"type":"health_check","params":{}})"},
                                {}, [](net::Answer) {});
  const int asked = silent.Accept();  // so the request is being worked on
  auto drained = std::async(std::launch::async, [&] { return (*engine)->Drain(seconds(60)); });
  ASSERT_TRUE(test::Eventually([&] { return Ask(**engine, "GET", "/pipeline/predicates/status").status == 503; }));
  EXPECT_TRUE((*engine)->CheckHealth());
  held.Cancel();
  EXPECT_TRUE(drained.get());
  EXPECT_FALSE((*engine)->CheckHealth());
  ::close(asked);
}

TEST_F(EngineTest, AnEngineWhoseListenerDoesNotAcceptIsNotHealthyAndSaysWhich) {
  const auto engine = Start("energy");
  ASSERT_TRUE(engine);
  const auto address = net::ParseHostPort((*engine)->DirectAddress());
  ASSERT_TRUE(address);
  ASSERT_TRUE(net::testing::StopListening(address->port));
  const auto health = (*engine)->CheckHealth();
  ASSERT_FALSE(health);
  EXPECT_THAT(ToString(health.error()), testing::AllOf(HasSubstr("accept"), HasSubstr((*engine)->DirectAddress())));
}

TEST_F(EngineTest, StreamsThroughServeLeaveRoomForRequests) {
  const auto engine = Start("coordinator");
  ASSERT_TRUE(engine);
  std::vector<std::shared_ptr<net::EventBuffer>> open;
  const auto ask = [&] {
    std::promise<net::Answer> answer;
    (*engine)->Handle({.method = "GET", .raw_path = "/pipeline/events", .root_path = {}, .query = {}, .headers = {}},
                      {}, [&](net::Answer given) { answer.set_value(std::move(given)); });
    net::Answer given = answer.get_future().get();
    if (given.stream) open.push_back(std::move(given.stream));
    return given.response.status;
  };
  while (open.size() < 8) ASSERT_EQ(ask(), 200) << open.size();
  EXPECT_EQ(ask(), 503);
  open.back()->Disconnected();  // the client has gone
  open.pop_back();
  EXPECT_TRUE(test::Eventually([&] { return ask() == 200; })) << "whoever is just writing to it lets go of it first";
  EXPECT_EQ(Ask(**engine, "GET", "/pipeline/predicates/status").status, 200);
  for (const auto& stream : open) stream->Disconnected();
}

TEST_F(EngineTest, ADrainedEngineTakesNoMoreRequests) {
  const auto engine = Start("energy");
  ASSERT_TRUE(engine);
  EXPECT_TRUE((*engine)->Drain(seconds(5)));
  EXPECT_EQ(Ask(**engine, "GET", "/energy/health").status, 503);
  EXPECT_FALSE((*engine)->Reconfigure(Config({})));
}

}  // namespace
}  // namespace seedcore::app
