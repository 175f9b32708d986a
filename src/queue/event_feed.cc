#include "queue/event_feed.h"

#include <algorithm>
#include <atomic>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>

#include "queue/event_subscription_state.h"
#include "queue/store_trouble.h"

namespace seedcore::queue {
namespace {
using StatePtr = std::shared_ptr<EventSubscription::State>;
}  // namespace

class EventFeed::Impl {
 public:
  Impl(Env& env, store::TaskStore& store, Metrics& metrics, EventFeedSettings settings)
      : env_(env),
        store_(store),
        settings_(settings),
        subscribers_gauge_(metrics.GetGauge("seedcore_event_subscribers", "Open subscriptions to the event stream.")),
        dropped_(metrics.GetCounter("seedcore_event_subscribers_dropped_total", "Subscriptions ended for slowness.")),
        trouble_(env, "event feed", "read"),
        wake_(std::make_shared<EventWake>()) {
    thread_ = std::jthread([this](const std::stop_token& stop) { Loop(stop); });
  }

  Result<EventSubscription> Subscribe(SubscribeOptions options) {
    const auto after = options.after;
    auto state = std::make_shared<EventSubscription::State>(env_, wake_, settings_.buffer, std::move(options));
    if (after) {
      state->cursor = *after;
    } else {
      SEEDCORE_ASSIGN_OR_RETURN(state->cursor, LastEventSeq(store_, newest_seen_));
    }
    {
      const std::scoped_lock lock(mutex_);
      if (stopped_) return Fail(ErrorCode::kUnavailable, "the event feed has stopped");
      Prune();
      if (subscribers_.size() >= static_cast<std::size_t>(settings_.max_subscribers)) {
        return Fail(ErrorCode::kResourceExhausted, "too many subscribers to the event stream");
      }
      // Before the first read for it, so that nothing falls in between.
      if (!events_) events_.emplace(store_.OnEvents([this] { wake_->Raise(); }));
      subscribers_.push_back(state);
      subscribers_gauge_.Set(static_cast<double>(subscribers_.size()));
    }
    wake_->Raise();
    return EventSubscription(std::move(state));
  }

  void Stop() {
    thread_.request_stop();
    const std::scoped_lock stop_lock(stop_mutex_);
    if (thread_.joinable()) thread_.join();
    std::vector<StatePtr> ended;
    {
      const std::scoped_lock lock(mutex_);
      stopped_ = true;
      ended.swap(subscribers_);
      events_.reset();
      subscribers_gauge_.Set(0);
    }
    for (const StatePtr& state : ended) state->End({ErrorCode::kUnavailable, "the event feed has stopped", {}});
  }

 private:
  void Loop(const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      std::vector<StatePtr> subscribers;
      {
        const std::scoped_lock lock(mutex_);
        Prune();
        subscribers = subscribers_;
      }
      if (auto read = Pump(subscribers, stop); !read) {
        if (!env_.SleepFor(trouble_.Failed(read.error()), stop)) return;
        continue;
      }
      trouble_.Succeeded();
      const Instant until = subscribers.empty() ? Instant::max() : env_.Now() + settings_.poll;
      std::unique_lock lock(wake_->mutex);
      env_.WaitUntil(lock, wake_->cv, until, stop, [&] { return wake_->raised; });
      wake_->raised = false;
    }
  }

  /// Reads until nobody is behind, or only those without room.
  Result<void> Pump(std::vector<StatePtr>& subscribers, const std::stop_token& stop) {
    bool more = true;
    while (more && !subscribers.empty() && !stop.stop_requested()) {
      SEEDCORE_ASSIGN_OR_RETURN(more, FeedLive(subscribers));
      for (const StatePtr& state : subscribers) {
        if (state->live) continue;
        SEEDCORE_ASSIGN_OR_RETURN(const bool behind, CatchUp(*state, AnyLive(subscribers)));
        more = more || behind;
      }
    }
    return {};
  }

  static bool AnyLive(const std::vector<StatePtr>& subscribers) {
    return std::ranges::any_of(subscribers, [](const StatePtr& state) { return state->live.load(); });
  }

