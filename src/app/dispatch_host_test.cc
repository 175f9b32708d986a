#include "app/dispatch_host.h"

#include <atomic>
#include <condition_variable>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/dispatch_lane.h"
#include "app/engine.h"
#include "app/platform.h"
#include "base/testing.h"
#include "net/client.h"
#include "net/server.h"
#include "store/postgres/testing.h"

namespace seedcore::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Each;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr milliseconds kLong = seconds(60);

/// Hosts over the store of one folder.
class DispatchHostTest : public testing::Test {
 protected:
  DispatchHostTest() {
    settings_.server.listen.port = 0;
    settings_.server.api_listen.port = 0;
    settings_.store.data_dir = folder_.path();
    settings_.store.shared = true;
    settings_.queue.concurrency = 2;
    settings_.queue.dispatch_elsewhere = true;
    settings_.client.breaker_reset = milliseconds(50);
  }

  /// The six services and nobody who dispatches. Where they are.
  std::string Services() {
    auto started = Platform::Start(settings_, RealEnv());
    if (!started) throw std::runtime_error(ToString(started.error()));
    platform_ = std::move(*started);
    return platform_->services_url();
  }
  std::unique_ptr<DispatchHost> Host(const std::string& name, const std::string& services,
                                     const std::string& role = "queue") {
    auto host = DispatchHost::Start(
        {.role = role, .name = name, .gateway_url = services, .node_id = "node", .ip_address = "127.0.0.1"}, settings_,
        RealEnv());
    if (!host) throw std::runtime_error(ToString(host.error()));
    return std::move(*host);
  }
  std::unique_ptr<Foundation> OpenStore() {
    auto opened = Foundation::Open(settings_.store, RealEnv());
    if (!opened) throw std::runtime_error(ToString(opened.error()));
    return std::move(*opened);
  }
  static std::string Owner(const DispatchHost& host) { return host.Status().dispatcher->owner_id; }

  test::TemporaryFolder folder_;
  settings::Settings settings_;
  std::unique_ptr<Platform> platform_;
};

TEST_F(DispatchHostTest, TasksAreExecutedByWhicheverHostTakesThem) {
  const std::string services = Services();
  const auto left = Host("left", services);
  const auto right = Host("right", services);
  const auto proven = left->Prove(40, kLong);
  ASSERT_TRUE(proven) << ToString(proven.error());
  EXPECT_EQ(proven->size(), 40U);
  const std::set<std::string> owners{Owner(*left), Owner(*right)};
  for (const ProvenTask& task : *proven) {
    EXPECT_EQ(task.status, "completed") << task.error;
    EXPECT_TRUE(owners.contains(task.owner_id)) << task.owner_id;
  }
  EXPECT_EQ(left->Status().dispatcher->completed + right->Status().dispatcher->completed, 40);
}

TEST_F(DispatchHostTest, APlatformThatDispatchesElsewhereIsReadyAndExecutesNothing) {
  Services();
  net::Client client({.base_url = platform_->api_url()}, RealEnv());
  const auto ready = client.Send({.target = "/readyz"}, {});
  ASSERT_TRUE(ready) << ToString(ready.error());
  EXPECT_THAT(ready->body, HasSubstr(R"("dispatcher":"elsewhere")"));
  const auto reaper = Host("reaper", "", "reaper");
  const auto proven = reaper->Prove(1, milliseconds(200));
  ASSERT_TRUE(proven) << ToString(proven.error());
  EXPECT_EQ(proven->front().status, "cancelled") << "somebody executed it";
}

TEST_F(DispatchHostTest, AHostIsInTheRegistryWhileItRuns) {
  const auto store = OpenStore();
  const auto host = Host("seedcore_dispatcher_7", "http://127.0.0.1:9");
  const auto active = store->store->registry().ActiveInstances("seedcore_dispatcher_7");
  ASSERT_TRUE(active) << ToString(active.error());
  ASSERT_EQ(active->size(), 1U);
  EXPECT_EQ(active->front().instance_id, host->Status().instance_id);
  EXPECT_EQ(active->front().cluster_epoch, host->Status().epoch);
  EXPECT_EQ(active->front().node_id, "node");
  EXPECT_EQ(active->front().ip_address, "127.0.0.1");
  EXPECT_EQ(active->front().status, store::InstanceStatus::kAlive);
  host->Drain(milliseconds(0));
  EXPECT_EQ(host->Status().state, "stopped");
  EXPECT_THAT(*store->store->registry().ActiveInstances("seedcore_dispatcher_7"), IsEmpty());
}

