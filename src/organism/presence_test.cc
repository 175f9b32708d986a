#include "organism/presence.h"

#include <set>

#include "organism/test_world.h"

namespace seedcore::organism {
namespace {

using std::chrono::seconds;

class PresenceTest : public World {
 protected:
  PresenceTest() {
    EXPECT_TRUE(registry().SetCurrentEpoch(env.NewId()));
    EXPECT_TRUE(registry().EnsureOrgan("organ", "Utility", {}));
  }
  Presence presence{registry(), env, PresenceSettings{}};
};

TEST_F(PresenceTest, AnOrganThatEntersIsActive) {
  ASSERT_TRUE(presence.Enter("organ"));
  EXPECT_EQ(ActiveInstanceIds("organ"), std::vector{presence.Of("organ")->instance_id});
}

TEST_F(PresenceTest, EnteringTwiceRegistersOnce) {
  ASSERT_TRUE(presence.Enter("organ"));
  ASSERT_TRUE(presence.Enter("organ"));
  EXPECT_EQ(ActiveInstanceIds("organ").size(), 1U);
}

TEST_F(PresenceTest, AnOrganThatLeavesIsNotActive) {
  ASSERT_TRUE(presence.Enter("organ"));
  ASSERT_TRUE(presence.Leave("organ"));
  EXPECT_TRUE(ActiveInstanceIds("organ").empty());
  EXPECT_FALSE(presence.Of("organ"));
}

TEST_F(PresenceTest, HeartbeatsKeepAnOrganActive) {
  ASSERT_TRUE(presence.Enter("organ"));
  for (int i = 0; i < 4; ++i) {
    env.Advance(seconds(10));
    ASSERT_TRUE(presence.BeatOnce());
  }
  EXPECT_EQ(ActiveInstanceIds("organ").size(), 1U);
}

TEST_F(PresenceTest, ANewEpochIsJoinedWithANewInstance) {
  ASSERT_TRUE(presence.Enter("organ"));
  const auto before = *presence.Of("organ");
  ASSERT_TRUE(registry().SetCurrentEpoch(env.NewId()));
  EXPECT_TRUE(ActiveInstanceIds("organ").empty());
  ASSERT_TRUE(presence.BeatOnce());
  const auto after = *presence.Of("organ");
  EXPECT_NE(after.instance_id, before.instance_id);
  EXPECT_NE(after.epoch, before.epoch);
  EXPECT_EQ(ActiveInstanceIds("organ"), std::vector{after.instance_id});
}

TEST_F(PresenceTest, AnInstanceDeclaredDeadIsReplaced) {
  ASSERT_TRUE(presence.Enter("organ"));
  const auto before = *presence.Of("organ");
  ASSERT_TRUE(registry().SetStatus(before.instance_id, store::InstanceStatus::kDead));
  ASSERT_TRUE(presence.BeatOnce());
  EXPECT_EQ(ActiveInstanceIds("organ"), std::vector{presence.Of("organ")->instance_id});
  EXPECT_NE(presence.Of("organ")->instance_id, before.instance_id);
}

TEST_F(PresenceTest, AnInstanceThatTheRegistryHasForgottenIsReplaced) {
  ASSERT_TRUE(presence.Enter("organ"));
  const auto before = *presence.Of("organ");
  ASSERT_TRUE(registry().SetStatus(before.instance_id, store::InstanceStatus::kDead));
  env.Advance(std::chrono::hours(8 * 24));  // the machine was asleep
  ASSERT_TRUE(registry().ExpireInstances(seconds(60)));
  ASSERT_FALSE(registry().Beat(before.instance_id));
  ASSERT_TRUE(presence.BeatOnce());
  const auto after = *presence.Of("organ");
  EXPECT_NE(after.instance_id, before.instance_id);
  EXPECT_EQ(ActiveInstanceIds("organ"), std::vector{after.instance_id});
}

TEST_F(PresenceTest, TheThreadBeatsAgainAndAgain) {
  ASSERT_TRUE(presence.Enter("organ"));
  presence.Start();
  std::set<WallTime> beats;
  EXPECT_TRUE(Eventually([&] {
    env.Advance(seconds(1));
    const auto active = registry().ActiveInstances("organ");
    if (active && !active->empty()) beats.insert(active->front().last_heartbeat);
    return beats.size() > 3;
  }));
  presence.Stop();
}

TEST_F(PresenceTest, StopEndsTheThreadWithoutWaitingForTheNextBeat) {
  presence.Start();
  presence.Stop();
  presence.Stop();
}

}  // namespace
}  // namespace seedcore::organism
