#include "app/gateway.h"

#include <atomic>
#include <cstdlib>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/cluster_token.h"
#include "app/engine.h"
#include "app/foundation.h"
#include "app/listener_presence.h"
#include "app/liveness_probe.h"
#include "app/platform.h"
#include "base/testing.h"
#include "net/client.h"
#include "net/testing.h"

namespace seedcore::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr char kState[] = R"({"unified_state":{"agents":{}}})";

/// Replicas and a gateway on one shared store.
class GatewayTest : public testing::Test {
 protected:
  std::unique_ptr<ServiceEngine> Replica(const std::string& service, json::object user_config = {}) {
    user_config["store.data_dir"] = folder_.path().string();
    user_config.emplace("direct.drain_notice", "0s");
    auto engine = ServiceEngine::Start({.service = service,
                                        .gateway_url = "http://127.0.0.1:9",
                                        .user_config = std::move(user_config),
                                        .settings_file = {},
                                        .place = {.node_id = "node-1", .node_ip = "127.0.0.1"}},
                                       RealEnv());
    EXPECT_TRUE(engine) << (engine ? "" : ToString(engine.error()));
    return engine ? std::move(*engine) : nullptr;
  }
  settings::Settings Settings() const {
    settings::Settings settings;
    settings.store.data_dir = folder_.path();
    settings.gateway.listen.port = 0;
    settings.gateway.refresh = milliseconds(200);
    return settings;
  }
  net::Client& Open(const settings::Settings& settings, const std::string& token = "") {
    auto started = Gateway::Start(settings, RealEnv());
    EXPECT_TRUE(started) << (started ? "" : ToString(started.error()));
    gateway_ = std::move(*started);
    net::ClientOptions options{.base_url = gateway_->url(), .token = token};
    options.retry.max_retries = 0;
    options.breaker.failures_to_open = 1'000'000;
    client_ = std::make_unique<net::Client>(options, RealEnv());
    return *client_;
  }
  /// The store of the replicas, for this test itself.
  void OpenStore() {
    settings::StoreSettings store = Settings().store;
    store.shared = true;
    foundation_ = *Foundation::Open(store, RealEnv());
  }
  /// From now on asks the listener of `replica` itself, with the cluster token, or with `token`.
  void AskAt(const ServiceEngine& replica, std::string token = "") {
    OpenStore();
    if (token.empty()) token = *ClusterToken({}, foundation_->store->streams());
    net::ClientOptions options{.base_url = "http://" + replica.DirectAddress(), .token = std::move(token)};
    options.retry.max_retries = 0;
    options.breaker.failures_to_open = 1'000'000;
    client_ = std::make_unique<net::Client>(options, RealEnv());
  }
  net::Response Ask(const std::string& target, std::string body = "", CallContext call = {}) {
    const auto method = body.empty() ? net::Method::kGet : net::Method::kPost;
    auto response = client_->SendForAnyStatus({.method = method, .target = target, .body = std::move(body)}, call);
    EXPECT_TRUE(response) << ToString(response.error());
    return response ? std::move(*response) : net::Response{.status = 0};
  }
  json::object Json(const std::string& target) {
    const auto body = ParseJson(Ask(target).body);
    return body && body->is_object() ? body->get_object() : json::object{};
  }
  void SubmitTask() {
    store::NewTask task;
    task.type = "health_check";
    EXPECT_TRUE(foundation_->store->tasks().Submit({&task, 1}));
  }
  /// Reads the events from the first on until `count` have come, and submits a task after each.
  void FollowEvents(int count) {
    int seen = 0;
    const auto streamed =
        client_->Stream({.target = "/pipeline/events?after=0"}, CallContext{}.Within(seconds(20), RealEnv()),
                        [&](const net::ServerEvent& event) {
                          EXPECT_THAT(event.data, HasSubstr("submitted"));
                          if (++seen < count) SubmitTask();
                          return seen < count;
                        });
    EXPECT_TRUE(streamed) << ToString(streamed.error());
    EXPECT_EQ(seen, count);
  }
  /// The replicas of a service as the gateway sees them.
  json::array Replicas(std::string_view service) {
    const json::object view = Json("/-/routes");
    for (const json::value& entry : view.at("services").as_array()) {
      if (entry.at("service").as_string() == service) return entry.at("replicas").as_array();
    }
    return {};
  }
  /// The energy replica at `address` as the gateway sees it.
  json::object Energy(const std::string& address) {
    for (const json::value& replica : Replicas("energy")) {
      if (replica.at("address").as_string() == address) return replica.get_object();
    }
    ADD_FAILURE() << "the gateway knows no replica at " << address;
    return {{"requests", -1}, {"state", ""}};
  }
  /// Has an energy replica at `address` stand in the registry, and the gateway see it.
  std::unique_ptr<ListenerPresence> EnterEnergy(const std::string& address) {
    OpenStore();
    store::Instance listener;
    listener.logical_id = "service:energy";
    listener.service = "energy";
    listener.address = address;
    auto presence = std::make_unique<ListenerPresence>(foundation_->store->registry(), listener, RealEnv());
    EXPECT_TRUE(presence->Enter());
    EXPECT_TRUE(gateway_->Refresh());
    return presence;
  }

