#include "app/organ_host.h"

#include <atomic>
#include <functional>
#include <future>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/cluster_token.h"
#include "app/engine.h"
#include "base/testing.h"
#include "net/client.h"
#include "net/server.h"

namespace seedcore::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr char kOrgan[] = "utility_organ_1";
constexpr char kName[] = "seedcore_organ_utility_organ_1";

/// A server whose first answer comes when it is let go; notes the idempotency keys.
class SlowServer {
 public:
  SlowServer() : server_(Options(), RealEnv(), metrics_) {
    net::Route route;
    route.method = net::Method::kPost;
    route.pattern = "/hook";
    route.requires_auth = false;
    route.handler = [this](const net::Request& request) {
      {
        const std::scoped_lock lock(mutex_);
        keys_.push_back(request.call.idempotency_key);
      }
      if (calls_++ == 0) {
        entered_.set_value();
        (void)RealEnv().SleepFor(seconds(60), request.call.stop);
      }
      return net::JsonResponse(R"({"ok":true})");
    };
    std::vector<net::Route> routes;
    routes.push_back(std::move(route));
    EXPECT_TRUE(server_.AddRoutes(0, std::move(routes)));
    EXPECT_TRUE(server_.Start());
  }
  std::string url() const { return "http://" + server_.endpoints().front().ToString(); }
  bool AwaitCall() { return entered_.get_future().wait_for(seconds(30)) == std::future_status::ready; }
  int calls() const { return calls_; }
  std::vector<std::string> keys() {
    const std::scoped_lock lock(mutex_);
    return keys_;
  }

 private:
  static net::ServerOptions Options() {
    net::ServerOptions options;
    options.listen = {"127.0.0.1:0"};
    return options;
  }
  std::promise<void> entered_;
  std::atomic<int> calls_ = 0;
  std::mutex mutex_;  // guards keys_
  std::vector<std::string> keys_;
  Metrics metrics_;
  net::Server server_;
};

/// An organism and hosts of its organs, on one shared store.
class OrganHostTest : public testing::Test {
 protected:
  ~OrganHostTest() override {
    organism_.reset();
    foundation_.reset();
  }

  settings::Settings Settings() const {
    settings::Settings settings;
    settings.store.data_dir = folder_.path().string();
    settings.store.shared = true;
    settings.direct.drain_notice = milliseconds(0);
    settings.gateway.refresh = milliseconds(100);
    settings.organism.webhook_allow = {webhook_.url()};
    return settings;
  }
  void StartOrganism(json::object config = {}) {
    config["store.data_dir"] = folder_.path().string();
    config["direct.drain_notice"] = "0s";
    config["gateway.refresh"] = "100ms";
    config["organism.webhook_allow"] = webhook_.url();
    auto engine = ServiceEngine::Start({.service = "organism",
                                        .gateway_url = "http://127.0.0.1:9",
                                        .user_config = std::move(config),
                                        .settings_file = {},
                                        .place = {.node_id = "node-1", .node_ip = "127.0.0.1"}},
                                       RealEnv());
    ASSERT_TRUE(engine) << ToString(engine.error());
    organism_ = std::move(*engine);
    foundation_ = *Foundation::Open(Settings().store, RealEnv());
    net::ClientOptions options{.base_url = "http://" + organism_->DirectAddress(),
                               .token = *ClusterToken({}, foundation_->store->streams())};
    options.retry.max_retries = 0;
    client_ = std::make_unique<net::Client>(options, RealEnv());
  }
  std::unique_ptr<OrganHost> Host(std::string organ_id = kOrgan) {
    auto host = OrganHost::Start({.organ_id = std::move(organ_id),
                                  .name = {},
                                  .gateway_url = "http://127.0.0.1:9",
                                  .node_id = "node-2",
                                  .ip_address = "127.0.0.1"},
                                 Settings(), RealEnv());
    EXPECT_TRUE(host) << ToString(host.error());
    return host ? std::move(*host) : nullptr;
  }
  json::object Ask(const std::string& target, const json::value& body = nullptr) {
    const bool get = body.is_null();
    const auto answer = client_->SendForAnyStatus({.method = get ? net::Method::kGet : net::Method::kPost,
                                                   .target = "/organism" + target,
                                                   .body = get ? "" : WriteJson(body)},
                                                  {});
    if (!answer) return {{"error", ToString(answer.error())}};
    const auto parsed = ParseJson(answer->body);
    return parsed && parsed->is_object() ? parsed->get_object() : json::object{};
  }
  json::object Execute(const std::string& organ_id, json::object task) {
    return Ask("/execute-on-organ", json::object{{"organ_id", organ_id}, {"task", std::move(task)}});
  }
  json::object WebhookTask(const std::string& id) const {
    return {
        {"id", id},
        {"type", "execute"},
        {"params", {{"tool", "webhook"}, {"arguments", {{"url", webhook_.url() + "/hook"}, {"body", {{"a", 1}}}}}}}};
  }
  /// Who did the work that the reply reports; "organism" when that was done in place.
  static std::string HostOf(const json::object& reply) {
    const auto* result = reply.if_contains("result");
    if (result == nullptr || !result->is_object()) return WriteJson(reply);
    const auto* host = result->get_object().if_contains("host");
    return host == nullptr ? "organism" : std::string(host->as_string());
  }
  /// Until the organism sees `count` hosts of the organ.
  bool AwaitHosts(const std::string& organ_id, std::size_t count) {
    for (const Instant until = RealEnv().Now() + seconds(30); RealEnv().Now() < until; std::this_thread::yield()) {
      const json::object status = Ask("/organism-status");
      for (const json::value& organ : status.at("status").as_array()) {
        if (organ.at("organ_id").as_string() != organ_id) continue;
        const auto* hosts = organ.as_object().if_contains("hosts");
        if ((hosts == nullptr ? 0 : hosts->as_array().size()) == count) return true;
      }
    }
    return false;
  }
  std::int64_t TasksProcessed() {
    return Ask("/organism-summary").at("summary").at("tasks_processed").to_number<std::int64_t>();
  }

