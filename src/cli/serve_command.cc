#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>

#include <fmt/format.h>

#include "base/env.h"
#include "cli/api.h"
#include "cli/cluster.h"
#include "cli/terminal.h"
#include "ray/serve_config.h"
#include "ray/serve_deploy.h"

namespace seedcore::cli {
namespace {

constexpr std::chrono::seconds kServePatience{20};
constexpr std::chrono::seconds kDeploy{180};

Result<json::object> ReadConfig(const std::string& path) {
  std::ifstream file;
  if (path != "-") file.open(path, std::ios::binary);
  std::istream& in = path == "-" ? std::cin : file;
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (path != "-" && (!file.is_open() || file.bad())) return Fail(ErrorCode::kNotFound, "can't read the file", path);
  auto config = ray::ParseServeConfig(text);
  if (config) return config;
  Error error = std::move(config).error();
  error.path = path + (error.path.empty() ? "" : ": " + error.path);
  return std::unexpected(std::move(error));
}

void PrintApplication(const ray::Deployed& deployed) {
  fmt::print("{}  {}\n", Pad(deployed.name, 15),
             Paint(deployed.status == "RUNNING" ? Color::kGreen : Color::kRed, deployed.status));
  std::string_view rest = deployed.message;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    fmt::print("  {}\n", rest.substr(0, end));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

std::string ProgressLine(const std::vector<ray::Deployed>& applications) {
  std::string line;
  for (const ray::Deployed& one : applications)
    line += fmt::format("{}{} {}", line.empty() ? "" : ", ", one.name, one.status);
  return line;
}

}  // namespace

int RunServeStatus(const Arguments& arguments) {
  const auto call = CallFor(arguments, kServePatience);
  if (!call) return ReportError(call.error());
  const auto cluster = OpenCluster(arguments);
  if (!cluster) return ReportError(cluster.error());
  const auto serve = cluster->dashboard->Serve(*call);
  if (!serve) return ReportError(serve.error());
  const bool good =
      std::ranges::all_of(serve->applications, [](const auto& entry) { return entry.second.status == "RUNNING"; });
  if (arguments.Has("json")) {
    PrintJson(ToJson(*serve));
    return good ? kExitOk : kExitFailed;
  }
  if (serve->applications.empty()) {
    fmt::print("no applications{}\n", serve->proxy_location.empty() ? "; Serve is not running" : "");
  }
  for (const auto& [name, application] : serve->applications) {
    PrintApplication(ray::Summarize(name, application));
    for (const auto& [deployment, state] : application.deployments) {
      fmt::print("  {}  {}  {}/{} replicas  {}\n", Pad(deployment, 24), Pad(state.status, 10),
                 std::ranges::count(state.replicas, "RUNNING", &ray::ReplicaInfo::state), state.target_num_replicas,
                 application.route_prefix);
    }
  }
  return good ? kExitOk : kExitFailed;
}

int RunServeDeploy(const Arguments& arguments) {
  const auto call = CallFor(arguments, kDeploy);
  if (!call) return ReportError(call.error());
  const auto config = ReadConfig(arguments.Get("FILE"));
  if (!config) return ReportError(config.error());
  const auto cluster = OpenCluster(arguments);
  if (!cluster) return ReportError(cluster.error());
  std::string last;
  const auto report = ray::DeployServe(*cluster->dashboard, *config, *call, RealEnv(), [&](const auto& applications) {
    std::string line = ProgressLine(applications);
    if (line != last) fmt::print(stderr, "{}\n", line);
    last = std::move(line);
  });
  if (!report) return ReportError(report.error());
  for (const std::string& line : report->ignored_keys) fmt::print(stderr, "seedcore: warning: {}\n", line);
  if (arguments.Has("json")) {
    PrintJson(ToJson(*report));
  } else {
    for (const ray::Deployed& deployed : report->applications) PrintApplication(deployed);
  }
  if (report->all_running) return kExitOk;
  const bool failed = std::ranges::any_of(report->applications, [](const ray::Deployed& one) {
    return one.status == "DEPLOY_FAILED" || one.status == "UNHEALTHY";
  });
  if (failed) return kExitFailed;
  return ReportError(
      {ErrorCode::kDeadlineExceeded, "the time is up before every application is RUNNING; the deployment goes on", ""});
}

}  // namespace seedcore::cli