  test::TemporaryFolder folder_;
  std::unique_ptr<Foundation> foundation_;
  std::unique_ptr<Gateway> gateway_;
  std::unique_ptr<net::Client> client_;
};

TEST_F(GatewayTest, RequestsReachTheReplicaAndComeBackAsFromTheEmbeddedServer) {
  const auto energy = Replica("energy");
  const auto ml = Replica("ml");
  Open(Settings());
  EXPECT_EQ(Ask("/ml/health").status, 200);
  const auto computed = Ask("/energy/compute-energy", kState);
  EXPECT_EQ(computed.status, 200) << computed.body;
  const auto wrong = Ask("/ml/drift/score", R"({"task":{}})");
  EXPECT_EQ(wrong.status, 422);
  EXPECT_THAT(wrong.body, HasSubstr(R"("path":"task")"));
  EXPECT_EQ(Ask("/ml/nowhere").status, 404);
  EXPECT_EQ(Ask("/ml/drift/score").status, 405);
}

TEST_F(GatewayTest, AServiceWithoutAReplicaIsUnavailableAndHealthSaysSo) {
  const auto energy = Replica("energy");
  Open(Settings());
  const auto response = Ask("/cognitive/health");
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.headers.Find("Retry-After"), "1");
  EXPECT_THAT(response.body, HasSubstr("cognitive: there is no replica"));
  const auto health = Json("/health");
  EXPECT_EQ(health.at("status").as_string(), "degraded");
  EXPECT_EQ(health.at("replicas").at("energy").to_number<int>(), 1);
  EXPECT_EQ(health.at("replicas").at("cognitive").to_number<int>(), 0);
}

TEST_F(GatewayTest, TheViewOfReplicasSaysWhereTheyAreAndHowTheyDo) {
  const auto energy = Replica("energy");
  Open(Settings());
  ASSERT_EQ(Ask("/energy/health").status / 100, 2);
  const auto replicas = Replicas("energy");
  ASSERT_EQ(replicas.size(), 1U);
  EXPECT_EQ(replicas[0].at("address").as_string(), energy->DirectAddress());
  EXPECT_EQ(replicas[0].at("node_id").as_string(), "node-1");
  EXPECT_EQ(replicas[0].at("state").as_string(), "serving");
  EXPECT_EQ(replicas[0].at("requests").to_number<int>(), 1);
}

