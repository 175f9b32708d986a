#include "organism/routing.h"

#include <atomic>
#include <thread>

#include "organism/test_world.h"

namespace seedcore::organism {
namespace {

class RoutingTest : public World {
 protected:
  RoutingTest() {
    EXPECT_TRUE(registry().SetCurrentEpoch("3f0e6a52-7d0c-4b86-9b0e-2f3f6a1c9d10"));
    for (const auto* organ : {"left", "right", "idle"}) EXPECT_TRUE(registry().EnsureOrgan(organ, "Utility", {}));
    EXPECT_TRUE(presence.Enter("left"));
    EXPECT_TRUE(presence.Enter("right"));
    EXPECT_TRUE(executors.Register(Echo("echo")));
    EXPECT_TRUE(executors.Register(Echo("other")));
  }
  Route MustResolve(std::string_view type, std::string_view domain = {}, std::string_view preferred = {}) {
    auto route = directory.Resolve(type, domain, preferred, call);
    EXPECT_TRUE(route) << ToString(route.error());
    return route.value_or(Route{});
  }

  ExecutorRegistry executors;
  Presence presence{registry(), env, PresenceSettings{}};
  RoutingDirectory directory{registry(), executors, env, {{"echo", "left"}}, "right", RoutingSettings{}};
};

TEST_F(RoutingTest, TheMapDecidesWithoutRules) {
  const Route route = MustResolve(" Echo ");
  EXPECT_EQ(route.logical_id, "left");
  EXPECT_EQ(route.resolved_from, ResolvedFrom::kDefault);
  EXPECT_EQ(route.epoch, "3f0e6a52-7d0c-4b86-9b0e-2f3f6a1c9d10");
  EXPECT_EQ(route.instance_id, presence.Of("left")->instance_id);
}

TEST_F(RoutingTest, ATypeListedNowhereGoesToTheDefaultOrgan) { EXPECT_EQ(MustResolve("other").logical_id, "right"); }

TEST_F(RoutingTest, ThePreferenceWinsWhenItIsActive) {
  EXPECT_EQ(MustResolve("echo", "", "right").resolved_from, ResolvedFrom::kPreferred);
  EXPECT_EQ(MustResolve("echo", "", "idle").logical_id, "left");
  EXPECT_EQ(MustResolve("echo", "", "no such organ").logical_id, "left");
}

TEST_F(RoutingTest, ADomainRuleComesBeforeATypeRule) {
  ASSERT_TRUE(directory.ChangeRules({{"echo", "", "left"}, {"echo", "facts", "right"}}, {}, call));
  EXPECT_EQ(MustResolve("echo", "fact").logical_id, "right");  // fact is an alias of facts
  EXPECT_EQ(MustResolve("echo", "fact").resolved_from, ResolvedFrom::kDomain);
  EXPECT_EQ(MustResolve("echo", "ops").resolved_from, ResolvedFrom::kTask);
}

TEST_F(RoutingTest, ARemovedRuleLeavesTheMap) {
  ASSERT_TRUE(directory.ChangeRules({{"echo", "", "right"}}, {}, call));
  EXPECT_EQ(MustResolve("echo").logical_id, "right");
  ASSERT_TRUE(directory.ChangeRules({}, {{"echo", "", ""}}, call));
  EXPECT_EQ(MustResolve("echo").logical_id, "left");
}

TEST_F(RoutingTest, ARuleWithoutAnActiveInstanceGivesWayToTheMap) {
  ASSERT_TRUE(directory.ChangeRules({{"echo", "", "idle"}}, {}, call));
  EXPECT_EQ(MustResolve("echo").logical_id, "left");
}

TEST_F(RoutingTest, NothingActiveFallsBackToTheRule) {
  ASSERT_TRUE(presence.Leave("left"));
  const Route route = MustResolve("echo");
  EXPECT_EQ(route.logical_id, "left");
  EXPECT_EQ(route.resolved_from, ResolvedFrom::kFallback);
  EXPECT_FALSE(route.instance_id);
}

TEST_F(RoutingTest, ARuleToAnUnknownOrganIsRefused) {
  const auto changed = directory.ChangeRules({{"echo", "", "middle"}}, {}, call);
  ASSERT_FALSE(changed);
  EXPECT_EQ(changed.error().code, ErrorCode::kNotFound);
  EXPECT_EQ(changed.error().path, "add[0].logical_id");
}

TEST_F(RoutingTest, AnUnknownTypeIsRefusedWithASuggestion) {
  const auto route = directory.Resolve("ecko", "", "", call);
  ASSERT_FALSE(route);
  EXPECT_EQ(route.error().code, ErrorCode::kNonRetryable);
  EXPECT_EQ(route.error().message, "no executor for task type 'ecko', did you mean echo?; known types: echo, other");
}

TEST_F(RoutingTest, AnswersComeFromTheCacheUntilTheyAreOld) {
  EXPECT_FALSE(MustResolve("echo").cache_hit);
  env.Advance(std::chrono::milliseconds(100));
  const Route cached = MustResolve("echo");
  EXPECT_TRUE(cached.cache_hit);
  EXPECT_EQ(cached.cache_age, std::chrono::milliseconds(100));
  env.Advance(std::chrono::milliseconds(3500));  // TTL 3 s and at most 0.5 s of jitter
  EXPECT_FALSE(MustResolve("echo").cache_hit);
}

TEST_F(RoutingTest, RefreshForgetsTheCache) {
  (void)MustResolve("echo");
  directory.Invalidate();
  EXPECT_FALSE(MustResolve("echo").cache_hit);
}

/// Counts how often the directory goes to the registry, and holds visitors until told to go on.
class SlowRegistry final : public ForwardingRegistry {
 public:
  using ForwardingRegistry::ForwardingRegistry;
  Result<std::string> CurrentEpoch() override {
    ++visits;
    entered.store(true);
    entered.notify_all();
    go_on.wait(false);
    return ForwardingRegistry::CurrentEpoch();
  }

  std::atomic<int> visits = 0;
  std::atomic<bool> entered = false;
  std::atomic<bool> go_on = false;
};

TEST_F(RoutingTest, FiveCallersReloadOnce) {
  SlowRegistry slow(registry());
  RoutingDirectory shared(slow, executors, env, {{"echo", "left"}}, "right", RoutingSettings{});
  std::atomic<int> started = 0;
  std::atomic<int> resolved = 0;
  {
    std::vector<std::jthread> callers;
    const auto resolve = [&] {
      ++started;
      if (shared.Resolve("echo", "", "", call)) ++resolved;
    };
    callers.emplace_back(resolve);
    slow.entered.wait(false);
    for (int i = 0; i < 4; ++i) callers.emplace_back(resolve);
    // All of them are under way before the first is let go; how far each has come must not matter.
    EXPECT_TRUE(Eventually([&] { return started == 5; }));
    slow.go_on.store(true);
    slow.go_on.notify_all();
  }
  EXPECT_EQ(resolved, 5);
  EXPECT_EQ(slow.visits, 1);
}

}  // namespace
}  // namespace seedcore::organism
