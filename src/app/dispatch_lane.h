#pragma once

#include <memory>
#include <string>
#include <vector>

#include "app/dispatch_control.h"
#include "app/foundation.h"
#include "base/call_context.h"
#include "settings/settings.h"
#include "store/store.h"

namespace seedcore::app {

/// Calls dispatchers and reapers at their own listeners, wherever they run: found in the runtime registry of the store,
/// with the cluster token. Thread-safe.
class DispatchLane {
 public:
  /// Opens the store. `env` outlives it. Errors: the store.
  [[nodiscard]] static Result<std::unique_ptr<DispatchLane>> Open(const settings::Settings& settings, Env& env);

  /// Those that are alive, by name.
  [[nodiscard]] Result<std::vector<store::Instance>> List();
  /// kUnavailable: nobody answers at the address. kUnauthenticated: another cluster token.
  [[nodiscard]] Result<DispatchHealth> Health(const store::Instance& instance, const CallContext& call);
  [[nodiscard]] Result<DispatchHostStatus> Status(const store::Instance& instance, const CallContext& call);
  [[nodiscard]] Result<DispatchCheckReply> HealthCheck(const store::Instance& instance,
                                                       const DispatchCheckRequest& request, const CallContext& call);
  [[nodiscard]] Result<DispatchHostStatus> Drain(const store::Instance& instance, const DispatchDrainRequest& request,
                                                 const CallContext& call);

 private:
  DispatchLane(std::unique_ptr<Foundation> foundation, std::string token, Env& env)
      : foundation_(std::move(foundation)), token_(std::move(token)), env_(env) {}
  /// The body of the answer, whatever its status, for a GET; an error status is an error for a POST.
  Result<std::string> Send(const store::Instance& instance, const std::string& path, const std::string& body,
                           const CallContext& call);

  std::unique_ptr<Foundation> foundation_;
  const std::string token_;
  Env& env_;
};

}  // namespace seedcore::app