TEST_F(GatewayTest, EventsComeAsTheyHappenThroughTheGatewayAndFromTheReplicaUntilTheClientLeaves) {
  const auto coordinator = Replica("coordinator");
  OpenStore();
  SubmitTask();
  Open(Settings());
  FollowEvents(3);
  AskAt(*coordinator);
  FollowEvents(5);
  EXPECT_TRUE(test::Eventually([&] {
    return coordinator->MetricsText().find("\nseedcore_event_subscribers 0\n") != std::string::npos;
  })) << coordinator->MetricsText();
}

TEST_F(GatewayTest, AReplicaThatDrainsEndsItsStreams) {
  const auto coordinator = Replica("coordinator");
  OpenStore();
  SubmitTask();
  AskAt(*coordinator);
  const auto streamed =
      client_->Stream({.target = "/pipeline/events?after=0"}, CallContext{}.Within(seconds(20), RealEnv()),
                      [&](const net::ServerEvent&) { return coordinator->Drain(seconds(10)); });
  EXPECT_TRUE(streamed) << "it is ended, not cut: " << ToString(streamed.error());
}

TEST_F(GatewayTest, AListenerCanBeSwitchedOff) {
  EXPECT_EQ(Replica("energy", {{"direct.enabled", false}})->DirectAddress(), "");
}

TEST_F(GatewayTest, AReplicaIsNotToBeHadWithoutTheClusterToken) {
  const auto energy = Replica("energy");
  for (const char* token : {"", "wrong"}) {
    net::Client direct({.base_url = "http://" + energy->DirectAddress(), .token = token}, RealEnv());
    const auto refused =
        direct.SendForAnyStatus({.method = net::Method::kPost, .target = "/energy/compute-energy", .body = kState}, {});
    ASSERT_TRUE(refused);
    EXPECT_EQ(refused->status, 401) << "'" << token << "'";
  }
}

TEST_F(GatewayTest, ClientsNeedATokenOfTheGatewayWhereThereIsOne) {
  const auto energy = Replica("energy");
  auto settings = Settings();
  settings.server.api_tokens = {"front"};
  Open(settings);
  EXPECT_EQ(Ask("/energy/compute-energy", kState).status, 401);
  EXPECT_EQ(Ask("/energy/health").status, 200) << "probes need none";
  client_ = std::make_unique<net::Client>(net::ClientOptions{.base_url = gateway_->url(), .token = "front"}, RealEnv());
  EXPECT_EQ(Ask("/energy/compute-energy", kState).status, 200);
}

TEST_F(GatewayTest, ADrainedReplicaGetsNothingNewAndNoRequestIsLostOverIt) {
  const auto leaving = Replica("energy", {{"direct.drain_notice", "1s"}});  // longer than the gateway takes to look
  const auto staying = Replica("energy");
  Open(Settings());
  ASSERT_EQ(Replicas("energy").size(), 2U);
  std::atomic<bool> done = false;
  std::atomic<int> bad = 0;
  std::atomic<int> asked = 0;
  std::vector<std::jthread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      while (!done) {
        // Without a key: none of them may be repeated, so that none may be cut.
        const auto response = client_->SendForAnyStatus(
            {.method = net::Method::kPost, .target = "/energy/compute-energy", .body = kState}, {});
        bad += response && response->status == 200 ? 0 : 1;
        ++asked;
      }
    });
  }
  while (asked < 100) std::this_thread::yield();
  leaving->Drain(seconds(5));
  const int before = asked;
  while (asked < before + 100) std::this_thread::yield();
  done = true;
  clients.clear();
  EXPECT_EQ(bad, 0);
  ASSERT_EQ(Replicas("energy").size(), 1U);
  EXPECT_EQ(Replicas("energy")[0].at("address").as_string(), staying->DirectAddress());
}

TEST_F(GatewayTest, AFrozenReplicaHoldsARequestNoLongerThanItsProbes) {
  const net::testing::LoopbackListener frozen;  // connections are made by the kernel, and nobody reads them
  const auto energy = Replica("energy");
  auto settings = Settings();
  settings.direct.probe_after = settings.direct.probe_timeout = milliseconds(100);
  settings.gateway.eject_for = seconds(60);
  Open(settings);
  const std::string address = fmt::format("127.0.0.1:{}", frozen.port());
  const auto presence = EnterEnergy(address);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Ask("/energy/health").status, 200);
  const json::object seen = Energy(address);
  EXPECT_EQ(seen.at("requests").to_number<int>(), 1);
  EXPECT_EQ(seen.at("state").as_string(), "ejected");
}

