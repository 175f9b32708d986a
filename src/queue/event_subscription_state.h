#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "queue/event_subscription.h"

/// Between the event feed's reader and its subscriptions.
namespace seedcore::queue {

/// Wakes the reader. Subscriptions hold it, because they may outlive the feed.
struct EventWake {
  std::mutex mutex;  // guards raised
  std::condition_variable_any cv;
  bool raised = false;

  void Raise() {
    {
      const std::scoped_lock lock(mutex);
      raised = true;
    }
    cv.notify_all();
  }
};

struct EventSubscription::State {
  State(Env& e, std::shared_ptr<EventWake> w, std::size_t c, SubscribeOptions options)
      : env(e), wake(std::move(w)), capacity(c), on_ready(std::move(options.on_ready)) {}

  Env& env;
  const std::shared_ptr<EventWake> wake;
  const std::size_t capacity;
  const std::function<void()> on_ready;
  std::atomic<bool> gone{false};  ///< the handle was destroyed, or the subscription was dropped
  std::atomic<bool> live{false};  ///< has caught up; written by the reader only
  std::int64_t cursor = 0;        ///< last seq put into the buffer; the reader's

  std::mutex mutex;  // guards everything below
  std::condition_variable_any changed;
  std::deque<store::TaskEvent> buffer;
  std::optional<Error> end;

  [[nodiscard]] std::size_t Room();
  /// Appends what is newer than the cursor. False when it does not fit: then the subscription is over.
  [[nodiscard]] bool Push(std::span<const store::TaskEvent> events);
  void End(Error error);
  /// The handle is gone: `on_ready` is not called any more. Waits for a call under way, unless it comes from within it.
  void Abandon();

 private:
  void Announce();

  std::recursive_mutex calling;  // held while on_ready runs
};

}  // namespace seedcore::queue
