#include "queue/event_subscription.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>

#include "queue/event_subscription_state.h"

namespace seedcore::queue {

std::size_t EventSubscription::State::Room() {
  const std::scoped_lock lock(mutex);
  return capacity - std::min(capacity, buffer.size());
}

bool EventSubscription::State::Push(std::span<const store::TaskEvent> events) {
  bool fits = true;
  {
    const std::scoped_lock lock(mutex);
    for (const store::TaskEvent& event : events) {
      if (event.seq <= cursor) continue;
      if (buffer.size() == capacity) {
        end = Error{ErrorCode::kResourceExhausted,
                    fmt::format("events came faster than they were taken; the last one kept is {}", cursor),
                    {}};
        fits = false;
        break;
      }
      buffer.push_back(event);
      cursor = event.seq;
    }
  }
  Announce();
  return fits;
}

void EventSubscription::State::End(Error error) {
  {
    const std::scoped_lock lock(mutex);
    if (!end) end = std::move(error);
  }
  Announce();
}

void EventSubscription::State::Announce() {
  changed.notify_all();
  if (!on_ready) return;
  const std::scoped_lock lock(calling);
  if (!gone) on_ready();
}

void EventSubscription::State::Abandon() {
  {
    const std::scoped_lock lock(calling);
    gone = true;
  }
  wake->Raise();
}

EventSubscription::~EventSubscription() {
  if (state_ != nullptr) state_->Abandon();
}

EventSubscription& EventSubscription::operator=(EventSubscription&& other) noexcept {
  const EventSubscription old(std::exchange(state_, std::exchange(other.state_, nullptr)));
  return *this;
}

Result<std::vector<store::TaskEvent>> EventSubscription::Take(std::size_t limit) {
  std::vector<store::TaskEvent> taken;
  {
    const std::scoped_lock lock(state_->mutex);
    auto& buffer = state_->buffer;
    if (buffer.empty() && state_->end) return std::unexpected(*state_->end);
    const auto end = buffer.begin() + static_cast<std::ptrdiff_t>(std::min(limit, buffer.size()));
    taken.assign(std::make_move_iterator(buffer.begin()), std::make_move_iterator(end));
    buffer.erase(buffer.begin(), end);
  }
  if (!taken.empty() && !state_->live) state_->wake->Raise();
  return taken;
}

Result<std::vector<store::TaskEvent>> EventSubscription::Await(std::size_t limit, Instant deadline,
                                                               std::stop_token stop) {
  {
    std::unique_lock lock(state_->mutex);
    state_->env.WaitUntil(lock, state_->changed, deadline, std::move(stop),
                          [&] { return !state_->buffer.empty() || state_->end.has_value(); });
  }
  return Take(limit);
}

}  // namespace seedcore::queue