TEST_F(DispatchHostTest, AHostIsCalledAtItsOwnListenerWhichTheRegistryNames) {
  const std::string services = Services();
  const auto host = Host("seedcore_dispatcher_0", services);
  const auto reaper = Host("seedcore_reaper", "", "reaper");
  const auto lane = DispatchLane::Open(settings_, RealEnv());
  ASSERT_TRUE(lane) << ToString(lane.error());
  const auto found = (*lane)->List();
  ASSERT_TRUE(found) << ToString(found.error());
  ASSERT_EQ(found->size(), 2U);
  EXPECT_EQ(found->at(0).logical_id, "seedcore_dispatcher_0");
  EXPECT_EQ(found->at(0).service, "dispatcher");
  EXPECT_EQ(found->at(0).cluster_epoch, host->Status().epoch);
  EXPECT_EQ(found->at(0).address, host->Status().address);
  EXPECT_EQ(found->at(1).service, "reaper");

  const CallContext call = CallContext{}.Within(kLong, RealEnv());
  const auto health = (*lane)->Health(found->at(0), call);
  ASSERT_TRUE(health) << ToString(health.error());
  EXPECT_EQ(health->status, "healthy");
  const auto checked = (*lane)->HealthCheck(found->at(0), {.count = 3}, call);
  ASSERT_TRUE(checked) << ToString(checked.error());
  EXPECT_THAT(checked->tasks, Each(Field(&ProvenTask::owner_id, Owner(*host))));
  EXPECT_EQ((*lane)->Status(found->at(1), call)->role, "reaper");

  const auto drained = (*lane)->Drain(found->at(0), {.timeout_s = 5}, call);
  ASSERT_TRUE(drained) << ToString(drained.error());
  EXPECT_EQ(drained->state, "stopped");
  EXPECT_EQ(drained->dispatcher->completed, 3);
  const auto after = (*lane)->Health(found->at(0), call);
  ASSERT_TRUE(after) << ToString(after.error());
  EXPECT_THAT(after->problems, testing::ElementsAre("it is stopped"));
  EXPECT_EQ((*lane)->List()->size(), 1U) << "who has drained is off the list";
}

TEST_F(DispatchHostTest, AHostIsNotToBeHadWithoutTheClusterToken) {
  const auto host = Host("a", "", "reaper");
  for (const char* token : {"", "another"}) {
    net::Client client({.base_url = "http://" + host->Status().address, .token = token}, RealEnv());
    for (const char* path : {"/dispatch/health", "/dispatch/status", "/dispatch/metrics"}) {
      EXPECT_EQ(client.Send({.target = path}, {}).error().code, ErrorCode::kUnauthenticated) << path;
    }
  }
}

TEST_F(DispatchHostTest, AHostWithoutAListenerIsRegisteredWithoutAnAddress) {
  settings_.direct.enabled = false;
  const auto host = Host("a", "", "reaper");
  EXPECT_EQ(host->Status().address, "");
  EXPECT_THAT(*OpenStore()->store->registry().ActiveListeners(), IsEmpty());
}

TEST_F(DispatchHostTest, OnSeveralHostsAListenerOnLoopbackIsNotOpened) {
  auto& server = store::postgres::TestServer::Shared();
  server.CreateDatabase("several_hosts");
  settings_.store.pg_dsn = server.Dsn("several_hosts");
  DispatchHostOptions options;
  options.role = "reaper";
  options.hosts = 2;
  options.ip_address = "127.0.0.1";
  const auto closed = DispatchHost::Start(options, settings_, RealEnv());
  ASSERT_TRUE(closed) << ToString(closed.error());
  EXPECT_EQ((*closed)->Status().address, "");
  settings_.direct.listen = {"0.0.0.0", 0};
  settings_.direct.cluster_token = "a-token-that-was-agreed-on-0123456789";
  const auto open = DispatchHost::Start(options, settings_, RealEnv());
  ASSERT_TRUE(open) << ToString(open.error());
  EXPECT_THAT((*open)->Status().address, testing::StartsWith("127.0.0.1:"));
}

TEST_F(DispatchHostTest, AListenerThatOthersCanReachNeedsAToken) {
  settings_.direct.listen = {"0.0.0.0", 0};
  DispatchHostOptions options;
  options.role = "reaper";
  const auto host = DispatchHost::Start(options, settings_, RealEnv());
  ASSERT_FALSE(host);
  EXPECT_THAT(ToString(host.error()), HasSubstr("SEEDCORE_CLUSTER_TOKEN"));
}