TEST_F(GatewayTest, NoRequestPaysForFindingOutWhetherAnEjectedReplicaIsBack) {
  std::atomic<bool> is_sick = true;
  std::atomic<int> tried = 0;
  const auto silent_while_sick = [&](const char* pattern) {
    net::Route route;
    route.pattern = pattern;
    route.handler = [&, is_trial = std::string_view(pattern) == kWorkingPath](const net::Request& request) {
      if (is_trial) ++tried;
      if (is_sick) RealEnv().SleepFor(seconds(60), request.call.stop);
      return net::JsonResponse("{}");
    };
    return route;
  };
  net::testing::TestServer replica(
      {}, {silent_while_sick(kAlivePath), silent_while_sick(kWorkingPath), silent_while_sick("/energy/health")});
  const auto energy = Replica("energy");
  auto settings = Settings();
  settings.direct.probe_after = settings.direct.probe_timeout = milliseconds(100);
  settings.gateway.eject_for = settings.gateway.eject_longest = milliseconds(50);
  Open(settings);
  const std::string address = fmt::format("127.0.0.1:{}", replica.port());
  const auto presence = EnterEnergy(address);
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Ask("/energy/health").status, 200);
  EXPECT_TRUE(test::Eventually([&] { return tried >= 2; })) << "nobody asks the gateway for anything meanwhile";
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Ask("/energy/health").status, 200);
  EXPECT_EQ(Energy(address).at("requests").to_number<int>(), 1) << "the one that found out that it is sick";
  is_sick = false;
  EXPECT_TRUE(test::Eventually([&] { return Energy(address).at("state").as_string() == "serving"; }));
  EXPECT_EQ(Energy(address).at("requests").to_number<int>(), 1);
}

TEST_F(GatewayTest, WhenTheRegistryForgetsAReplicaTheGatewayDoesToo) {
  auto energy = Replica("energy");
  Open(Settings());
  ASSERT_EQ(Replicas("energy").size(), 1U);
  energy.reset();
  ASSERT_TRUE(gateway_->Refresh());
  EXPECT_EQ(Replicas("energy").size(), 0U);
  energy = Replica("energy");
  ASSERT_TRUE(gateway_->Refresh());
  EXPECT_EQ(Ask("/energy/health").status, 200);
}

TEST_F(GatewayTest, ServicesCallEachOtherWithoutServe) {
  const auto ml = Replica("ml");
  const auto organism = Replica("organism");
  const auto cognitive = Replica("cognitive");
  const auto state = Replica("state");
  const auto coordinator = Replica("coordinator");  // its Serve gateway answers nobody
  Open(Settings());
  const auto routed = Ask("/pipeline/route-and-execute", R"({"type":"health_check","params":{}})");
  EXPECT_EQ(routed.status, 200) << routed.body;
  EXPECT_THAT(routed.body, testing::Not(HasSubstr(R"("drift":null)"))) << "ML was not reached";
}

