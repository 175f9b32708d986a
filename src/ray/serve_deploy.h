#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "ray/dashboard.h"

namespace seedcore::ray {

/// How one application came out.
struct Deployed {
  std::string name;
  std::string status;   ///< RUNNING, DEPLOY_FAILED, UNHEALTHY, or what it was when the time ran out
  std::string message;  ///< of the application and its deployments, one line each; empty when all is well
  static constexpr auto kFields = Fields(Required("name", &Deployed::name, "Application"),
                                         Required("status", &Deployed::status, "RUNNING, DEPLOY_FAILED, ..."),
                                         Required("message", &Deployed::message, "What went wrong"));
};

struct DeployReport {
  std::vector<Deployed> applications;
  std::vector<std::string> ignored_keys;  ///< see IgnoredKeys
  bool all_running = false;
  static constexpr auto kFields =
      Fields(Required("applications", &DeployReport::applications, "In the order of the file"),
             Required("ignored_keys", &DeployReport::ignored_keys, "Keys Serve dropped"),
             Required("all_running", &DeployReport::all_running, "Whether every one is up"));
};

/// Hands `config` over and waits until each of its applications is RUNNING or has failed: the dashboard's own answer
/// only says that it understood. Ends at the deadline of `call` with what is known then (all_running false).
/// `progress`, if any, is told the status of every application at each look. Blocks; one look a second, through `env`.
[[nodiscard]] Result<DeployReport> DeployServe(Dashboard& dashboard, const json::object& config,
                                               const CallContext& call, Env& env,
                                               const std::function<void(const std::vector<Deployed>&)>& progress = {});

/// The state of one application; a traceback is cut down to its last line.
[[nodiscard]] Deployed Summarize(const std::string& name, const ApplicationInfo& info);

}  // namespace seedcore::ray
