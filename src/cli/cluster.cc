#include "cli/cluster.h"

#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "base/env.h"
#include "net/target.h"
#include "ray/listener_check.h"
#include "ray/listener_wait.h"
#include "ray/plan_input.h"
#include "ray/version.h"
#include "settings/settings.h"

namespace seedcore::cli {
namespace {

constexpr std::chrono::seconds kFirstCall{10};
/// A head on this network answers within it; one that is slower is merely announced.
constexpr std::chrono::milliseconds kFirstLook{200};

void Warn(const std::string& text) { fmt::print(stderr, "seedcore: warning: {}\n", text); }

/// The plan for the dashboard's REST interface, with its warnings printed.
Result<ray::ConnectionPlan> PlanForRest(const Arguments& arguments) {
  SEEDCORE_ASSIGN_OR_RETURN(ray::ConnectionPlan plan, PlanFor(arguments, ray::Purpose::kRest));
  for (const std::string& warning : plan.warnings) Warn(warning);
  if (plan.mode == ray::Mode::kLocal && plan.dashboard_url.source == "default") {
    return Fail(
        ErrorCode::kUnavailable,
        fmt::format("there is no cluster to ask ({}): give --address, or set RAY_ADDRESS", plan.address.source));
  }
  return plan;
}

Result<Cluster> ConnectTo(ray::ConnectionPlan plan) {
  Cluster cluster{.plan = std::move(plan), .dashboard = nullptr, .version = {}};
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

/// Returns when something listens there, or the time is up; what is wrong then the first call says.
void AwaitDashboard(const ray::Decision& url, const CallContext& call) {
  const auto base = net::ParseBaseUrl(url.value);
  if (!base || base->tls) return;  // which waiting does not mend
  if (ray::IsListening(base->where, RealEnv().Now() + kFirstLook, RealEnv())) return;
  const auto left = std::chrono::ceil<std::chrono::seconds>(call.deadline - RealEnv().Now());
  if (left.count() <= 0) return;
  fmt::print(stderr, "seedcore: nothing listens at {} ({}); waiting for it, {} s at most ({})\n",
             base->where.ToString(), url.source, left.count(), ray::kConnectPatienceVariable);
  (void)ray::AwaitListener(base->where, call, RealEnv());
}

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
  SEEDCORE_ASSIGN_OR_RETURN(ray::ConnectionPlan plan, PlanForRest(arguments));
  return ConnectTo(std::move(plan));
}

Result<Cluster> AwaitCluster(const Arguments& arguments, const CallContext& call) {
  const char* const told = std::getenv(ray::kConnectPatienceVariable);
  SEEDCORE_ASSIGN_OR_RETURN(const auto patience, ray::ConnectPatience(told == nullptr ? "" : told));
  SEEDCORE_ASSIGN_OR_RETURN(ray::ConnectionPlan plan, PlanForRest(arguments));
  AwaitDashboard(plan.dashboard_url, call.Within(patience, RealEnv()));
  return ConnectTo(std::move(plan));
}

Result<CallContext> CallFor(const Arguments& arguments, std::chrono::seconds fallback) {
  SEEDCORE_ASSIGN_OR_RETURN(const int seconds, arguments.Number("timeout-s", static_cast<int>(fallback.count())));
  if (seconds < 1) return Fail(ErrorCode::kInvalidArgument, "expected at least 1", "--timeout-s");
  return CallContext{}.Within(std::chrono::seconds(seconds), RealEnv());
}

}  // namespace seedcore::cli
