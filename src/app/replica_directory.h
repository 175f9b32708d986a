#pragma once

#include <chrono>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/env.h"
#include "net/breaker.h"
#include "net/upstreams.h"
#include "store/store.h"

namespace seedcore::app {

/// What the registry calls the listener of an organ's host, and what its logical id begins with.
inline constexpr const char* kOrganService = "organ";
inline constexpr std::string_view kOrganPrefix = "organ:";

/// The live listeners of every service, and of the hosts of organs, as the runtime registry has them; read again every
/// `refresh` and when somebody had trouble with one. When the registry can't be read, what was known last stays.
/// Thread-safe.
class ReplicaDirectory {
 public:
  /// `registry` and `env` outlive it.
  ReplicaDirectory(store::RegistryStore& registry, net::BreakerSettings ejection, std::chrono::milliseconds refresh,
                   Env& env);
  ~ReplicaDirectory() { Stop(); }
  ReplicaDirectory(const ReplicaDirectory&) = delete;
  ReplicaDirectory& operator=(const ReplicaDirectory&) = delete;

  /// Reads once, and goes on by itself.
  void Start();
  void Stop();
  [[nodiscard]] Result<void> Refresh();
  /// Has it read soon; at most some ten times a second. Does not block.
  void RefreshSoon();

  /// The replicas of a service of ServiceKinds().
  [[nodiscard]] const std::shared_ptr<net::Upstreams>& Of(std::string_view service) const;
  /// The hosts of an organ (organ_host.h); null while none has been seen. Once seen, the list is kept, empty or not.
  [[nodiscard]] std::shared_ptr<net::Upstreams> OfOrgan(std::string_view organ_id) const;
  /// Dispatchers and reapers with a listener, at the last reading. Nothing is forwarded to them.
  [[nodiscard]] std::vector<store::Instance> Dispatchers() const;
  /// Hosts of organs, likewise: called by the organism alone.
  [[nodiscard]] std::vector<store::Instance> OrganHosts() const;
  /// When the registry was read last; nullopt: never.
  [[nodiscard]] std::optional<Instant> ReadAt() const;

 private:
  void Run(const std::stop_token& stop);

  store::RegistryStore& registry_;
  const net::BreakerSettings ejection_;
  const std::chrono::milliseconds refresh_;
  Env& env_;
  std::map<std::string, std::shared_ptr<net::Upstreams>, std::less<>> services_;  // its keys are fixed

  mutable std::mutex mutex_;  // guards the five below
  bool wanted_ = false;
  std::optional<Instant> read_at_;
  std::vector<store::Instance> dispatchers_;
  std::vector<store::Instance> organ_hosts_;
  std::map<std::string, std::shared_ptr<net::Upstreams>, std::less<>> organs_;  // by organ; at most kMostOrgans
  std::condition_variable_any changed_;
  std::jthread thread_;
};

}  // namespace seedcore::app
