#include <algorithm>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "cli/api.h"
#include "cli/cluster.h"
#include "cli/terminal.h"
#include "ray/cluster_info.h"

namespace seedcore::cli {
namespace {

constexpr std::chrono::seconds kRayPatience{20};
constexpr int kActorsListed = 100;
constexpr std::size_t kShortId = 12;
constexpr double kGibibyte = 1024.0 * 1024.0 * 1024.0;

/// "0/2 CPU"; memory in GiB.
std::string Amount(const std::string& name, const ray::ResourceUsage& usage) {
  const bool bytes = name == "memory" || name == "object_store_memory";
  return bytes ? fmt::format("{:.1f}/{:.1f} GiB {}", usage.used / kGibibyte, usage.total / kGibibyte, name)
               : fmt::format("{}/{} {}", usage.used, usage.total, name);
}

void PrintInfo(const Cluster& cluster, const ray::ClusterInfo& info) {
  fmt::print(
      "Ray {}  {}\n", Paint(Color::kBold, info.version.ray_version),
      Paint(Color::kDim, fmt::format("{} ({})", cluster.plan.dashboard_url.value, cluster.plan.dashboard_url.source)));
  for (const ray::NodeInfo& node : info.nodes) {
    const bool alive = node.state == "ALIVE";
    fmt::print("node    {}  {}  {}{}\n", Pad(node.node_ip, 15),
               Paint(alive ? Color::kGreen : Color::kRed, Pad(node.state, 5)),
               Paint(Color::kDim, node.node_id.substr(0, kShortId)), node.is_head_node ? "  head" : "");
  }
  std::vector<std::string> amounts;
  for (const auto& [name, usage] : info.resources) {
    if (!name.starts_with("node:")) amounts.push_back(Amount(name, usage));
  }
  fmt::print("used    {}\n", fmt::join(amounts, ", "));
  std::vector<std::string> states;
  for (const auto& [state, count] : info.actors_by_state) states.push_back(fmt::format("{} {}", count, state));
  fmt::print("actors  {}{}{}\n", info.actors_total, states.empty() ? "" : ": ", fmt::join(states, ", "));
  for (const auto& [name, count] : info.named_by_namespace)
    fmt::print("        {} named in namespace {}\n", count, name);
  if (info.serve.empty()) fmt::print("serve   no applications\n");
  for (const auto& [name, application] : info.serve) {
    fmt::print("serve   {}  {}  {}/{} replicas  {}\n", Pad(name, 15),
               Paint(application.status == "RUNNING" ? Color::kGreen : Color::kRed, application.status),
               application.replicas_running, application.replicas_wanted, application.route_prefix);
  }
}

void PrintActors(const ray::Listing<ray::ActorInfo>& actors) {
  for (const ray::ActorInfo& actor : actors.result) {
    fmt::print("{}  {}  {}  {}  {}\n", Paint(Color::kDim, actor.actor_id.substr(0, kShortId)),
               Paint(actor.state == "ALIVE" ? Color::kGreen : Color::kYellow, Pad(actor.state, 10)),
               Pad(actor.class_name, 28), Pad(actor.ray_namespace, 14), actor.name);
  }
  const auto shown = static_cast<std::int64_t>(actors.result.size());
  if (actors.total > shown) fmt::print("{} of {}; --limit shows more\n", shown, actors.total);
}

void PrintJobs(const std::vector<ray::JobInfo>& jobs) {
  for (const ray::JobInfo& job : jobs) {
    const std::string& id = job.submission_id.empty() ? job.job_id : job.submission_id;
    const bool good = job.status == "SUCCEEDED" || job.status == "RUNNING" || job.status == "PENDING";
    fmt::print("{}  {}  {}  {}\n", Pad(id, 26), Paint(good ? Color::kGreen : Color::kRed, Pad(job.status, 9)),
               Pad(job.type, 10), job.entrypoint);
  }
}

Result<std::string> WantedId(const Arguments& arguments) {
  std::string id = arguments.Get("ID");
  if (id.empty()) return Fail(ErrorCode::kInvalidArgument, "expected the id of a job", "ID");
  return id;
}

Result<json::value> RunJobAction(ray::Dashboard& dashboard, const std::string& action, const Arguments& arguments,
                                 const CallContext& call) {
  if (action == "submit") {
    const std::vector<std::string> words = arguments.All("ID");
    if (words.empty()) return Fail(ErrorCode::kInvalidArgument, "expected the command to run", "ID");
    SEEDCORE_ASSIGN_OR_RETURN(std::string id,
                              dashboard.SubmitJob({.entrypoint = fmt::format("{}", fmt::join(words, " "))}, call));
    return json::value(json::object{{"submission_id", std::move(id)}});
  }
  SEEDCORE_ASSIGN_OR_RETURN(const std::string id, WantedId(arguments));
  if (action == "stop") {
    SEEDCORE_RETURN_IF_ERROR(dashboard.StopJob(id, call));
    return json::value(json::object{{"stopped", id}});
  }
  if (action == "logs") {
    SEEDCORE_ASSIGN_OR_RETURN(std::string logs, dashboard.JobLogs(id, call));
    return json::value(json::object{{"logs", std::move(logs)}});
  }
  SEEDCORE_ASSIGN_OR_RETURN(const ray::JobInfo job, dashboard.Job(id, call));
  return ToJson(job);
}

}  // namespace

int RunRayInfo(const Arguments& arguments) {
  const auto call = CallFor(arguments, kRayPatience);
  if (!call) return ReportError(call.error());
  const auto cluster = OpenCluster(arguments);
  if (!cluster) return ReportError(cluster.error());
  const auto info = ray::CollectClusterInfo(*cluster->dashboard, *call);
  if (!info) return ReportError(info.error());
  if (arguments.Has("json")) {
    json::object document = ToJson(*info).as_object();
    document["plan"] = ToJson(cluster->plan);
    PrintJson(document);
  } else {
    PrintInfo(*cluster, *info);
  }
  return kExitOk;
}

int RunRayActors(const Arguments& arguments) {
  const auto call = CallFor(arguments, kRayPatience);
  if (!call) return ReportError(call.error());
  const auto limit = arguments.Number("limit", kActorsListed);
  if (!limit) return ReportError(limit.error());
  const auto cluster = OpenCluster(arguments);
  if (!cluster) return ReportError(cluster.error());
  // Without --namespace: all of them. The namespace of the plan is for those who connect.
  const ray::ActorFilter filter{
      .state = arguments.Get("state"), .ray_namespace = arguments.Get("namespace"), .name = arguments.Get("name")};
  auto actors = cluster->dashboard->Actors(filter, *limit, *call);
  if (!actors) return ReportError(actors.error());
  std::ranges::sort(actors->result, {}, [](const ray::ActorInfo& actor) {
    return std::tie(actor.ray_namespace, actor.name, actor.actor_id);
  });
  if (arguments.Has("json")) {
    PrintJson(ToJson(*actors));
  } else {
    PrintActors(*actors);
  }
  return kExitOk;
}

int RunRayJobs(const Arguments& arguments) {
  const auto call = CallFor(arguments, kRayPatience);
  if (!call) return ReportError(call.error());
  const auto cluster = OpenCluster(arguments);
  if (!cluster) return ReportError(cluster.error());
  const std::string action = arguments.Get("ACTION", "list");
  if (action == "list") {
    const auto jobs = cluster->dashboard->Jobs(*call);
    if (!jobs) return ReportError(jobs.error());
    if (arguments.Has("json")) {
      PrintJson(ToJson(*jobs));
    } else {
      PrintJobs(*jobs);
    }
    return kExitOk;
  }
  const auto answer = RunJobAction(*cluster->dashboard, action, arguments, *call);
  if (!answer) return ReportError(answer.error());
  if (action == "logs" && !arguments.Has("json")) {
    fmt::print("{}", TextOf(*answer, "logs"));
  } else if (action == "submit" && !arguments.Has("json")) {
    fmt::print("{}\n", TextOf(*answer, "submission_id"));
  } else {
    PrintJson(*answer);
  }
  return kExitOk;
}

}  // namespace seedcore::cli
