#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "base/env.h"
#include "base/result.h"
#include "settings/settings.h"

namespace seedcore::app {

/// The embedded platform: store, six services, task API, dispatcher and reaper in this process. The composition root:
/// the only place where everybody meets.
class Platform {
 public:
  /// Opens the store, wires the services, listens, and begins to execute tasks. On an error nothing is left running.
  /// kInvalidArgument: a setting, a rule file or an address is wrong. kUnavailable: the data directory or a port is
  /// taken. `env` outlives the platform.
  [[nodiscard]] static Result<std::unique_ptr<Platform>> Start(const settings::Settings& settings, Env& env);
  /// Stops as Stop() does.
  ~Platform();
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  [[nodiscard]] const std::string& services_url() const;  ///< "http://127.0.0.1:8000"
  [[nodiscard]] const std::string& api_url() const;       ///< "http://127.0.0.1:8002"
  [[nodiscard]] std::chrono::milliseconds start_time() const;

  /// Reads the rules of the store, or the rule file, again; rules with an error are refused and those in force stay.
  [[nodiscard]] Result<void> ReloadRules();
  /// Refuses new requests, lets running ones and running tasks finish within the drain time, hands back the rest,
  /// closes the store. Idempotent.
  void Stop();

 private:
  struct Parts;
  explicit Platform(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace seedcore::app
