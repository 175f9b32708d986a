#pragma once

#include <chrono>
#include <cstdint>
#include <memory>

#include "base/env.h"
#include "base/metrics.h"
#include "queue/event_subscription.h"
#include "store/store.h"

namespace seedcore::queue {

struct EventFeedSettings {
  int max_subscribers = 256;
  std::size_t buffer = 1024;              ///< events kept for a subscriber that does not take them
  int page = 256;                         ///< events per read
  std::chrono::milliseconds poll{5'000};  ///< the longest sleep, for events of other processes
};

/// Fans the store's events out to subscribers: one reader thread, whatever their number. Each has a bounded buffer.
/// While it catches up with the past, the feed reads for it only what fits; once it is up to date, a full buffer drops
/// it. Without subscribers nothing is read. Thread-safe.
class EventFeed {
 public:
  EventFeed(Env& env, store::TaskStore& store, Metrics& metrics, EventFeedSettings settings = {});
  ~EventFeed();
  EventFeed(const EventFeed&) = delete;
  EventFeed& operator=(const EventFeed&) = delete;

  /// kResourceExhausted: too many subscribers. kUnavailable: stopped, or what the store says.
  [[nodiscard]] Result<EventSubscription> Subscribe(SubscribeOptions options);
  /// Ends all subscriptions. Idempotent.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The largest seq in the store, at least `known`; 0 when there are no events. About 2 log2(n) reads of one row each.
[[nodiscard]] Result<std::int64_t> LastEventSeq(store::TaskStore& store, std::int64_t known = 0);

}  // namespace seedcore::queue
