#include "store/signal.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace seedcore::store {

struct Subscription::Listener {
  std::mutex mutex;            // guards `call`, and is held while it runs
  std::function<void()> call;  // empty once disconnected
};

Subscription::~Subscription() {
  if (listener_ == nullptr) return;
  const std::scoped_lock lock(listener_->mutex);
  listener_->call = nullptr;
}

Subscription& Subscription::operator=(Subscription&& other) noexcept {
  Subscription old(std::exchange(listener_, std::exchange(other.listener_, nullptr)));
  return *this;
}

struct Signal::Impl {
  std::mutex mutex;  // guards `listeners`
  std::vector<std::shared_ptr<Subscription::Listener>> listeners;
};

Signal::Signal() : impl_(std::make_unique<Impl>()) {}
Signal::~Signal() = default;

Subscription Signal::Connect(std::function<void()> listener) {
  auto entry = std::make_shared<Subscription::Listener>();
  entry->call = std::move(listener);
  const std::scoped_lock lock(impl_->mutex);
  impl_->listeners.push_back(entry);
  return Subscription(std::move(entry));
}

bool Signal::HasListeners() const {
  const std::scoped_lock lock(impl_->mutex);
  return std::ranges::any_of(impl_->listeners, [](const auto& listener) { return listener.use_count() > 1; });
}

void Signal::Emit() {
  std::vector<std::shared_ptr<Subscription::Listener>> listeners;
  {
    const std::scoped_lock lock(impl_->mutex);
    // Only the list still refers to a listener whose subscription is gone.
    std::erase_if(impl_->listeners, [](const auto& listener) { return listener.use_count() == 1; });
    listeners = impl_->listeners;
  }
  for (const auto& listener : listeners) {
    const std::scoped_lock lock(listener->mutex);
    if (listener->call) listener->call();
  }
}

}  // namespace seedcore::store
