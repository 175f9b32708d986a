#include "store/postgres/notifier.h"

#include <array>
#include <cerrno>
#include <cstdint>
#include <poll.h>
#include <sys/eventfd.h>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "base/log.h"

namespace seedcore::store::postgres {
namespace {

constexpr char kListen[] = "LISTEN seedcore";
constexpr char kNotify[] = "SELECT pg_notify('seedcore', $1)";
constexpr int kCoalesceMs = 3;
constexpr int kReconnectMs = 500;
constexpr int kForever = -1;

void Drain(int wake) {
  std::uint64_t count = 0;
  (void)!::read(wake, &count, sizeof count);
}

}  // namespace

Notifier::Notifier(ConnectSettings settings, Signal& runnable, Signal& events)
    : settings_(std::move(settings)),
      runnable_(runnable),
      events_(events),
      wake_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (wake_ < 0) throw std::system_error(errno, std::generic_category(), "eventfd");
  thread_ = std::jthread([this] { Loop(); });
}

Notifier::~Notifier() {
  stopping_ = true;
  const std::uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
  thread_.join();
  ::close(wake_);
}

void Notifier::Tell(bool runnable, bool events) {
  // A flag that is still set has woken the thread already.
  const bool news_runnable = runnable && !tell_runnable_.exchange(true);
  const bool news_events = events && !tell_events_.exchange(true);
  if (!news_runnable && !news_events) return;
  const std::uint64_t one = 1;
  (void)!::write(wake_, &one, sizeof one);
}

void Notifier::Emit(bool runnable, bool events) {
  if (runnable) runnable_.Emit();
  if (events) events_.Emit();
}

void Notifier::Loop() {
  bool first = true;
  while (!stopping_) {
    if (auto connection = Connection::Open(settings_); connection) {
      if (auto listening = (*connection)->Script(kListen); listening) {
        if (!first) Emit(true, true);
        first = false;
        Serve(**connection);
      }
    } else {
      log::Warning("no connection for notifications", {{"error", connection.error().message}});
    }
    if (stopping_) return;
    pollfd stop{.fd = wake_, .events = POLLIN, .revents = 0};
    // Commits of this process also end the wait; they only make the next try come sooner.
    Drain(wake_);
    ::poll(&stop, 1, kReconnectMs);
  }
}

void Notifier::Serve(Connection& connection) {
  for (;;) {
    // Drained first: whoever stops this thread sets the flag and then wakes it, and that waking may be gone by now.
    Drain(wake_);
    if (stopping_) return;
    std::string payload;
    if (tell_runnable_.exchange(false)) payload += 'r';
    if (tell_events_.exchange(false)) payload += 'e';
    if (!payload.empty()) {
      if (!connection.Query(kNotify, payload)) return;
      // What is committed meanwhile goes into the next NOTIFY.
      pollfd stop{.fd = -1, .events = 0, .revents = 0};
      ::poll(&stop, 1, kCoalesceMs);
    }
    if (!connection.IsUsable()) return;
    Hear(connection);
    std::array<pollfd, 2> ready{
        {{.fd = connection.socket(), .events = POLLIN, .revents = 0}, {.fd = wake_, .events = POLLIN, .revents = 0}}};
    ::poll(ready.data(), ready.size(), kForever);
  }
}

void Notifier::Hear(Connection& connection) {
  bool runnable = false, events = false;
  for (const std::string& payload : connection.TakeNotifications()) {
    runnable = runnable || payload.find('r') != std::string::npos;
    events = events || payload.find('e') != std::string::npos;
  }
  Emit(runnable, events);
}

}  // namespace seedcore::store::postgres
