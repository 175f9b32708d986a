#include "ray/serve_deploy.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/strings.h"
#include "ray/serve_config.h"

namespace seedcore::ray {
namespace {

constexpr std::chrono::seconds kLookAtApplications{1};

/// The last line that says something, without terminal colors: a traceback ends with what went wrong.
std::string LastLine(std::string_view text) {
  std::string line;
  std::string last;
  bool escape = false;
  for (const char c : text) {
    if (c == '\x1b') {
      escape = true;
    } else if (escape) {
      escape = c != 'm';
    } else if (c == '\n') {
      if (!Trim(line).empty()) last = std::string(Trim(line));
      line.clear();
    } else {
      line += c;
    }
  }
  return Trim(line).empty() ? last : std::string(Trim(line));
}

bool IsEnd(std::string_view status) {
  return status == "RUNNING" || status == "DEPLOY_FAILED" || status == "UNHEALTHY";
}

/// The applications of `config` as Serve sees them. One that it still shows from before the PUT is not counted.
std::vector<Deployed> Look(const std::vector<std::string>& names, const ServeInfo& before, const ServeInfo& now) {
  std::vector<Deployed> all;
  for (const std::string& name : names) {
    const auto found = now.applications.find(name);
    const auto old = before.applications.find(name);
    const bool stale = found != now.applications.end() && old != before.applications.end() &&
                       found->second.last_deployed_time_s <= old->second.last_deployed_time_s;
    if (found == now.applications.end() || stale) {
      all.push_back({name, "NOT_STARTED", ""});
    } else {
      all.push_back(Summarize(name, found->second));
    }
  }
  return all;
}

}  // namespace

Deployed Summarize(const std::string& name, const ApplicationInfo& info) {
  Deployed deployed{name, info.status, LastLine(info.message)};
  if (info.status == "RUNNING") return deployed;
  for (const auto& [deployment, state] : info.deployments) {
    const std::string line = LastLine(state.message);
    if (state.status == "HEALTHY" || line.empty()) continue;
    deployed.message += fmt::format("{}{}: {}", deployed.message.empty() ? "" : "\n", deployment, line);
  }
  return deployed;
}

Result<DeployReport> DeployServe(Dashboard& dashboard, const json::object& config, const CallContext& call, Env& env,
                                 const std::function<void(const std::vector<Deployed>&)>& progress) {
  const std::vector<std::string> names = ApplicationNames(config);
  SEEDCORE_ASSIGN_OR_RETURN(const ServeInfo before, dashboard.Serve(call));
  SEEDCORE_RETURN_IF_ERROR(dashboard.PutServe(config, call));
  DeployReport report;
  while (true) {
    auto now = dashboard.Serve(call);
    if (now) {
      report.applications = Look(names, before, *now);
      if (progress) progress(report.applications);
      if (std::ranges::all_of(report.applications, IsEnd, &Deployed::status)) {
        report.all_running =
            std::ranges::all_of(report.applications, [](const Deployed& d) { return d.status == "RUNNING"; });
        report.ignored_keys = IgnoredKeys(config, *now);
        return report;
      }
    } else if (now.error().code != ErrorCode::kUnavailable && now.error().code != ErrorCode::kDeadlineExceeded) {
      return std::unexpected(std::move(now).error());
    }
    // A dashboard that is short of breath while replicas start is asked again.
    if (env.Now() + kLookAtApplications >= call.deadline) return report;
    if (!env.SleepFor(kLookAtApplications, call.stop))
      return Fail(ErrorCode::kCancelled, "the deployment goes on; the wait was cancelled");
  }
}

}  // namespace seedcore::ray
