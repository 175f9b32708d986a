#include "net/wakeup.h"

#include <utility>

namespace seedcore::net {

namespace asio = boost::asio;

Coroutine Wakeup::Wait() {
  if (!notified_) {
    co_await asio::async_initiate<const asio::use_awaitable_t<LoopExecutor>, void()>(
        [this](auto handler) { waiter_ = std::move(handler); }, kAwait);
  }
  notified_ = false;
}

void Wakeup::Notify() {
  notified_ = true;
  if (waiter_) std::exchange(waiter_, nullptr)();
}

}  // namespace seedcore::net
