#include "store/postgres/notice.h"

#include <gtest/gtest.h>

namespace seedcore::store::postgres {
namespace {

TEST(PostgresNotice, IsReadAsItWasWritten) {
  const Notice written{.runnable = {1200, 77},
                       .events = true,
                       .hello = true,
                       .drained = Drained{4'294'967'295, 18'446'744'073'709'551'615u},
                       .listeners = Listeners{1000, 3},
                       .counted_at = 1'764'000'000'123'456};
  const Notice read = ReadPayload(ToPayload(written));
  EXPECT_EQ(read.runnable.tasks, 1200);
  EXPECT_EQ(read.runnable.mark, 77u);
  EXPECT_TRUE(read.events);
  EXPECT_TRUE(read.hello);
  ASSERT_TRUE(read.drained);
  EXPECT_EQ(read.drained->mark, written.drained->mark);
  EXPECT_EQ(read.drained->types, written.drained->types);
  ASSERT_TRUE(read.listeners);
  EXPECT_EQ(read.listeners->claimers, 1000);
  EXPECT_EQ(read.listeners->readers, 3);
  EXPECT_EQ(read.counted_at, written.counted_at);
}

TEST(PostgresNotice, AnAnnouncementIsNoWord) {
  const Notice read = ReadPayload(ToPayload({.announced = 77, .listeners = Listeners{3, 1}}));
  EXPECT_EQ(read.announced, 77u);
  EXPECT_EQ(read.runnable.tasks, 0);
  ASSERT_TRUE(read.listeners);
  EXPECT_EQ(read.listeners->claimers, 3);
  EXPECT_EQ(ReadPayload(ToPayload({.runnable = {1, 77}})).announced, 0u);
}

TEST(PostgresNotice, OfAnOlderProcessOrOfSqlIsUnderstood) {
  const Notice both = ReadPayload("re");
  EXPECT_EQ(both.runnable.tasks, 1);
  EXPECT_EQ(both.runnable.mark, 0u) << "nobody can be told that nothing is left after it";
  EXPECT_TRUE(both.events);
  EXPECT_FALSE(both.listeners);
  EXPECT_TRUE(both.older);
  EXPECT_EQ(ReadPayload("e").runnable.tasks, 0);
  EXPECT_FALSE(ReadPayload("r").events);
}

TEST(PostgresNotice, OfAProcessThatHasNotCountedSaysNothingOfListeners) {
  const Notice read = ReadPayload(ToPayload({.runnable = {2, 77}}));
  EXPECT_EQ(read.runnable.tasks, 2);
  EXPECT_FALSE(read.listeners);
  EXPECT_FALSE(read.older);
}

TEST(PostgresNotice, OfAProcessThatDoesNotSayWhenItHasCountedIsUnderstood) {
  const Notice read = ReadPayload("r 5 1 2 77 0 0");
  EXPECT_EQ(read.runnable.mark, 77u);
  ASSERT_TRUE(read.listeners);
  EXPECT_EQ(read.listeners->claimers, 5);
  EXPECT_EQ(read.counted_at, 0);
  EXPECT_FALSE(read.older);
}

TEST(PostgresNotice, SaysNothingElseToAnOlderProcess) {
  const auto heard = [](const Notice& notice, char flag) { return ToPayload(notice).contains(flag); };
  const Notice neither{.hello = true, .announced = 9, .drained = Drained{1, 2}, .listeners = Listeners{5, 6}};
  EXPECT_FALSE(heard(neither, 'r'));
  EXPECT_FALSE(heard(neither, 'e'));
  EXPECT_TRUE(heard({.runnable = {1, 2}}, 'r'));
  EXPECT_FALSE(heard({.runnable = {1, 2}}, 'e'));
  EXPECT_TRUE(heard({.events = true}, 'e'));
}

TEST(PostgresNotice, WhatCannotBeReadIsLeftOut) {
  for (const char* payload : {"", " ", "x", "1 2 3", "d 1 2", "e -1 2 3 4 5 6", "e 1 2 3 4 5 99999999999999999999",
                              "e 1  2 3 4 5 6", "e\x01 1 2 x 4 5 6"}) {
    const Notice notice = ReadPayload(payload);
    EXPECT_EQ(notice.runnable.tasks, 0) << payload;
    EXPECT_FALSE(notice.drained) << payload;
    EXPECT_FALSE(notice.listeners) << payload;
  }
  EXPECT_EQ(ReadPayload("r 1 1 0 9 0 0").runnable.tasks, 1) << "tasks that can run are some";
  EXPECT_EQ(ReadPayload("e 99999999999 0 0 0 0 0").listeners->claimers, 1'000'000);
}

}  // namespace
}  // namespace seedcore::store::postgres
