#pragma once

#include <atomic>
#include <string>
#include <vector>

#include "app/dispatch_host.h"
#include "base/call_context.h"
#include "service/operation.h"

/// What a dispatcher or a reaper answers at its own listener: no Python and no Ray is in the way.
namespace seedcore::app {

struct DispatchHealth {
  std::string status;
  std::string service;
  std::string name;
  std::string state;
  std::vector<std::string> problems;
  [[nodiscard]] int HttpStatus() const { return problems.empty() ? 200 : 503; }
  static constexpr auto kFields =
      Fields(Required("status", &DispatchHealth::status, "healthy, or unhealthy with status 503"),
             Required("service", &DispatchHealth::service, "dispatcher or reaper"),
             Required("name", &DispatchHealth::name, "Name in the registry"),
             Required("state", &DispatchHealth::state, "running, draining or stopped"),
             Required("problems", &DispatchHealth::problems, "What is wrong with it, its store or its heartbeat"));
};

struct DispatchCheckRequest {
  int count = 1;
  double timeout_s = 10.0;
  static constexpr auto kFields =
      Fields(Optional("count", &DispatchCheckRequest::count, "Health tasks, 1 to 1024"),
             Optional("timeout_s", &DispatchCheckRequest::timeout_s, "Seconds to wait for them, within the call's"));
};

struct DispatchCheckReply {
  std::vector<ProvenTask> tasks;
  static constexpr auto kFields =
      Fields(Required("tasks", &DispatchCheckReply::tasks, "How each ended, and who executed it"));
};

struct DispatchDrainRequest {
  double timeout_s = 10.0;
  static constexpr auto kFields = Fields(Optional("timeout_s", &DispatchDrainRequest::timeout_s,
                                                  "Seconds that running tasks have to finish, within the call's"));
};

/// Thread-safe. Answers kUnavailable until Open.
class DispatchControl {
 public:
  /// `host` and `env` outlive it.
  DispatchControl(DispatchHost& host, Env& env) : host_(host), env_(env) {}
  /// The host is complete.
  void Open() { open_ = true; }

  Result<DispatchHealth> Health(const service::Empty& request, const CallContext& call);
  Result<DispatchHostStatus> Status(const service::Empty& request, const CallContext& call);
  Result<DispatchCheckReply> HealthCheck(const DispatchCheckRequest& request, const CallContext& call);
  /// Answers once it has stopped.
  Result<DispatchHostStatus> Drain(const DispatchDrainRequest& request, const CallContext& call);

 private:
  [[nodiscard]] Result<void> CheckOpen() const;
  /// `seconds`, or what is left of the call, without the time an answer needs.
  [[nodiscard]] Result<std::chrono::milliseconds> Patience(double seconds, const CallContext& call) const;

  DispatchHost& host_;
  Env& env_;
  std::atomic<bool> open_{false};
};

/// Below "/dispatch". Not part of the public API: the cluster token is what opens it.
[[nodiscard]] service::OperationTable<DispatchControl> DispatchOperations();

}  // namespace seedcore::app