  test::TemporaryFolder folder_;
  SlowServer webhook_;
  std::unique_ptr<ServiceEngine> organism_;
  std::unique_ptr<Foundation> foundation_;
  std::unique_ptr<net::Client> client_;
};

TEST_F(OrganHostTest, WorkOfAnOrganIsDoneByItsHostAndTheOrganismKeepsTheBooks) {
  StartOrganism();
  const auto host = Host();
  ASSERT_TRUE(AwaitHosts(kOrgan, 1));
  const auto reply = Execute(kOrgan, {{"id", "t1"}, {"type", "fact_store"}, {"params", {{"text", "water is wet"}}}});
  EXPECT_EQ(HostOf(reply), kName) << WriteJson(reply);
  EXPECT_TRUE(reply.at("success").as_bool());
  EXPECT_EQ(host->Status().executed, 1);
  EXPECT_EQ(foundation_->store->facts().Count(), 1) << "effects are written once, by the organism";
  EXPECT_EQ(TasksProcessed(), 1);
  EXPECT_EQ(HostOf(Execute("cognitive_organ_1", {{"type", "general_query"}, {"description", "1+1"}})), "organism");
}

TEST_F(OrganHostTest, AHealthTaskAtAHostSeesTheLiveOrganism) {
  StartOrganism();
  const auto host = Host();
  ASSERT_TRUE(AwaitHosts(kOrgan, 1));
  const auto reply = Execute(kOrgan, {{"type", "health_check"}});
  ASSERT_EQ(HostOf(reply), kName) << WriteJson(reply);
  EXPECT_TRUE(reply.at("success").as_bool()) << WriteJson(reply);
  EXPECT_THAT(WriteJson(reply), HasSubstr("3 organs, 6 agents, 1 tasks running"));
}

TEST_F(OrganHostTest, AnErrorOfTheWorkIsTheErrorOfTheTask) {
  StartOrganism();
  const auto host = Host();
  ASSERT_TRUE(AwaitHosts(kOrgan, 1));
  const auto reply = Execute(kOrgan, {{"type", "fact_store"}, {"params", {{"txt", "x"}}}});
  EXPECT_EQ(HostOf(reply), kName) << WriteJson(reply);
  EXPECT_FALSE(reply.at("success").as_bool());
  EXPECT_EQ(reply.at("error_code").as_string(), "invalid_argument");
  EXPECT_FALSE(reply.at("retryable").as_bool());
}

TEST_F(OrganHostTest, AHostThatIsLostInMidWorkHasItDoneElsewhereUnderTheSameKey) {
  StartOrganism();
  auto host = Host();
  ASSERT_TRUE(AwaitHosts(kOrgan, 1));
  auto reply = std::async(std::launch::async, [&] { return Execute(kOrgan, WebhookTask("t7")); });
  ASSERT_TRUE(webhook_.AwaitCall());
  host.reset();  // cuts what is under way
  const auto done = reply.get();
  EXPECT_EQ(HostOf(done), "organism") << WriteJson(done);
  EXPECT_TRUE(done.at("success").as_bool()) << WriteJson(done);
  EXPECT_EQ(webhook_.calls(), 2);
  ASSERT_EQ(webhook_.keys().size(), 2U);
  EXPECT_EQ(webhook_.keys()[0], webhook_.keys()[1]) << "the other side can tell that it is the same work";
  EXPECT_EQ(TasksProcessed(), 1) << "the agent learns once";
}

TEST_F(OrganHostTest, OfTwoHostsTheOneThatLivesTakesTheWorkOfTheOther) {
  StartOrganism();
  auto first = Host();
  const auto second = Host();
  ASSERT_TRUE(AwaitHosts(kOrgan, 2));
  auto reply = std::async(std::launch::async, [&] { return Execute(kOrgan, WebhookTask("t8")); });
  ASSERT_TRUE(webhook_.AwaitCall());
  const bool is_first = first->Status().running == 1;
  const OrganHost& other = is_first ? *second : *first;
  if (is_first) {
    first.reset();
  } else {
    ASSERT_EQ(second->Status().running, 1);
    second->Drain(milliseconds(0));
  }
  EXPECT_EQ(HostOf(reply.get()), kName);
  EXPECT_EQ(other.Status().executed, 1);
}

