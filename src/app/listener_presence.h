#pragma once

#include <chrono>
#include <mutex>
#include <stop_token>
#include <string>
#include <thread>

#include "base/env.h"
#include "store/store.h"

namespace seedcore::app {

/// Keeps a replica's listener in the runtime registry: alive while it beats, registered anew when the cluster epoch
/// changes or somebody declared it dead, draining, and dead at the end. A replica that is killed says nothing; it is
/// forgotten by the age of its last heartbeat. Thread-safe.
class ListenerPresence {
 public:
  static constexpr std::chrono::seconds kHeartbeat{5};
  /// How often it looks for another epoch: sooner than the organism that began it expires those of the last one.
  static constexpr std::chrono::seconds kLook{1};

  /// `listener` says who serves what at which address; its id, epoch and status are given here. `registry` and `env`
  /// outlive this.
  ListenerPresence(store::RegistryStore& registry, store::Instance listener, Env& env);
  /// As Leave.
  ~ListenerPresence();
  ListenerPresence(const ListenerPresence&) = delete;
  ListenerPresence& operator=(const ListenerPresence&) = delete;

  /// Alive on return. Then a thread beats.
  [[nodiscard]] Result<void> Enter();
  /// Takes no new requests: gateways leave it out as soon as they look.
  void Drain();
  /// Gone. Faults are logged: the heartbeat ends in any case. Idempotent.
  void Leave();
  /// One heartbeat; what the thread does every kHeartbeat.
  [[nodiscard]] Result<void> Beat();

 private:
  [[nodiscard]] Result<void> Register(const std::string& epoch);
  [[nodiscard]] bool EpochHasChanged();
  void SetStatus(store::InstanceStatus status);
  void Run(const std::stop_token& stop);

  store::RegistryStore& registry_;
  Env& env_;
  std::mutex mutex_;  // guards the two below; held over calls of the registry, which only this object waits for
  store::Instance listener_;
  bool leaving_ = false;
  std::jthread thread_;
};

}  // namespace seedcore::app