TEST_F(GatewayTest, APlatformWhoseServicesAreElsewhereForwardsToThemAndDisturbsNothing) {
  const auto replica = Replica("energy");
  settings::Settings settings = Settings();
  settings.store.shared = true;
  const auto foundation = Foundation::Open(settings.store, RealEnv());
  ASSERT_TRUE(foundation);
  const auto epoch = (*foundation)->store->registry().CurrentEpoch();
  ASSERT_TRUE(epoch);
  settings.server.services_elsewhere = true;
  settings.server.listen.port = settings.server.api_listen.port = 0;
  const auto platform = Platform::Start(settings, RealEnv());
  ASSERT_TRUE(platform) << ToString(platform.error());
  net::ClientOptions once{.base_url = (*platform)->services_url()};
  once.retry.max_retries = 0;
  net::Client services(once, RealEnv());
  const auto energy =
      services.Send({.method = net::Method::kPost, .target = "/energy/compute-energy", .body = kState}, {});
  ASSERT_TRUE(energy) << ToString(energy.error());
  const auto replicas = services.Send({.target = "/-/routes"}, {});
  ASSERT_TRUE(replicas) << ToString(replicas.error());
  EXPECT_THAT(replicas->body, HasSubstr(replica->DirectAddress()));
  EXPECT_EQ(services.SendForAnyStatus({.target = "/organism/status"}, {})->status, 503) << "it has none of its own";
  net::Client api({.base_url = (*platform)->api_url()}, RealEnv());
  const auto ready = api.Send({.target = "/readyz"}, {});
  ASSERT_TRUE(ready) << ToString(ready.error());
  EXPECT_THAT(ready->body, HasSubstr(R"("dispatcher":"elsewhere")"));
  const std::string task = R"({"type":"health_check","description":"later"})";
  EXPECT_TRUE(api.Send({.method = net::Method::kPost, .target = "/api/v1/tasks", .body = task}, {}));
  EXPECT_EQ(*(*foundation)->store->registry().CurrentEpoch(), *epoch) << "no organism has begun one";
}

TEST_F(GatewayTest, AnyReplicaAnswersForTheWholeClusterAndForItselfWithoutAHop) {
  const auto ml = Replica("ml");
  const auto energy = Replica("energy");
  AskAt(*energy);
  const auto drift = R"({"task":{"type":"health_check","description":"how are you"}})";
  EXPECT_EQ(Ask("/ml/drift/score", drift).status, 200);
  EXPECT_EQ(Ask("/energy/compute-energy", kState).status, 200);
  const auto nobody = Ask("/cognitive/health");
  EXPECT_EQ(nobody.status, 503);
  EXPECT_THAT(nobody.body, HasSubstr("cognitive: there is no replica"));
  EXPECT_EQ(Ask("/ml/nowhere").status, 404);
  const auto requests = [&](std::string_view service) {
    const json::array replicas = Replicas(service);
    return replicas.size() == 1 ? replicas[0].at("requests").to_number<int>() : -1;
  };
  EXPECT_EQ(requests("ml"), 1);
  EXPECT_EQ(requests("energy"), 0) << "it went through the network to reach itself";
  EXPECT_EQ(Json("/health").at("status").as_string(), "degraded");
}

TEST_F(GatewayTest, AReplicaIsNoGatewayWhenItIsNotToBeOne) {
  const auto ml = Replica("ml");
  const auto energy = Replica("energy", {{"direct.gateway", false}});
  AskAt(*energy);
  EXPECT_EQ(Ask("/energy/compute-energy", kState).status, 200);
  EXPECT_EQ(Ask("/ml/health").status, 404);
}

TEST_F(GatewayTest, ClientsOfAReplicaPresentTheTokensThatAGatewayTakes) {
  const auto ml = Replica("ml");
  ::setenv("SEEDCORE_API_TOKENS", "front", 1);
  const auto energy = Replica("energy");
  ::unsetenv("SEEDCORE_API_TOKENS");
  ASSERT_TRUE(energy);
  AskAt(*energy, "front");
  EXPECT_EQ(Ask("/energy/compute-energy", kState).status, 200);
  EXPECT_EQ(Ask("/ml/drift/score", R"({"task":{"type":"a"}})").status, 200);
  AskAt(*energy, "other");
  EXPECT_EQ(Ask("/ml/drift/score", R"({"task":{"type":"a"}})").status, 401);
}

