#pragma once

#include <atomic>
#include <memory>
#include <thread>

#include "store/postgres/connection.h"
#include "store/signal.h"

namespace seedcore::store::postgres {

/// Tells other processes of commits, and this one of theirs, over a connection of its own (LISTEN and NOTIFY on the
/// channel "seedcore"). Many commits within a few milliseconds are one NOTIFY, sent outside their transactions. When
/// the connection breaks it is made again, and the listeners are told that they may have missed something. What is lost
/// in between is found by the pollers.
class Notifier {
 public:
  /// `runnable` and `events` outlive it; they are emitted on its thread.
  Notifier(ConnectSettings settings, Signal& runnable, Signal& events);
  ~Notifier();

  /// After a commit of this process. Any thread; does not block.
  void Tell(bool runnable, bool events);

 private:
  void Loop();
  /// Until the connection breaks or the notifier stops.
  void Serve(Connection& connection);
  void Hear(Connection& connection);
  void Emit(bool runnable, bool events);

  const ConnectSettings settings_;
  Signal& runnable_;
  Signal& events_;
  int wake_ = -1;  ///< an eventfd
  std::atomic<bool> tell_runnable_{false};
  std::atomic<bool> tell_events_{false};
  std::atomic<bool> stopping_{false};
  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace seedcore::store::postgres
