#include "queue/event_feed.h"

#include "queue/test_world.h"

namespace seedcore::queue {
namespace {

using namespace std::chrono_literals;

class EventFeedTest : public World {
 protected:
  static std::vector<store::TaskEvent> Collect(EventSubscription& subscription, std::size_t count) {
    std::vector<store::TaskEvent> events;
    EXPECT_TRUE(Eventually([&] {
      auto taken = subscription.Take(count - events.size());
      if (!taken) return true;
      events.insert(events.end(), taken->begin(), taken->end());
      return events.size() >= count;
    }));
    EXPECT_EQ(events.size(), count);
    return events;
  }
  static std::vector<std::int64_t> Seqs(const std::vector<store::TaskEvent>& events) {
    std::vector<std::int64_t> seqs;
    for (const auto& event : events) seqs.push_back(event.seq);
    return seqs;
  }
  std::vector<std::int64_t> AllSeqs() { return Seqs(*tasks().EventsAfter(0, 100'000)); }
};

TEST_F(EventFeedTest, ANewSubscriberGetsWhatComesFromNowOn) {
  SubmitMany(3);
  EventFeed feed(env, tasks(), metrics);
  auto subscription = feed.Subscribe({});
  ASSERT_TRUE(subscription);
  const std::string id = Submit();
  const auto events = Collect(*subscription, 1);
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].task_id, id);
  EXPECT_EQ(events[0].kind, "submitted");
}

TEST_F(EventFeedTest, ASubscriberThatComesBackMissesNothingAndGetsNothingTwice) {
  SubmitMany(10);
  const auto all = AllSeqs();
  EventFeed feed(env, tasks(), metrics);
  auto subscription = feed.Subscribe({.after = all[3]});
  ASSERT_TRUE(subscription);
  SubmitMany(5);
  const auto events = Collect(*subscription, 11);
  auto expected = AllSeqs();
  expected.erase(expected.begin(), expected.begin() + 4);
  EXPECT_EQ(Seqs(events), expected);
}

TEST_F(EventFeedTest, AReplayMayBeLongerThanTheBuffer) {
  for (int i = 0; i < 5; ++i) SubmitMany(50);
  EventFeed feed(env, tasks(), metrics, {.buffer = 16, .page = 7});
  auto subscription = feed.Subscribe({.after = 0});
  ASSERT_TRUE(subscription);
  EXPECT_EQ(Seqs(Collect(*subscription, 250)), AllSeqs());
}

TEST_F(EventFeedTest, SubscribersAtDifferentPlacesAllGetTheirWholeStream) {
  SubmitMany(40);
  EventFeed feed(env, tasks(), metrics, {.page = 8});
  auto from_start = feed.Subscribe({.after = 0});
  auto from_now = feed.Subscribe({});
  SubmitMany(40);
  auto from_middle = feed.Subscribe({.after = AllSeqs()[19]});
  SubmitMany(40);
  const auto all = AllSeqs();
  EXPECT_EQ(Seqs(Collect(*from_start, 120)), all);
  EXPECT_EQ(Seqs(Collect(*from_now, 80)), std::vector(all.begin() + 40, all.end()));
  EXPECT_EQ(Seqs(Collect(*from_middle, 100)), std::vector(all.begin() + 20, all.end()));
}

TEST_F(EventFeedTest, ASlowSubscriberIsDroppedAndToldWhileTheOthersGoOn) {
  EventFeed feed(env, tasks(), metrics, {.buffer = 8});
  auto slow = feed.Subscribe({});
  auto quick = feed.Subscribe({});
  for (int i = 0; i < 20; ++i) {
    Submit();
    ASSERT_EQ(Collect(*quick, 1).size(), 1U);
  }
  ASSERT_EQ(Collect(*slow, 8).size(), 8U);
  const auto end = slow->Take(1);
  ASSERT_FALSE(end);
  EXPECT_EQ(end.error().code, ErrorCode::kResourceExhausted);
  EXPECT_TRUE(metrics.Expose().contains("seedcore_event_subscribers_dropped_total 1"));
}

TEST_F(EventFeedTest, AnnouncesWhatThereIsToTake) {
  EventFeed feed(env, tasks(), metrics);
  std::atomic<int> announced = 0;
  auto subscription = feed.Subscribe({.after = {}, .on_ready = [&] { ++announced; }});
  ASSERT_TRUE(subscription);
  Submit();
  EXPECT_TRUE(Eventually([&] { return announced > 0; }));
}

TEST_F(EventFeedTest, AwaitComesBackWithEventsOrWhenStopped) {
  EventFeed feed(env, tasks(), metrics);
  auto subscription = feed.Subscribe({});
  ASSERT_TRUE(subscription);
  Submit();
  EXPECT_EQ(subscription->Await(10, Instant::max(), {})->size(), 1U);
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(subscription->Await(10, Instant::max(), stop.get_token())->empty());
}

TEST_F(EventFeedTest, GoesOnByItselfWhenTheStoreWorksAgain) {
  EventFeed feed(env, tasks(), metrics);
  env.ArmFault("event_feed.read", {ErrorCode::kUnavailable, "disk error", {}}, 3);
  auto subscription = feed.Subscribe({.after = 0});
  ASSERT_TRUE(subscription);
  Submit();
  EXPECT_TRUE(Eventually([&] {
    env.Advance(50ms);
    return subscription->Take(1)->size() == 1;
  }));
}

TEST_F(EventFeedTest, StopEndsAllSubscriptionsAndRefusesNewOnes) {
  EventFeed feed(env, tasks(), metrics);
  auto subscription = feed.Subscribe({});
  feed.Stop();
  feed.Stop();
  EXPECT_EQ(subscription->Await(1, Instant::max(), {}).error().code, ErrorCode::kUnavailable);
  EXPECT_FALSE(feed.Subscribe({}));
}

TEST_F(EventFeedTest, TheNumberOfSubscribersIsBoundedAndAClosedOneMakesRoom) {
  EventFeed feed(env, tasks(), metrics, {.max_subscribers = 2});
  auto one = feed.Subscribe({});
  {
    auto two = feed.Subscribe({});
    EXPECT_EQ(feed.Subscribe({}).error().code, ErrorCode::kResourceExhausted);
  }
  EXPECT_TRUE(feed.Subscribe({}));
}

TEST_F(EventFeedTest, FindsTheLastEventWhateverItsPlace) {
  EXPECT_EQ(LastEventSeq(tasks()), 0);
  for (int i = 0; i < 70; ++i) {
    SubmitMany(1 + i % 3);
    ASSERT_EQ(LastEventSeq(tasks()), AllSeqs().back());
  }
}

}  // namespace
}  // namespace seedcore::queue
