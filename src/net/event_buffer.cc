#include "net/event_buffer.h"

#include <utility>

#include "net/wire.h"

namespace seedcore::net {

bool EventBuffer::Send(std::string_view event, std::string_view data, std::string_view id) {
  return SendLines(FormatEvent(event, data, id));
}

bool EventBuffer::SendLines(std::string_view text) {
  {
    const std::scoped_lock lock(mutex_);
    if (closed_) return false;
    const bool writer_is_idle = unsent_.empty();
    if (unsent_.size() + text.size() > max_bytes_) {
      closed_ = overflowed_ = true;
    } else {
      unsent_ += text;
      if (!writer_is_idle) return true;  // the writer was woken for the first of them
    }
  }
  wake_();
  return !Overflowed();
}

void EventBuffer::Close() {
  {
    const std::scoped_lock lock(mutex_);
    if (std::exchange(closed_, true)) return;
  }
  wake_();
}

void EventBuffer::OnClosed(std::function<void()> callback) {
  {
    const std::scoped_lock lock(mutex_);
    if (!disconnected_) {
      on_closed_ = std::move(callback);
      return;
    }
  }
  callback();
}

bool EventBuffer::HasRoom() {
  const std::scoped_lock lock(mutex_);
  return unsent_.size() < max_bytes_ / 4;
}

void EventBuffer::OnRoom(std::function<void()> callback) {
  const std::scoped_lock lock(mutex_);
  if (!disconnected_) on_room_ = std::move(callback);
}

bool EventBuffer::Take(std::string& text) {
  text.clear();
  std::function<void()> on_room;
  {
    const std::scoped_lock lock(mutex_);
    if (overflowed_) return false;
    text.swap(unsent_);
    if (closed_) return !text.empty();
    if (!text.empty()) on_room = on_room_;
  }
  if (on_room) on_room();
  return true;
}

void EventBuffer::Heartbeat() {
  {
    const std::scoped_lock lock(mutex_);
    if (closed_ || !unsent_.empty()) return;
    unsent_ = ": alive\n\n";
  }
  wake_();
}

void EventBuffer::Disconnected() {
  std::function<void()> callback;
  std::function<void()> on_room;  // what it holds is let go of outside of the lock
  {
    const std::scoped_lock lock(mutex_);
    closed_ = disconnected_ = true;
    unsent_.clear();
    callback = std::exchange(on_closed_, nullptr);
    on_room.swap(on_room_);
  }
  if (callback) callback();
}

bool EventBuffer::Overflowed() const {
  const std::scoped_lock lock(mutex_);
  return overflowed_;
}

}  // namespace seedcore::net