/// The services as a replica has them: at a listener of its own, and no gateway anywhere.
TEST_F(DispatchHostTest, TasksReachReplicasStraightAtTheirListeners) {
  std::vector<std::unique_ptr<ServiceEngine>> engines;
  for (const char* service : {"coordinator", "ml", "cognitive", "organism", "state", "energy"}) {
    auto engine = ServiceEngine::Start({.service = service,
                                        .gateway_url = "http://127.0.0.1:9",
                                        .user_config = {{"store.data_dir", folder_.path().string()}}},
                                       RealEnv());
    ASSERT_TRUE(engine) << service << ": " << ToString(engine.error());
    engines.push_back(std::move(*engine));
  }
  const auto host = Host("a", "http://127.0.0.1:9");
  const auto proven = host->Prove(3, kLong);
  ASSERT_TRUE(proven) << ToString(proven.error());
  EXPECT_THAT(*proven, Each(Field(&ProvenTask::status, "completed")));
}

TEST_F(DispatchHostTest, AReaperHasNoDispatcher) {
  const auto host = Host("seedcore_reaper", "", "reaper");
  const DispatchHostStatus status = host->Status();
  EXPECT_FALSE(status.dispatcher);
  ASSERT_TRUE(status.reaper);
  EXPECT_TRUE(status.reaper->running);
  EXPECT_EQ(status.store_backend, "sqlite");
}

TEST_F(DispatchHostTest, ARoleThatCannotBePlayedIsRefused) {
  const auto start = [&](const std::string& role) {
    DispatchHostOptions options;
    options.role = role;
    return DispatchHost::Start(options, settings_, RealEnv()).error();
  };
  EXPECT_THAT(ToString(start("writer")), HasSubstr("expected queue, graph or reaper, got 'writer'"));
}

TEST_F(DispatchHostTest, AGraphDispatcherExecutesGraphTasksWithoutServicesAndNothingElse) {
  const auto host = Host("seedcore_graph_dispatcher_0", "", "graph");
  EXPECT_EQ(host->Status().services, "");
  const auto proven = host->Prove(2, kLong);
  ASSERT_TRUE(proven) << ToString(proven.error());
  for (const ProvenTask& task : *proven) {
    EXPECT_EQ(task.status, "completed") << task.error;
    EXPECT_THAT(task.owner_id, HasSubstr("seedcore_graph_dispatcher_0"));
  }
}

TEST_F(DispatchHostTest, AGraphDispatcherClaimsNoTypeThatIsNotItsOwn) {
  const auto host =
      DispatchHost::Start({.role = "graph", .name = "g", .types = {"general_query"}}, settings_, RealEnv());
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().path, "types");
}

TEST_F(DispatchHostTest, SqliteOnSeveralHostsIsRefusedWithTheSettingThatHelps) {
  DispatchHostOptions options;
  options.hosts = 2;
  const auto host = DispatchHost::Start(options, settings_, RealEnv());
  ASSERT_FALSE(host);
  EXPECT_EQ(host.error().code, ErrorCode::kInvalidArgument);
  EXPECT_THAT(ToString(host.error()), HasSubstr("SEEDCORE_PG_DSN"));
}

