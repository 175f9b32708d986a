#include "store/signal.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>
#include <vector>

namespace seedcore::store {

struct Subscription::Listener {
  std::mutex mutex;            // guards `call`, and is held while it runs
  std::function<void()> call;  // empty once disconnected
  std::atomic<bool> connected{true};
  std::weak_ptr<Signal::Impl> signal;
};

struct Signal::Impl {
  std::mutex mutex;  // guards `listeners`
  std::vector<std::shared_ptr<Subscription::Listener>> listeners;
  std::mutex leaving;  // guards `on_leave`, and is held while it runs
  std::function<void()> on_leave;
};

Subscription::~Subscription() { Disconnect(); }

void Subscription::Disconnect() {
  const auto listener = std::exchange(listener_, nullptr);
  if (listener == nullptr) return;
  {
    const std::scoped_lock lock(listener->mutex);
    listener->call = nullptr;
    listener->connected = false;
  }
  const auto signal = listener->signal.lock();
  if (signal == nullptr) return;
  const std::scoped_lock lock(signal->leaving);
  if (signal->on_leave) signal->on_leave();
}

Subscription& Subscription::operator=(Subscription&& other) noexcept {
  Subscription old(std::exchange(listener_, std::exchange(other.listener_, nullptr)));
  return *this;
}

Signal::Signal() : impl_(std::make_shared<Impl>()) {}
Signal::~Signal() = default;

Subscription Signal::Connect(std::function<void()> listener) {
  auto entry = std::make_shared<Subscription::Listener>();
  entry->call = std::move(listener);
  entry->signal = impl_;
  const std::scoped_lock lock(impl_->mutex);
  impl_->listeners.push_back(entry);
  return Subscription(std::move(entry));
}

bool Signal::HasListeners() const {
  const std::scoped_lock lock(impl_->mutex);
  return std::ranges::any_of(impl_->listeners, [](const auto& listener) { return listener->connected.load(); });
}

void Signal::OnLeave(std::function<void()> on_leave) {
  const std::scoped_lock lock(impl_->leaving);
  impl_->on_leave = std::move(on_leave);
}

void Signal::Emit() {
  std::vector<std::shared_ptr<Subscription::Listener>> listeners;
  {
    const std::scoped_lock lock(impl_->mutex);
    std::erase_if(impl_->listeners, [](const auto& listener) { return !listener->connected; });
    listeners = impl_->listeners;
  }
  for (const auto& listener : listeners) {
    const std::scoped_lock lock(listener->mutex);
    if (listener->call) listener->call();
  }
}

}  // namespace seedcore::store
