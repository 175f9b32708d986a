#pragma once

#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/env.h"
#include "store/store.h"

namespace seedcore::organism {

struct PresenceSettings {
  std::chrono::milliseconds heartbeat{3000};         ///< RUNTIME_HB_BASE_S
  std::chrono::milliseconds heartbeat_jitter{2000};  ///< RUNTIME_HB_JITTER_S: added, uniform
  std::chrono::milliseconds backoff{500};            ///< first wait after an error; doubles
  std::chrono::milliseconds backoff_max{10'000};     ///< RUNTIME_HB_BACKOFF_S
  std::chrono::seconds expire_after{15};             ///< instances without a heartbeat for this long are dead
  std::string serve_route = "/organism";
  std::string node_id;     ///< empty: the host name
  std::string ip_address;  ///< empty: not known
  std::string service;     ///< what is served at `address`; empty: nothing
  std::string address;     ///< HOST:PORT of a listener of its own; empty: there is none
};

/// Keeps organs present in the runtime registry: registers an instance per organ, beats, registers anew when the
/// cluster epoch changes or somebody declared the instance dead, and marks instances dead when an organ leaves.
/// Thread-safe.
class Presence {
 public:
  struct Registration {
    std::string organ_id;
    std::string instance_id;
    std::string epoch;
    std::string problem;  ///< why the last heartbeat failed; empty: it did not
  };

  /// `registry` and `env` must outlive it.
  Presence(store::RegistryStore& registry, Env& env, PresenceSettings settings);
  ~Presence();
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;

  /// Registers the organ in the current epoch, alive on return. An organ that is present stays as it is.
  [[nodiscard]] Result<void> Enter(const std::string& organ_id);
  /// Marks the organ's instance dead.
  [[nodiscard]] Result<void> Leave(const std::string& organ_id);

  /// The heartbeat thread: every `heartbeat` + U(0, 1) `heartbeat_jitter`, backing off while the store fails.
  void Start();
  /// Returns once the thread has ended. Organs stay registered.
  void Stop();
  /// One round of heartbeats; what the thread does. The first error, after every organ was tried.
  [[nodiscard]] Result<void> BeatOnce();

  [[nodiscard]] std::optional<Registration> Of(const std::string& organ_id) const;

 private:
  Result<Registration> Register(const std::string& organ_id, const std::string& epoch);
  Result<Registration> Renew(const Registration& known, const std::string& epoch);
  /// Takes over the outcome of a heartbeat; false when the organ has left.
  bool StillPresent(const std::string& organ_id, const Result<Registration>& renewed);
  void Run(const std::stop_token& stop);

  store::RegistryStore& registry_;
  Env& env_;
  const PresenceSettings settings_;

  mutable std::mutex mutex_;  // guards present_
  std::map<std::string, Registration> present_;
  std::jthread thread_;
};

}  // namespace seedcore::organism
