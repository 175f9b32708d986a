#pragma once

#include <chrono>
#include <memory>

#include "base/call_context.h"
#include "cli/command.h"
#include "ray/connection_plan.h"
#include "ray/dashboard.h"

/// A Ray cluster as its commands see it.
namespace seedcore::cli {

/// The plan for what the arguments, the environment and --config say. Prints nothing.
[[nodiscard]] Result<ray::ConnectionPlan> PlanFor(const Arguments& arguments, ray::Purpose purpose);

/// A dashboard that has answered, and why it is this one.
struct Cluster {
  ray::ConnectionPlan plan;
  std::unique_ptr<ray::Dashboard> dashboard;
  ray::VersionInfo version;
};
/// Plans, connects, and prints warnings: contradictions of the plan, another version than tested. kUnavailable when
/// there is no cluster.
[[nodiscard]] Result<Cluster> OpenCluster(const Arguments& arguments);
/// The same, but while nothing listens at the dashboard's port it is waited for, as long as
/// SEEDCORE_RAY_CONNECT_TIMEOUT_S says and within `call`. Everything else fails at once.
[[nodiscard]] Result<Cluster> AwaitCluster(const Arguments& arguments, const CallContext& call);

/// The time --timeout-s allows, `fallback` without it.
[[nodiscard]] Result<CallContext> CallFor(const Arguments& arguments, std::chrono::seconds fallback);

int RunRayPlan(const Arguments& arguments);
int RunRayInfo(const Arguments& arguments);
int RunRayActors(const Arguments& arguments);
int RunRayJobs(const Arguments& arguments);
int RunServeStatus(const Arguments& arguments);
int RunServeDeploy(const Arguments& arguments);
int RunBootstrap(const Arguments& arguments);

}  // namespace seedcore::cli
