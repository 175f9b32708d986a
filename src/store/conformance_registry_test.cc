#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/conformance.h"

namespace seedcore::store {
namespace {

using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

Instance SomeInstance(std::string id, std::string logical = "organ_1") {
  return {.instance_id = std::move(id),
          .logical_id = std::move(logical),
          .actor_name = "actor",
          .serve_route = "/organism",
          .node_id = "node",
          .ip_address = "10.0.0.1",
          .pid = 42};
}

std::vector<std::string> Ids(const std::vector<Instance>& instances) {
  std::vector<std::string> ids;
  for (const Instance& instance : instances) ids.push_back(instance.instance_id);
  return ids;
}

TEST_P(StoreConformance, EpochIsMadeOnceAndKept) {
  RegistryStore& registry = store().registry();
  const std::string epoch = Must(registry.CurrentEpoch());
  EXPECT_NE(epoch, "");
  EXPECT_EQ(Must(registry.CurrentEpoch()), epoch);
  Must(registry.SetCurrentEpoch("second"));
  Reopen();
  EXPECT_EQ(Must(store().registry().CurrentEpoch()), "second");
}

TEST_P(StoreConformance, InstanceIsActiveOnceItIsAliveAndAsLongAsItBeats) {
  RegistryStore& registry = store().registry();
  Must(registry.Register(SomeInstance("i1")));
  EXPECT_THAT(Must(registry.ActiveInstances("organ_1")), IsEmpty());
  Must(registry.SetStatus("i1", InstanceStatus::kAlive));
  const auto active = Must(registry.ActiveInstances("organ_1"));
  ASSERT_EQ(active.size(), 1U);
  EXPECT_EQ(active[0].status, InstanceStatus::kAlive);
  EXPECT_EQ(active[0].actor_name, "actor");
  EXPECT_EQ(active[0].serve_route, "/organism");
  EXPECT_EQ(active[0].node_id, "node");
  EXPECT_EQ(active[0].ip_address, "10.0.0.1");
  EXPECT_EQ(active[0].pid, 42);
  EXPECT_EQ(active[0].cluster_epoch, Must(registry.CurrentEpoch()));
  EXPECT_EQ(active[0].started_at, env_.WallNow());
  EXPECT_THAT(Must(registry.ActiveInstances("organ_2")), IsEmpty());
  Advance(seconds(14));
  Must(registry.Beat("i1"));
  Advance(seconds(14));
  EXPECT_EQ(Must(registry.ActiveInstances("organ_1")).size(), 1U);
  Advance(seconds(1));
  EXPECT_THAT(Must(registry.ActiveInstances("organ_1")), IsEmpty());
}

TEST_P(StoreConformance, AnInstanceIsForgottenAWeekAfterItsLastHeartbeatOnceItIsDead) {
  RegistryStore& registry = store().registry();
  for (const char* id : {"long dead", "dead", "alive"}) Must(registry.Register(SomeInstance(id)));
  Must(registry.SetStatus("long dead", InstanceStatus::kDead));
  Advance(std::chrono::hours(5 * 24));
  Must(registry.Beat("dead"));
  Must(registry.SetStatus("dead", InstanceStatus::kDead));
  Advance(std::chrono::hours(3 * 24));
  Must(registry.ExpireInstances(seconds(60)));
  EXPECT_EQ(CodeOf(registry.SetStatus("long dead", InstanceStatus::kDead)), ErrorCode::kNotFound);
  Must(registry.SetStatus("dead", InstanceStatus::kDead));
  Must(registry.SetStatus("alive", InstanceStatus::kDead));  // declared dead only now
  Must(registry.ExpireInstances(seconds(60)));
  EXPECT_EQ(CodeOf(registry.SetStatus("alive", InstanceStatus::kDead)), ErrorCode::kNotFound);
  Must(registry.SetStatus("dead", InstanceStatus::kDead));
}

TEST_P(StoreConformance, OfManyDeadInstancesTheLatestAreKept) {
  constexpr int kMany = 2'005;
  RegistryStore& registry = store().registry();
  const auto id = [](int number) { return fmt::format("i{:04}", number); };
  for (int i = 0; i < kMany; ++i) Must(registry.Register(SomeInstance(id(i))));
  Advance(seconds(100));
  EXPECT_EQ(Must(registry.ExpireInstances(seconds(60))), kMany);
  EXPECT_EQ(Must(registry.ExpireInstances(seconds(60))), 0);
  EXPECT_EQ(CodeOf(registry.SetStatus(id(0), InstanceStatus::kDead)), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(registry.SetStatus(id(4), InstanceStatus::kDead)), ErrorCode::kNotFound);
  Must(registry.SetStatus(id(5), InstanceStatus::kDead));
  Must(registry.SetStatus(id(kMany - 1), InstanceStatus::kDead));
}

TEST_P(StoreConformance, NewestHeartbeatComesFirst) {
  RegistryStore& registry = store().registry();
  for (const char* id : {"i1", "i2", "i3"}) {
    Must(registry.Register(SomeInstance(id)));
    Must(registry.SetStatus(id, InstanceStatus::kAlive));
    Advance(seconds(1));
  }
  Must(registry.Beat("i1"));
  EXPECT_THAT(Ids(Must(registry.ActiveInstances("organ_1"))), ElementsAre("i1", "i3", "i2"));
}

TEST_P(StoreConformance, RegisteringAgainOnlyRefreshesTheHeartbeat) {
  RegistryStore& registry = store().registry();
  Must(registry.Register(SomeInstance("i1")));
  Must(registry.SetStatus("i1", InstanceStatus::kAlive));
  Advance(seconds(60));
  Must(registry.Register(SomeInstance("i1", "elsewhere")));
  const auto active = Must(registry.ActiveInstances("organ_1"));
  ASSERT_EQ(active.size(), 1U);
  EXPECT_EQ(active[0].last_heartbeat, env_.WallNow());
}

TEST_P(StoreConformance, ListenersAreTheLiveInstancesThatServeAtAnAddressByService) {
  RegistryStore& registry = store().registry();
  const auto listener = [](std::string id, std::string service, std::string address) {
    Instance instance = SomeInstance(std::move(id), "service:" + service);
    instance.service = std::move(service);
    instance.address = std::move(address);
    return instance;
  };
  Must(registry.SetCurrentEpoch("before"));
  Must(registry.Register(listener("l0", "energy", "10.0.0.1:1")));
  Must(registry.SetStatus("l0", InstanceStatus::kAlive));
  Must(registry.SetCurrentEpoch("now"));
  EXPECT_THAT(Ids(Must(registry.ActiveListeners())), ElementsAre("l0")) << "another epoch does not interrupt it";
  Advance(seconds(15));
  EXPECT_THAT(Must(registry.ActiveListeners()), IsEmpty());
  Must(registry.Register(SomeInstance("organ")));
  for (const auto& [id, service] : {std::pair("l1", "state"), std::pair("l2", "energy"), std::pair("l3", "energy")}) {
    Must(registry.Register(listener(id, service, std::string("10.0.0.1:") + id[1])));
    Advance(seconds(1));
  }
  EXPECT_THAT(Must(registry.ActiveListeners()), IsEmpty());
  for (const char* id : {"organ", "l1", "l2", "l3"}) Must(registry.SetStatus(id, InstanceStatus::kAlive));
  const auto all = Must(registry.ActiveListeners());
  EXPECT_THAT(Ids(all), ElementsAre("l2", "l3", "l1"));
  EXPECT_EQ(all[0].service, "energy");
  EXPECT_EQ(all[0].address, "10.0.0.1:2");
  Must(registry.SetStatus("l2", InstanceStatus::kDraining));
  EXPECT_THAT(Ids(Must(registry.ActiveListeners())), ElementsAre("l3", "l1"));
  Advance(seconds(14));
  EXPECT_THAT(Ids(Must(registry.ActiveListeners())), IsEmpty());
}

TEST_P(StoreConformance, UnknownInstanceIsNotFound) {
  EXPECT_EQ(CodeOf(store().registry().Beat("nobody")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(store().registry().SetStatus("nobody", InstanceStatus::kDead)), ErrorCode::kNotFound);
}

TEST_P(StoreConformance, SilentInstancesAndThoseOfOtherEpochsExpire) {
  RegistryStore& registry = store().registry();
  Must(registry.SetCurrentEpoch("e1"));
  Must(registry.Register(SomeInstance("old")));
  Must(registry.SetCurrentEpoch("e2"));
  Must(registry.Register(SomeInstance("silent")));
  Advance(seconds(20));
  Must(registry.Beat("old"));
  Must(registry.Register(SomeInstance("fresh")));
  Must(registry.SetStatus("fresh", InstanceStatus::kAlive));
  EXPECT_EQ(Must(registry.ExpireInstances(seconds(15))), 2);
  EXPECT_EQ(Must(registry.ExpireInstances(seconds(15))), 0);
  EXPECT_THAT(Ids(Must(registry.ActiveInstances("organ_1"))), ElementsAre("fresh"));
}

TEST_P(StoreConformance, OrgansListTheirAgents) {
  RegistryStore& registry = store().registry();
  Must(registry.EnsureOrgan("o2", "utility", {}));
  Must(registry.EnsureOrgan("o1", "cognitive", {{"v", 1}}));
  Must(registry.EnsureOrgan("o1", "cognitive", {{"v", 2}}));
  Must(registry.EnsureAgent("a2", "o1", {}));
  Must(registry.EnsureAgent("a1", "o1", {{"role", "x"}}));
  Must(registry.EnsureAgent("free", "", {}));
  const auto organs = Must(registry.Organs());
  ASSERT_EQ(organs.size(), 2U);
  EXPECT_EQ(organs[0].organ_id, "o1");
  EXPECT_EQ(organs[0].kind, "cognitive");
  EXPECT_EQ(organs[0].props.at("v"), 2);
  EXPECT_THAT(organs[0].agent_ids, ElementsAre("a1", "a2"));
  EXPECT_THAT(organs[1].agent_ids, IsEmpty());
}

TEST_P(StoreConformance, AgentsMoveAndLeave) {
  RegistryStore& registry = store().registry();
  Must(registry.EnsureOrgan("o1", "k", {}));
  Must(registry.EnsureOrgan("o2", "k", {}));
  Must(registry.EnsureAgent("a", "o1", {}));
  Must(registry.MoveAgent("a", "o2"));
  EXPECT_THAT(Must(registry.Organs())[1].agent_ids, ElementsAre("a"));
  Must(registry.MoveAgent("a", ""));
  EXPECT_THAT(Must(registry.Organs())[1].agent_ids, IsEmpty());
  EXPECT_EQ(CodeOf(registry.MoveAgent("a", "nowhere")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(registry.MoveAgent("nobody", "o1")), ErrorCode::kNotFound);
  EXPECT_EQ(CodeOf(registry.EnsureAgent("b", "nowhere", {})), ErrorCode::kNotFound);
}

TEST_P(StoreConformance, RemovedOrganLeavesItsAgentsWithoutOne) {
  RegistryStore& registry = store().registry();
  Must(registry.EnsureOrgan("o1", "k", {}));
  Must(registry.EnsureOrgan("o2", "k", {}));
  Must(registry.EnsureAgent("a", "o1", {}));
  Must(registry.RemoveOrgan("o1"));
  EXPECT_EQ(CodeOf(registry.RemoveOrgan("o1")), ErrorCode::kNotFound);
  Must(registry.MoveAgent("a", "o2"));
  EXPECT_THAT(Must(registry.Organs()).front().agent_ids, ElementsAre("a"));
}

TEST_P(StoreConformance, RoutingRulesAreAddedReplacedAndRemoved) {
  RegistryStore& registry = store().registry();
  const std::vector<RoutingRule> first{{"query", "", "o1"}, {"query", "demo", "o2"}};
  Must(registry.ChangeRoutingRules(first, {}));
  const std::vector<RoutingRule> replaced{{"query", "", "o3"}};
  const std::vector<RoutingRule> removed{{"query", "demo", ""}};
  Must(registry.ChangeRoutingRules(replaced, removed));
  const auto rules = Must(registry.RoutingRules());
  ASSERT_EQ(rules.size(), 1U);
  EXPECT_EQ(rules[0].task_type, "query");
  EXPECT_EQ(rules[0].domain, "");
  EXPECT_EQ(rules[0].logical_id, "o3");
}

}  // namespace
}  // namespace seedcore::store