TEST_F(GatewayTest, AForwardedRequestIsNeverForwardedAgain) {
  const auto energy = Replica("energy");
  const auto state = Replica("state");
  AskAt(*energy);
  // Two replicas that, as the registry has it, each are where ML is: without a mark they would play ball.
  store::RegistryStore& registry = foundation_->store->registry();
  for (const ServiceEngine* replica : {energy.get(), state.get()}) {
    store::Instance wrong;
    wrong.instance_id = RealEnv().NewId();
    wrong.logical_id = "service:ml";
    wrong.cluster_epoch = *registry.CurrentEpoch();
    wrong.service = "ml";
    wrong.address = replica->DirectAddress();
    ASSERT_TRUE(registry.Register(wrong));
    ASSERT_TRUE(registry.SetStatus(wrong.instance_id, store::InstanceStatus::kAlive));
  }
  const Instant until = RealEnv().Now() + seconds(30);
  while (Replicas("ml").size() < 2 && RealEnv().Now() < until) std::this_thread::yield();
  ASSERT_EQ(Replicas("ml").size(), 2U);
  const auto answer = Ask("/ml/drift/score", R"({"task":{"type":"a"}})");
  EXPECT_EQ(answer.status, 503);
  EXPECT_THAT(answer.body, HasSubstr("goes no further"));
  int forwarded = 0;
  for (const json::value& each : Replicas("ml")) forwarded += each.at("requests").to_number<int>();
  EXPECT_LE(forwarded, 1) << "it cannot be repeated, so it is sent once, by the replica that was asked";
  EXPECT_EQ(forwarded, 1);
}

TEST_F(GatewayTest, AReplicaThatDrainsHasItsOwnRequestsAnsweredByTheOthers) {
  const auto leaving = Replica("energy", {{"direct.drain_notice", "2s"}});
  const auto staying = Replica("energy");
  AskAt(*leaving);
  const auto reached = [&] {
    return staying->MetricsText().find(R"(route="/energy/compute-energy",status="200")") != std::string::npos;
  };
  EXPECT_EQ(Ask("/energy/compute-energy", kState).status, 200);
  EXPECT_FALSE(reached());
  std::atomic<bool> drained = false;
  std::jthread drain([&] {
    leaving->Drain(seconds(5));
    drained = true;
  });
  while (!reached() && !drained) EXPECT_EQ(Ask("/energy/compute-energy", kState).status, 200);
  EXPECT_TRUE(reached()) << staying->MetricsText();
}

TEST_F(GatewayTest, AReplicaThatOthersCouldReachNeedsATokenThatWasAgreedOn) {
  auto refused = ServiceEngine::Start(
      {.service = "energy",
       .gateway_url = "http://127.0.0.1:9",
       .user_config = {{"store.data_dir", folder_.path().string()}, {"direct.listen", "0.0.0.0:0"}},
       .settings_file = {},
       .place = {}},
      RealEnv());
  ASSERT_FALSE(refused);
  EXPECT_THAT(ToString(refused.error()), HasSubstr("SEEDCORE_CLUSTER_TOKEN"));
}

TEST_F(GatewayTest, AReconfiguredReplicaAnswersByItsNewSettingsOnItsOwnListenerToo) {
  const auto cognitive = Replica("cognitive", {{"cognitive.retrieval_limit", 7}});
  Open(Settings());
  const auto limit = [&] { return Json("/cognitive/info").at("profiles").at("fast").at("max_facts").to_number<int>(); };
  EXPECT_EQ(limit(), 7);
  const auto changed = cognitive->Reconfigure(
      {{"store.data_dir", folder_.path().string()}, {"direct.drain_notice", "0s"}, {"cognitive.retrieval_limit", 9}});
  ASSERT_TRUE(changed) << ToString(changed.error());
  EXPECT_EQ(limit(), 9);
  EXPECT_THAT(
      ToString(
          cognitive->Reconfigure({{"store.data_dir", folder_.path().string()}, {"direct.enabled", false}}).error()),
      HasSubstr("direct"));
}

}  // namespace
}  // namespace seedcore::app
