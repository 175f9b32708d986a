#include "ml/drift_tracker.h"

#include <thread>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "ml/testing.h"

namespace seedcore::ml {
namespace {

DriftObservation Task(std::string_view text) { return ObserveTask({{"type", "execute"}}, text).value(); }

void Feed(DriftTracker& tracker, const std::string& key, int count, std::string_view text = "bake bread") {
  for (int i = 0; i < count; ++i) ASSERT_TRUE(tracker.Observe(key, "", Task(text)));
}

TEST(DriftStreamKeyTest, IsLowerCaseAndBounded) {
  EXPECT_EQ(DriftStreamKey(" Execute ", "Retail").value(), "execute|retail");
  EXPECT_EQ(DriftStreamKey("", "").value(), "unknown|");
  EXPECT_EQ(DriftStreamKey("t", std::string(300, 'x')).error().code, ErrorCode::kInvalidArgument);
}

TEST(DriftTrackerTest, StreamsDoNotInfluenceEachOther) {
  MemoryStreams store;
  DriftTracker tracker(store, {});
  Feed(tracker, "a|", 50, "bake bread with rye");
  Feed(tracker, "b|", 50, "fly a plane to the south");
  EXPECT_GT(tracker.Observe("a|", "", Task("fly a plane to the south")).value().score, 0.7);
  EXPECT_EQ(tracker.Observe("b|", "", Task("fly a plane to the south")).value().score, 0.0);
}

TEST(DriftTrackerTest, ARestartGoesOnWithTheSavedBaselineAndKnowsRetries) {
  MemoryStreams store;
  DriftVerdict before;
  {
    DriftTracker tracker(store, {});
    Feed(tracker, "a|", 50);
    before = tracker.Observe("a|", "task-1", Task("fly a plane")).value();
    ASSERT_TRUE(tracker.Flush());
  }
  DriftTracker restarted(store, {});
  const DriftVerdict after = restarted.Observe("a|", "task-1", Task("fly a plane")).value();
  EXPECT_EQ(after.score, before.score);
  EXPECT_EQ(after.observations, 50);
}

TEST(DriftTrackerTest, SavesOftenWhileYoungAndThenEveryFewObservations) {
  MemoryStreams store;
  DriftTracker tracker(store, {});
  Feed(tracker, "a|", 4);
  EXPECT_EQ(store.writes, 4);
  Feed(tracker, "a|", 200);
  const int writes = store.writes;
  Feed(tracker, "a|", 64);
  EXPECT_EQ(store.writes - writes, 2);
}

TEST(DriftTrackerTest, AFailedSaveIsReportedAndMadeUpForLater) {
  MemoryStreams store;
  DriftTracker tracker(store, {});
  store.fail_writes = true;
  Feed(tracker, "a|", 20);
  EXPECT_EQ(tracker.SaveError(), "unavailable: disk full");
  EXPECT_FALSE(tracker.Flush());
  store.fail_writes = false;
  EXPECT_TRUE(tracker.Flush());
  EXPECT_EQ(tracker.SaveError(), "");
  EXPECT_EQ(DriftTracker(store, {}).Observe("a|", "", Task("bake bread")).value().observations, 20);
}

TEST(DriftTrackerTest, AnUnreadableStoreIsAnErrorAndADamagedBaselineIsNot) {
  MemoryStreams store;
  store.fail_loads = true;
  EXPECT_EQ(DriftTracker(store, {}).Observe("a|", "", Task("x")).error().code, ErrorCode::kUnavailable);
  store.fail_loads = false;
  ASSERT_TRUE(store.Update("drift", "a|", [](const json::value&) { return json::value("damaged"); }));
  EXPECT_EQ(DriftTracker(store, {}).Observe("a|", "", Task("x")).value().observations, 0);
}

TEST(DriftTrackerTest, TheNumberOfStreamsInMemoryIsBoundedAndDroppedOnesAreSaved) {
  MemoryStreams store;
  DriftTracker tracker(store, {.max_streams = 4, .save_every = 1000});
  Feed(tracker, "a|", 50);
  for (int i = 0; i < 20; ++i) Feed(tracker, fmt::format("other{}|", i), 1);
  EXPECT_EQ(tracker.StreamsInMemory(), 4U);
  EXPECT_EQ(tracker.Observe("a|", "", Task("bake bread")).value().observations, 50);
}

TEST(DriftTrackerTest, AnotherProcessWithMoreObservationsIsNotOverwritten) {
  MemoryStreams store;
  DriftTracker small(store, {});
  Feed(small, "a|", 2);
  DriftTracker large(store, {});
  Feed(large, "a|", 100);
  ASSERT_TRUE(large.Flush());
  Feed(small, "a|", 2);
  ASSERT_TRUE(small.Flush());
  EXPECT_EQ(DriftTracker(store, {}).Observe("a|", "", Task("bake bread")).value().observations, 102);
}

TEST(DriftTrackerTest, WarmingUpTwiceCountsOnce) {
  MemoryStreams store;
  DriftTracker tracker(store, {});
  const std::vector<std::string> texts(20, "bake bread");
  EXPECT_EQ(tracker.WarmUp("a|", texts).value().observations, 20);
  EXPECT_EQ(tracker.WarmUp("a|", texts).value().observations, 20);
  EXPECT_TRUE(tracker.WarmUp("a|", {}).value().warmed_up);
  EXPECT_FALSE(tracker.WarmUp("b|", {}).value().warmed_up);
}

TEST(DriftTrackerTest, ManyThreadsLoseNothing) {
  MemoryStreams store;
  DriftTracker tracker(store, {});
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 100; ++i) (void)tracker.Observe("a|", "", Task("bake bread"));
      });
    }
  }
  EXPECT_EQ(tracker.Observe("a|", "", Task("bake bread")).value().observations, 400);
}

TEST(DriftTrackerTest, TrackersThatShareAStoreJudgeAndLearnAsOne) {
  const DriftSettings shared{.shared = true};
  MemoryStreams alone_store;
  DriftTracker alone(alone_store, {});
  MemoryStreams store;
  DriftTracker left(store, shared);
  DriftTracker right(store, shared);
  for (int i = 0; i < 40; ++i) {
    Feed(alone, "a|", 1);
    Feed(i % 2 == 0 ? left : right, "a|", 1);
  }
  const auto expected = alone.Observe("a|", "task-1", Task("fly a plane")).value();
  const auto verdict = left.Observe("a|", "task-1", Task("fly a plane")).value();
  EXPECT_EQ(verdict.observations, 40);
  EXPECT_EQ(verdict.score, expected.score);
  // A retry that reaches the other one is known there.
  const auto retried = right.Observe("a|", "task-1", Task("fly a plane")).value();
  EXPECT_EQ(retried.observations, 40);
  EXPECT_EQ(retried.score, expected.score);
  EXPECT_EQ(right.WarmUp("a|", {"more"})->observations, 41);
}

}  // namespace
}  // namespace seedcore::ml
