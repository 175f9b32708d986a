#pragma once

#include <functional>

#include "net/asio_internal.h"

// Internal to the server.
namespace seedcore::net {

/// Lets one coroutine wait until something on the same loop wakes it.
class Wakeup {
 public:
  Coroutine Wait();
  void Notify();

 private:
  bool notified_ = false;
  std::move_only_function<void()> waiter_;
};

}  // namespace seedcore::net
