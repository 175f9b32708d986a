#include "ray/client/actor_directory.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace seedcore::ray {
namespace {

using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST(ActorDirectory, KeepsNamespacesApart) {
  ActorDirectory actors;
  EXPECT_THAT(actors.Remember("one", "probe", "id-1"), IsEmpty());
  EXPECT_THAT(actors.Remember("two", "probe", "id-2"), IsEmpty());
  EXPECT_EQ(actors.Find("one", "probe"), "id-1");
  EXPECT_EQ(actors.Find("two", "probe"), "id-2");
  actors.Forget("one", "probe");
  EXPECT_EQ(actors.Find("one", "probe"), std::nullopt);
}

TEST(ActorDirectory, StartsAnewWhenItIsFullAndSaysWhatToRelease) {
  ActorDirectory actors(2);
  EXPECT_THAT(actors.Remember("n", "a", "id-a"), IsEmpty());
  EXPECT_THAT(actors.Remember("n", "b", "id-b"), IsEmpty());
  EXPECT_THAT(actors.Remember("n", "c", "id-c"), UnorderedElementsAre("id-a", "id-b"));
  EXPECT_EQ(actors.Find("n", "a"), std::nullopt);
  EXPECT_EQ(actors.Find("n", "c"), "id-c");
}

}  // namespace
}  // namespace seedcore::ray