TEST_F(OrganHostTest, AHostThatDrainsFinishesWhatItHasAndGetsNothingNew) {
  StartOrganism();
  const auto host = Host();
  ASSERT_TRUE(AwaitHosts(kOrgan, 1));
  std::atomic<bool> done = false;
  std::atomic<int> asked = 0;
  std::atomic<int> bad = 0;
  std::vector<std::jthread> callers;
  for (int i = 0; i < 3; ++i) {
    callers.emplace_back([&] {
      while (!done) {
        const auto reply = Execute(kOrgan, {{"type", "general_query"}, {"description", "1+1"}});
        const auto* success = reply.if_contains("success");
        bad += success != nullptr && success->is_bool() && success->get_bool() ? 0 : 1;
        ++asked;
      }
    });
  }
  while (asked < 30) std::this_thread::yield();
  host->Drain(seconds(10));
  const int before = asked;
  while (asked < before + 30) std::this_thread::yield();
  done = true;
  callers.clear();
  EXPECT_EQ(bad, 0);
  EXPECT_EQ(host->Status().state, "stopped");
  EXPECT_EQ(TasksProcessed(), asked) << "each once, wherever it was done";
  EXPECT_TRUE(AwaitHosts(kOrgan, 0));
}

TEST_F(OrganHostTest, AHostOfAnotherOrganAtTheAddressDoesNotDoTheWork) {
  StartOrganism();
  const auto other = Host("cognitive_organ_1");
  store::RegistryStore& registry = foundation_->store->registry();
  store::Instance wrong;
  wrong.instance_id = RealEnv().NewId();
  wrong.logical_id = std::string("organ:") + kOrgan;
  wrong.cluster_epoch = *registry.CurrentEpoch();
  wrong.actor_name = kName;
  wrong.service = "organ";
  wrong.address = other->Status().address;
  ASSERT_TRUE(registry.Register(wrong));
  ASSERT_TRUE(registry.SetStatus(wrong.instance_id, store::InstanceStatus::kAlive));
  ASSERT_TRUE(AwaitHosts(kOrgan, 1));
  const auto reply = Execute(kOrgan, {{"type", "general_query"}, {"description", "1+1"}});
  EXPECT_EQ(HostOf(reply), "organism") << WriteJson(reply);
  EXPECT_EQ(other->Status().executed, 0);
}

TEST_F(OrganHostTest, WhereEachOrganRunsIsInItsHealthAndInTheViewOfReplicas) {
  StartOrganism();
  const auto host = Host();
  ASSERT_TRUE(AwaitHosts(kOrgan, 1));
  EXPECT_EQ(Ask("/health").at("hosts").at(kOrgan).as_string(), std::string(kName) + " at " + host->Status().address);
  const auto routes = client_->Send({.target = "/-/routes"}, {});
  ASSERT_TRUE(routes);
  EXPECT_THAT(routes->body, HasSubstr(R"("organs":[{"organ_id":"utility_organ_1")"));
}

TEST_F(OrganHostTest, AHostFollowsTheEpochOfANewOrganism) {
  StartOrganism();
  const auto host = Host();
  ASSERT_TRUE(AwaitHosts(kOrgan, 1));
  organism_->Drain(seconds(5));
  organism_.reset();
  StartOrganism();
  EXPECT_TRUE(AwaitHosts(kOrgan, 1));
  EXPECT_EQ(HostOf(Execute(kOrgan, {{"type", "health_check"}})), kName);
}

TEST_F(OrganHostTest, WhereWorkIsToStayWithTheOrganismAHostSaysSoAndNobodyUsesOne) {
  StartOrganism({{"direct.organs", false}});
  const auto host = Host();
  const auto reply = Execute(kOrgan, {{"type", "general_query"}, {"description", "1+1"}});
  EXPECT_EQ(HostOf(reply), "organism");
  auto settings = Settings();
  settings.direct.organs = false;
  const auto off =
      OrganHost::Start({.organ_id = kOrgan, .name = {}, .gateway_url = "http://127.0.0.1:9"}, settings, RealEnv());
  ASSERT_FALSE(off);
  EXPECT_EQ(off.error().code, ErrorCode::kConflict);
  EXPECT_EQ(off.error().path, "direct.organs");
}

TEST_F(OrganHostTest, NobodyIsLetInWithoutTheClusterToken) {
  StartOrganism();
  const auto host = Host();
  net::Client stranger({.base_url = "http://" + host->Status().address, .token = "wrong"}, RealEnv());
  const auto refused = stranger.SendForAnyStatus({.target = "/organ/health"}, {});
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->status, 401);
}

}  // namespace
}  // namespace seedcore::app
