#include "app/listener_presence.h"

#include <semaphore>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "app/cluster_token.h"
#include "app/direct_lane.h"
#include "app/replica_directory.h"
#include "base/metrics.h"
#include "base/sim_env.h"
#include "base/testing.h"
#include "net/server.h"
#include "net/testing.h"
#include "store/sqlite/sqlite_store.h"

namespace seedcore::app {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using store::InstanceStatus;
using testing::HasSubstr;

class ListenerTest : public testing::Test {
 protected:
  ListenerTest() {
    auto opened = store::sqlite::OpenSqliteStore({.path = folder_.File("s.db")}, env_, metrics_);
    EXPECT_TRUE(opened);
    store_ = std::move(*opened);
  }

  static store::Instance Listener(const std::string& address = "127.0.0.1:5000",
                                  const std::string& service = "energy") {
    store::Instance listener;
    listener.logical_id = "service:" + service;
    listener.service = service;
    listener.address = address;
    return listener;
  }
  store::RegistryStore& registry() { return store_->registry(); }
  std::vector<std::string> Addresses() {
    std::vector<std::string> addresses;
    const auto active = registry().ActiveListeners();
    for (const auto& instance : *active) addresses.push_back(instance.address);
    return addresses;
  }
  std::string Id() { return registry().ActiveListeners()->at(0).instance_id; }

