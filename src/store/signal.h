#pragma once

#include <functional>
#include <memory>

namespace seedcore::store {

/// Keeps a listener connected. Destroying it waits for a call under way and disconnects; it may outlive the Signal.
/// Never destroy one inside its own listener.
class Subscription {
 public:
  Subscription() = default;
  ~Subscription();
  Subscription(Subscription&&) noexcept = default;
  Subscription& operator=(Subscription&& other) noexcept;

 private:
  friend class Signal;
  struct Listener;
  void Disconnect();
  explicit Subscription(std::shared_ptr<Listener> listener) : listener_(std::move(listener)) {}
  std::shared_ptr<Listener> listener_;
};

/// A list of listeners. Thread-safe. Listeners run one after the other on the thread that emits, so they only signal.
class Signal {
 public:
  Signal();
  ~Signal();
  [[nodiscard]] Subscription Connect(std::function<void()> listener);
  void Emit();
  [[nodiscard]] bool HasListeners() const;
  /// `on_leave` runs whenever a listener has been disconnected, on the thread that did it, so it only signals. Empty:
  /// nothing does; returns when a call under way is over.
  void OnLeave(std::function<void()> on_leave);

 private:
  friend class Subscription;
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace seedcore::store
