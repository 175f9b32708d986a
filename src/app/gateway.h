#pragma once

#include <memory>
#include <string>

#include "base/env.h"
#include "base/result.h"
#include "settings/settings.h"

namespace seedcore::app {

/// The native gateway: the six services on one port, each request forwarded to a live replica's own listener
/// (DirectListener), without Python on the way. Ray Serve goes on placing, restarting and scaling the replicas, and its
/// own routes keep working. docs/gateway.md has the rules.
///
/// Its routes are those of the operation tables, so that it answers 401, 404, 405, 413 and 415 itself, in the words of
/// the embedded server; beside them `/health`, `/-/routes` (the replicas as it sees them), `/metrics`, `/openapi.json`.
class Gateway {
 public:
  /// Opens the store, reads the registry once and listens. kInvalidArgument, kUnavailable. `env` outlives it.
  [[nodiscard]] static Result<std::unique_ptr<Gateway>> Start(const settings::Settings& settings, Env& env);
  ~Gateway();
  Gateway(const Gateway&) = delete;
  Gateway& operator=(const Gateway&) = delete;

  /// "http://HOST:PORT".
  [[nodiscard]] const std::string& url() const;
  /// Reads the registry now.
  [[nodiscard]] Result<void> Refresh();
  /// Finishes what is under way within server.drain_timeout. Idempotent.
  void Stop();

 private:
  struct Parts;
  explicit Gateway(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace seedcore::app
