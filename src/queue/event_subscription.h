#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <vector>

#include "base/env.h"
#include "store/task.h"

namespace seedcore::queue {

struct SubscribeOptions {
  std::optional<std::int64_t> after;  ///< replay what has a larger seq; none: only what comes from now on
  /// May be empty. Called on the feed's thread when there is something to take, or the end; must not wait.
  std::function<void()> on_ready;
};

/// One reader of the event stream. Movable handle. Destroying it ends the subscription and waits for an `on_ready`
/// under way; it may be destroyed within `on_ready` itself. Any thread, one at a time.
class EventSubscription {
 public:
  struct State;

  explicit EventSubscription(std::shared_ptr<State> state) : state_(std::move(state)) {}
  ~EventSubscription();
  EventSubscription(EventSubscription&&) noexcept = default;
  EventSubscription& operator=(EventSubscription&& other) noexcept;

  /// What there is, oldest first, at most `limit`; empty when there is nothing yet. Once all is taken:
  /// kResourceExhausted for a subscriber that was dropped because it was too slow (it may subscribe again after its
  /// last seq), kUnavailable when the feed has stopped. Never waits.
  [[nodiscard]] Result<std::vector<store::TaskEvent>> Take(std::size_t limit);
  /// Take, after waiting for something to take until `deadline` or `stop`.
  [[nodiscard]] Result<std::vector<store::TaskEvent>> Await(std::size_t limit, Instant deadline, std::stop_token stop);

 private:
  std::shared_ptr<State> state_;
};

}  // namespace seedcore::queue
