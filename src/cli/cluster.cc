#include "cli/cluster.h"

#include <fmt/format.h>

#include "base/env.h"
#include "ray/plan_input.h"
#include "ray/version.h"
#include "settings/settings.h"

namespace seedcore::cli {
namespace {

constexpr std::chrono::seconds kFirstCall{10};

void Warn(const std::string& text) { fmt::print(stderr, "seedcore: warning: {}\n", text); }

}  // namespace

Result<ray::ConnectionPlan> PlanFor(const Arguments& arguments, ray::Purpose purpose) {
  SEEDCORE_ASSIGN_OR_RETURN(const settings::Settings settings, settings::Load({}, arguments.Get("config")));
  return ray::PlanConnection({.address = arguments.Get("address"),
                              .ray_namespace = arguments.Get("namespace"),
                              .serve_url = arguments.Get("serve-url"),
                              .dashboard_url = arguments.Get("dashboard-url"),
                              .purpose = purpose},
                             settings, RealEnv());
}

Result<Cluster> OpenCluster(const Arguments& arguments) {
  Cluster cluster;
  SEEDCORE_ASSIGN_OR_RETURN(cluster.plan, PlanFor(arguments, ray::Purpose::kRest));
  for (const std::string& warning : cluster.plan.warnings) Warn(warning);
  if (cluster.plan.mode == ray::Mode::kLocal && cluster.plan.dashboard_url.source == "default") {
    return Fail(ErrorCode::kUnavailable,
                fmt::format("there is no cluster to ask ({}): give --address, or set RAY_ADDRESS",
                            cluster.plan.address.source));
  }
  cluster.dashboard = std::make_unique<ray::Dashboard>(
      ray::DashboardOptions{.url = cluster.plan.dashboard_url.value, .token = cluster.plan.token}, RealEnv());
  auto version = cluster.dashboard->Version(CallContext{}.Within(kFirstCall, RealEnv()));
  if (!version) {
    Error error = std::move(version).error();
    if (error.code == ErrorCode::kUnavailable)
      error.path = fmt::format("dashboard URL: {}", cluster.plan.dashboard_url.source);
    return std::unexpected(std::move(error));
  }
  cluster.version = std::move(*version);
  if (const auto warning = ray::VersionWarning(cluster.version.ray_version)) Warn(*warning);
  return cluster;
}

Result<CallContext> CallFor(const Arguments& arguments, std::chrono::seconds fallback) {
  SEEDCORE_ASSIGN_OR_RETURN(const int seconds, arguments.Number("timeout-s", static_cast<int>(fallback.count())));
  if (seconds < 1) return Fail(ErrorCode::kInvalidArgument, "expected at least 1", "--timeout-s");
  return CallContext{}.Within(std::chrono::seconds(seconds), RealEnv());
}

}  // namespace seedcore::cli