  /// One page to everybody who is up to date. Returns whether there is more.
  Result<bool> FeedLive(std::vector<StatePtr>& subscribers) {
    if (!AnyLive(subscribers)) return false;
    SEEDCORE_ASSIGN_OR_RETURN(const auto events, Read(live_cursor_, settings_.page));
    if (events.empty()) return false;
    live_cursor_ = events.back().seq;
    std::erase_if(subscribers, [&](const StatePtr& state) {
      if (!state->live || state->Push(events)) return false;
      dropped_.Increment();
      state->gone = true;  // the next Prune forgets it
      return true;
    });
    return events.size() == static_cast<std::size_t>(settings_.page);
  }

  /// One page to one subscriber, as far as it has room and the others have come. Returns whether it should get another.
  Result<bool> CatchUp(EventSubscription::State& state, bool others_live) {
    const std::size_t room = std::min(state.Room(), static_cast<std::size_t>(settings_.page));
    if (room == 0) return false;
    SEEDCORE_ASSIGN_OR_RETURN(auto events, Read(state.cursor, static_cast<int>(room)));
    bool level = events.size() < room;
    if (others_live) {
      const auto ahead = std::ranges::find_if(events, [&](const auto& event) { return event.seq > live_cursor_; });
      level = level || ahead != events.end() || events.back().seq == live_cursor_;
      events.erase(ahead, events.end());
    }
    if (!events.empty()) static_cast<void>(state.Push(events));  // no more was read than fits
    if (level) {
      if (!others_live) live_cursor_ = state.cursor;
      state.live = true;
    }
    return true;
  }

  Result<std::vector<store::TaskEvent>> Read(std::int64_t after, int limit) {
    SEEDCORE_RETURN_IF_ERROR(env_.Fault("event_feed.read"));
    SEEDCORE_ASSIGN_OR_RETURN(auto events, store_.EventsAfter(after, limit));
    if (!events.empty() && events.back().seq > newest_seen_) newest_seen_ = events.back().seq;
    return events;
  }

  /// mutex_ is held. Without subscribers nobody has to tell this process of events.
  void Prune() {
    std::erase_if(subscribers_, [](const StatePtr& state) { return state->gone.load(); });
    if (subscribers_.empty()) events_.reset();
    subscribers_gauge_.Set(static_cast<double>(subscribers_.size()));
  }

  Env& env_;
  store::TaskStore& store_;
  const EventFeedSettings settings_;
  Gauge& subscribers_gauge_;
  Counter& dropped_;
  StoreTrouble trouble_;
  const std::shared_ptr<EventWake> wake_;
  std::atomic<std::int64_t> newest_seen_{0};
  std::int64_t live_cursor_ = 0;  // last seq given to those up to date; the reader's
  std::mutex mutex_;              // guards the three below
  std::vector<StatePtr> subscribers_;
  bool stopped_ = false;
  std::optional<store::Subscription> events_;  // goes before wake_, which its listener uses
  std::mutex stop_mutex_;                      // held while stopping
  std::jthread thread_;
};

EventFeed::EventFeed(Env& env, store::TaskStore& store, Metrics& metrics, EventFeedSettings settings)
    : impl_(std::make_unique<Impl>(env, store, metrics, settings)) {}

EventFeed::~EventFeed() { impl_->Stop(); }

Result<EventSubscription> EventFeed::Subscribe(SubscribeOptions options) {
  return impl_->Subscribe(std::move(options));
}

void EventFeed::Stop() { impl_->Stop(); }

Result<std::int64_t> LastEventSeq(store::TaskStore& store, std::int64_t known) {
  // "Is there an event after x?" is true below the last seq and false from there on: gallop, then halve.
  std::int64_t low = known;
  std::int64_t step = 1;
  const auto last_after = [&](std::int64_t x) -> Result<std::int64_t> {
    SEEDCORE_ASSIGN_OR_RETURN(const auto events, store.EventsAfter(x, 1));
    return events.empty() ? -1 : events.front().seq;
  };
  std::int64_t high = low;
  for (;;) {
    SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t seq, last_after(high));
    if (seq < 0) break;
    low = seq;
    high =
        low > std::numeric_limits<std::int64_t>::max() - step ? std::numeric_limits<std::int64_t>::max() : low + step;
    step = std::min(step * 2, std::int64_t{1} << 62);
  }
  while (low < high) {
    const std::int64_t middle = low + (high - low) / 2;
    SEEDCORE_ASSIGN_OR_RETURN(const std::int64_t seq, last_after(middle));
    if (seq < 0) {
      high = middle;
    } else {
      low = seq;
    }
  }
  return low;
}

}  // namespace seedcore::queue
