#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "base/env.h"
#include "base/metrics.h"
#include "base/testing.h"
#include "store/sqlite/sqlite_store.h"

// Several stores on one file. flock and SQLite's locks belong to the open file, so two stores of one process stand to
// each other as two processes do.
namespace seedcore::store::sqlite {
namespace {

using std::chrono::milliseconds;

class SharedStoreTest : public testing::Test {
 protected:
  Result<std::unique_ptr<Store>> Open(bool shared) {
    const SqliteSettings settings{.path = folder_.File("seedcore.db"),
                                  .readers = 2,
                                  .shared = shared,
                                  .busy_timeout = milliseconds(20'000),
                                  .foreign_commits = milliseconds(2)};
    return OpenSqliteStore(settings, RealEnv(), metrics_);
  }

  test::TemporaryFolder folder_;
  Metrics metrics_;
};

TEST_F(SharedStoreTest, WhatOneWritesTheOtherReads) {
  auto a = Open(true);
  auto b = Open(true);
  ASSERT_TRUE(a && b);
  const auto fact = (*a)->facts().Add({.text = "shared", .tags = {}, .meta_data = {}});
  ASSERT_TRUE(fact);
  EXPECT_EQ((*b)->facts().Get(fact->id)->text, "shared");
}

TEST_F(SharedStoreTest, UpdatesOfOneStateFromAllSidesLoseNothing) {
  constexpr int kStores = 3;
  constexpr int kUpdates = 60;
  std::vector<std::unique_ptr<Store>> stores;
  for (int i = 0; i < kStores; ++i) {
    auto opened = Open(true);
    ASSERT_TRUE(opened);
    stores.push_back(std::move(*opened));
  }
  std::atomic<int> failures = 0;
  {
    std::vector<std::jthread> threads;
    for (const auto& store : stores) {
      threads.emplace_back([&] {
        for (int i = 0; i < kUpdates; ++i) {
          const auto updated = store->streams().Update("count", "all", [](const json::value& state) {
            return json::value(state.is_null() ? std::int64_t{1} : state.as_int64() + 1);
          });
          if (!updated) ++failures;
        }
      });
    }
  }
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(stores.front()->streams().Load("count", "all")->as_int64(), kStores * kUpdates);
}

TEST_F(SharedStoreTest, ANewStoreOpenedFromAllSidesAtOnceIsMadeOnce) {
  std::atomic<int> opened = 0;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back([&] {
        const auto store = Open(true);
        if (store && (*store)->CheckHealth().writable) ++opened;
      });
    }
  }
  EXPECT_EQ(opened, 6);
}

TEST_F(SharedStoreTest, WhoeverWantsItAloneAndWhoeverSharesItExcludeEachOther) {
  {
    const auto alone = Open(false);
    ASSERT_TRUE(alone);
    const auto refused = Open(true);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
    EXPECT_NE(refused.error().message.find("for itself"), std::string::npos) << refused.error().message;
  }
  const auto shared = Open(true);
  ASSERT_TRUE(shared);
  const auto refused = Open(false);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable);
}

TEST_F(SharedStoreTest, ATaskSubmittedElsewhereWakesWhoWaitsForTasks) {
  auto here = Open(true);
  auto there = Open(true);
  ASSERT_TRUE(here && there);
  std::mutex mutex;
  std::condition_variable woken;
  bool seen = false;
  const auto runnable = [&] {
    auto counts = (*here)->tasks().Counts();
    return counts && counts->by_status[TaskStatus::kQueued] == 1;
  };
  const Subscription subscription = (*here)->tasks().OnRunnable([&] {
    const std::scoped_lock lock(mutex);
    seen = true;
    woken.notify_all();
  });
  NewTask task;
  task.type = "health_check";
  ASSERT_TRUE((*there)->tasks().Submit({&task, 1}));
  std::unique_lock lock(mutex);
  while (!runnable()) {
    seen = false;
    ASSERT_TRUE(woken.wait_for(lock, std::chrono::seconds(10), [&] { return seen; })) << "nobody was woken";
  }
}

}  // namespace
}  // namespace seedcore::store::sqlite