  SimEnv env_;
  Metrics metrics_;
  test::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
};

TEST_F(ListenerTest, IsThereWhileItBeats) {
  ListenerPresence presence(registry(), Listener(), env_);
  ASSERT_TRUE(presence.Enter());
  EXPECT_THAT(Addresses(), testing::ElementsAre("127.0.0.1:5000"));
  const std::string id = Id();
  env_.Advance(milliseconds(14'000));
  ASSERT_TRUE(presence.Beat());
  env_.Advance(milliseconds(4'000));
  EXPECT_EQ(Id(), id);
}

TEST_F(ListenerTest, ComesBackUnderAnotherIdWhenItWasDeclaredDeadOrTheEpochChanges) {
  ListenerPresence presence(registry(), Listener(), env_);
  ASSERT_TRUE(presence.Enter());
  const std::string first = Id();
  ASSERT_TRUE(registry().SetStatus(first, InstanceStatus::kDead));
  ASSERT_TRUE(presence.Beat());
  const std::string second = Id();
  EXPECT_NE(second, first);
  ASSERT_TRUE(registry().SetCurrentEpoch("another"));
  EXPECT_THAT(Addresses(), testing::ElementsAre("127.0.0.1:5000")) << "it goes on serving";
  ASSERT_TRUE(presence.Beat());
  EXPECT_THAT(Addresses(), testing::ElementsAre("127.0.0.1:5000"));
  EXPECT_NE(Id(), second);
}

TEST_F(ListenerTest, ADrainingOneDoesNotComeBack) {
  ListenerPresence presence(registry(), Listener(), env_);
  ASSERT_TRUE(presence.Enter());
  presence.Drain();
  EXPECT_THAT(Addresses(), testing::IsEmpty());
  ASSERT_TRUE(presence.Beat());
  EXPECT_THAT(Addresses(), testing::IsEmpty());
  presence.Leave();
  presence.Leave();
  EXPECT_EQ(*registry().ExpireInstances(seconds(0)), 0) << "it is dead in the registry";
}

TEST_F(ListenerTest, TheClusterTokenIsMadeOnceAndTheOneThatIsSetWins) {
  const auto made = ClusterToken({}, store_->streams());
  ASSERT_TRUE(made);
  EXPECT_EQ(made->size(), 64U);
  EXPECT_EQ(*ClusterToken({}, store_->streams()), *made);
  settings::DirectSettings set;
  set.cluster_token = "agreed";
  EXPECT_EQ(*ClusterToken(set, store_->streams()), "agreed");
}

TEST_F(ListenerTest, OnlyLoopbackMayBeListenedOnWithoutATokenThatIsSet) {
  settings::DirectSettings settings;
  EXPECT_TRUE(CheckDirectListen(settings));
  settings.listen.host = "10.0.0.7";
  EXPECT_THAT(ToString(CheckDirectListen(settings).error()), HasSubstr("SEEDCORE_CLUSTER_TOKEN"));
  settings.cluster_token = "agreed";
  EXPECT_TRUE(CheckDirectListen(settings));
}

/// A listener that answers with its name.
struct NamedServer {
  explicit NamedServer(std::string name, int status = 200) {
    net::Route route{
        .method = net::Method::kGet, .pattern = "/energy/who", .handler = [name, status](const net::Request&) {
          return net::Response{.status = status, .content_type = "text/plain", .body = name};
        }};
    EXPECT_TRUE(server.AddRoutes(0, {route}));
    EXPECT_TRUE(server.Start());
  }
  [[nodiscard]] std::string address() const { return server.endpoints().front().ToString(); }

  Metrics metrics;
  net::Server server{{.auth = {.tokens = {"t"}}}, RealEnv(), metrics};
};

class DirectLaneTest : public ListenerTest {
 protected:
  void Known(std::vector<std::string> addresses) {
    for (std::string& address : addresses) {
      presences_.push_back(std::make_unique<ListenerPresence>(registry(), Listener(address), env_));
      ASSERT_TRUE(presences_.back()->Enter());
    }
    ASSERT_TRUE(replicas_.Refresh());
  }
  std::string Ask(DirectLane& lane, seconds patience = seconds(10)) {
    const auto answer = lane.Send({.target = "/energy/who"}, CallContext{}.Within(patience, RealEnv()));
    if (!answer) return "nobody";
    return *answer ? (*answer)->body : ToString(answer->error());
  }

  ReplicaDirectory replicas_{
      registry(), {.failures_to_open = 2, .open_for = milliseconds(60'000)}, milliseconds(1'000), env_};
  std::vector<std::unique_ptr<ListenerPresence>> presences_;
};

TEST_F(DirectLaneTest, WithoutAReplicaTheCallGoesAnotherWay) {
  DirectLane lane(replicas_, replicas_.Of("energy"), "energy", "t", LaneTimeouts(), RealEnv());
  EXPECT_EQ(Ask(lane), "nobody");
}

TEST_F(DirectLaneTest, AReplicaThatIsGoneIsPassedOver) {
  std::string gone;
  {
    const NamedServer dead("dead");
    gone = dead.address();
  }
  const NamedServer alive("alive");
  Known({gone, alive.address()});
  DirectLane lane(replicas_, replicas_.Of("energy"), "energy", "t", LaneTimeouts(), RealEnv());
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Ask(lane), "alive");
}

TEST_F(DirectLaneTest, AReplicaThatIsFrozenIsLeftForOneThatLivesAndIsThenLeftAlone) {
  const net::testing::LoopbackListener frozen;  // connections are made by the kernel, and nobody reads them
  const NamedServer alive("alive");
  Known({fmt::format("127.0.0.1:{}", frozen.port()), alive.address()});
  DirectLane lane(replicas_, replicas_.Of("energy"), "energy", "t",
                  {.connect = seconds(10), .probe_after = milliseconds(20), .probe = milliseconds(100)}, RealEnv());
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Ask(lane, seconds(60)), "alive");
  const auto known = replicas_.Of("energy")->List();
  ASSERT_EQ(known.size(), 2U);
  const std::size_t which = known[0]->address.where.port == frozen.port() ? 0 : 1;
  EXPECT_EQ(known[which]->requests(), 1U) << "once is enough, though a single failure is not";
  EXPECT_EQ(known[which]->breaker().state(), net::CircuitBreaker::State::kOpen);
}

TEST_F(DirectLaneTest, AnAnswerIsWaitedForAsLongAsTheReplicaShowsThatItLives) {
  std::counting_semaphore<> probes{0};
  net::Route work{.pattern = "/energy/who", .handler = [&](const net::Request&) {
                    for (int i = 0; i < 3; ++i) probes.acquire();
                    return net::Response{.content_type = "text/plain", .body = "at last"};
                  }};
  net::Route sign{.pattern = kAlivePath, .execution = net::Execution::kInline, .handler = [&](const net::Request&) {
                    probes.release();
                    return net::Response{};
                  }};
  Metrics metrics;
  net::Server server({.auth = {.tokens = {"t"}}}, RealEnv(), metrics);
  ASSERT_TRUE(server.AddRoutes(0, {work, sign}));
  ASSERT_TRUE(server.Start());
  Known({server.endpoints().front().ToString()});
  DirectLane lane(replicas_, replicas_.Of("energy"), "energy", "t",
                  {.connect = seconds(10), .probe_after = milliseconds(20), .probe = seconds(30)}, RealEnv());
  EXPECT_EQ(Ask(lane, seconds(60)), "at last");
}

TEST_F(DirectLaneTest, WhenAllAreBusyOrRefuseTheTokenTheCallGoesAnotherWay) {
  const NamedServer busy("busy", 503);
  Known({busy.address()});
  DirectLane lane(replicas_, replicas_.Of("energy"), "energy", "t", LaneTimeouts(), RealEnv());
  EXPECT_EQ(Ask(lane), "nobody");
  DirectLane stranger(replicas_, replicas_.Of("energy"), "energy", "other", LaneTimeouts(), RealEnv());
  EXPECT_EQ(Ask(stranger), "nobody");
}

TEST_F(DirectLaneTest, ThoseOfOtherServicesAndOfNewerVersionsAreNotAsked) {
  const NamedServer other("other");
  presences_.push_back(std::make_unique<ListenerPresence>(registry(), Listener(other.address(), "state"), env_));
  ASSERT_TRUE(presences_.back()->Enter());
  presences_.push_back(std::make_unique<ListenerPresence>(registry(), Listener(other.address(), "later"), env_));
  ASSERT_TRUE(presences_.back()->Enter());
  ASSERT_TRUE(replicas_.Refresh());
  DirectLane lane(replicas_, replicas_.Of("energy"), "energy", "t", LaneTimeouts(), RealEnv());
  EXPECT_EQ(Ask(lane), "nobody");
}

}  // namespace
}  // namespace seedcore::app