TEST_F(DispatchHostTest, ProvingNothingIsRefused) {
  const auto host = Host("a", "", "reaper");
  EXPECT_EQ(host->Prove(0, kLong).error().path, "count");
  EXPECT_EQ(host->Prove(100'000, kLong).error().path, "count");
}

TEST_F(DispatchHostTest, TypesOfWorkersOutsideAreLeftToThem) {
  const std::string services = Services();
  settings_.queue.external_types = {" Health_Check "};
  const auto host = Host("a", services);
  const auto left_alone = host->Prove(1, milliseconds(200));
  ASSERT_TRUE(left_alone);
  EXPECT_EQ(left_alone->front().status, "cancelled");
  EXPECT_EQ(host->Status().dispatcher->claimed, 0);
}

/// A coordinator that does what a test tells it to.
class DispatchHostAndCoordinatorTest : public DispatchHostTest {
 protected:
  std::string Coordinator(std::function<net::Response(const net::Request&)> handler) {
    EXPECT_TRUE(server_.AddRoutes(
        0, {{.method = net::Method::kPost, .pattern = "/pipeline/route-and-execute", .handler = std::move(handler)}}));
    EXPECT_TRUE(server_.Start());
    return "http://127.0.0.1:" + std::to_string(server_.endpoints().front().port);
  }
  static net::Response Done() {
    service::RouteResponse response;
    response.kind = "fast_path";
    response.path = "fast";
    response.success = true;
    return net::JsonResponse(ToJsonText(response));
  }

  Metrics metrics_;
  net::Server server_{net::ServerOptions{}, RealEnv(), metrics_};
};

TEST_F(DispatchHostAndCoordinatorTest, AGatewayThatIsAwayForAWhileUsesUpNoAttempts) {
  std::atomic<int> calls = 0;
  std::mutex mutex;
  std::set<std::string> keys;
  const auto host = Host("a", Coordinator([&](const net::Request& request) -> net::Response {
                           const std::scoped_lock lock(mutex);
                           keys.insert(request.call.idempotency_key);
                           if (++calls <= 14)
                             return {.status = 503, .content_type = "text/plain", .body = "no replica"};
                           return Done();
                         }));
  const auto proven = host->Prove(1, kLong);
  ASSERT_TRUE(proven) << ToString(proven.error());
  EXPECT_EQ(proven->front().status, "completed") << proven->front().error;
  EXPECT_EQ(host->Status().dispatcher->claimed, 1);
  EXPECT_EQ(host->Status().dispatcher->retried, 0);
  EXPECT_EQ(keys, std::set{proven->front().id}) << "the key of a task is its id, at every repetition";
}

TEST_F(DispatchHostAndCoordinatorTest, AnExecutionHasItsOwnTimeAndNotThatOfAnyRequest) {
  std::atomic<std::int64_t> seconds_left = 0;
  const auto host = Host("a", Coordinator([&](const net::Request& request) {
                           seconds_left =
                               std::chrono::duration_cast<seconds>(request.call.deadline - RealEnv().Now()).count();
                           return Done();
                         }));
  ASSERT_TRUE(host->Prove(1, kLong));
  const auto usual = std::chrono::duration_cast<seconds>(settings_.server.request_timeout).count();
  EXPECT_GT(seconds_left, usual + 60);
  EXPECT_LE(seconds_left, std::chrono::duration_cast<seconds>(settings_.queue.execution_timeout).count());
}

TEST_F(DispatchHostAndCoordinatorTest, ADrainedHostHandsItsTaskToAnother) {
  std::promise<void> entered;
  std::promise<void> release;
  std::atomic<int> calls = 0;
  const std::string services = Coordinator([&, released = release.get_future().share()](const net::Request&) {
    if (++calls == 1) {
      entered.set_value();
      released.wait();
    }
    return Done();
  });
  const auto first = Host("first", services);
  auto proven = std::async(std::launch::async, [&] { return first->Prove(1, kLong); });
  entered.get_future().wait();
  first->Drain(milliseconds(0));
  EXPECT_EQ(first->Status().dispatcher->handed_back, 1);
  const auto second = Host("second", services);
  const auto tasks = proven.get();
  release.set_value();
  ASSERT_TRUE(tasks) << ToString(tasks.error());
  EXPECT_EQ(tasks->front().status, "completed") << tasks->front().error;
  EXPECT_EQ(tasks->front().owner_id, Owner(*second));
  EXPECT_THAT(*first->Prove(4, kLong), Each(Field(&ProvenTask::owner_id, Owner(*second))));
}

TEST_F(DispatchHostAndCoordinatorTest, ACancellationReachesTheServiceThatExecutesTheTask) {
  settings_.queue.lease = milliseconds(1500);  // renewed every 500 ms
  Services();                                  // its task API shares the store with the host, and nothing else
  std::promise<void> entered;
  std::promise<bool> told;
  const auto host =
      Host("a", Coordinator([&](const net::Request& request) {
             entered.set_value();
             std::mutex mutex;
             std::condition_variable_any never;
             std::unique_lock lock(mutex);
             RealEnv().WaitUntil(lock, never, RealEnv().Now() + seconds(60), request.call.stop, [] { return false; });
             told.set_value(request.call.stop.stop_requested());
             return Done();
           }));
  net::Client client({.base_url = platform_->api_url()}, RealEnv());
  const auto submitted =
      client.Send({.method = net::Method::kPost, .target = "/api/v1/tasks", .body = R"({"type": "health_check"})"}, {});
  ASSERT_TRUE(submitted) << ToString(submitted.error());
  const std::string id(ParseJson(submitted->body).value().at("id").as_string());
  entered.get_future().wait();
  const Instant cancelled = RealEnv().Now();
  const auto answer = client.Send({.method = net::Method::kPost, .target = "/api/v1/tasks/" + id + "/cancel"}, {});
  ASSERT_TRUE(answer) << ToString(answer.error());
  ASSERT_EQ(answer->status, 200) << answer->body;
  auto stopped = told.get_future();
  ASSERT_EQ(stopped.wait_for(seconds(20)), std::future_status::ready);
  EXPECT_TRUE(stopped.get());
  fmt::print("from the cancellation to the stop, through another process and a service: {:.0f} ms\n",
             std::chrono::duration<double, std::milli>(RealEnv().Now() - cancelled).count());
  const auto store = OpenStore();
  EXPECT_EQ(store->store->tasks().Get(id)->status, store::TaskStatus::kCancelled);
}

}  // namespace
}  // namespace seedcore::app
