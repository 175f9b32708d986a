#include "service/event_stream.h"

#include <mutex>
#include <optional>
#include <string>

#include "service/tasks.h"

namespace seedcore::service {
namespace {

constexpr std::size_t kBatch = 64;

/// One client and its subscription. Kept alive by the stream's close callback; the feed holds it weakly.
class Bridge {
 public:
  Bridge(std::shared_ptr<net::EventStream> stream, std::string task_id)
      : stream_(std::move(stream)), task_id_(std::move(task_id)) {}

  void Attach(queue::EventSubscription subscription) {
    {
      const std::scoped_lock lock(mutex_);
      subscription_.emplace(std::move(subscription));
    }
    Pump();  // what arrived before there was a subscription to take it from
  }

  void Detach() {
    std::optional<queue::EventSubscription> ended;  // its destructor must not run under our lock
    const std::scoped_lock lock(mutex_);
    ended.swap(subscription_);
  }

  /// Moves what there is from the feed to the client, as far as that one has room. Neither end blocks.
  void Pump() {
    const std::scoped_lock lock(mutex_);
    while (subscription_ && stream_->HasRoom()) {
      auto events = subscription_->Take(kBatch);
      if (!events) {
        stream_->Send("error", ToJsonText(json::value{{"message", events.error().message}}));
        stream_->Close();
        return;
      }
      if (events->empty()) return;
      for (store::TaskEvent& event : *events) {
        if (!task_id_.empty() && event.task_id != task_id_) continue;
        const std::string id = std::to_string(event.seq);
        if (!stream_->Send("task", ToJsonText(ToTaskEventRead(std::move(event))), id)) return;
      }
    }
  }

 private:
  std::mutex mutex_;  // guards subscription_, and keeps events in order
  std::shared_ptr<net::EventStream> stream_;
  const std::string task_id_;
  std::optional<queue::EventSubscription> subscription_;
};

}  // namespace

Result<void> EventsRequest::Validate() const {
  if (after.value_or(0) < 0) return Fail(ErrorCode::kInvalidArgument, "expected the id of an event", "after");
  return {};
}

Result<void> StreamTaskEvents(queue::EventFeed* feed, const EventsRequest& request,
                              const std::shared_ptr<net::EventStream>& stream) {
  if (feed == nullptr) return Fail(ErrorCode::kUnavailable, "events are not streamed here");
  const auto bridge = std::make_shared<Bridge>(stream, request.task_id);
  SEEDCORE_ASSIGN_OR_RETURN(auto subscription,
                            feed->Subscribe({.after = request.after, .on_ready = [weak = std::weak_ptr(bridge)] {
                                               if (const auto alive = weak.lock()) alive->Pump();
                                             }}));
  stream->OnClosed([bridge] { bridge->Detach(); });
  stream->OnRoom([weak = std::weak_ptr(bridge)] {
    if (const auto alive = weak.lock()) alive->Pump();
  });
  bridge->Attach(std::move(subscription));
  return {};
}

}  // namespace seedcore::service
