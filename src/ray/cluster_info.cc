#include "ray/cluster_info.h"

#include <algorithm>

#include "ray/version.h"

namespace seedcore::ray {
namespace {

void AddActors(const Listing<ActorInfo>& actors, ClusterInfo& info) {
  info.actors_total = actors.total;
  for (const ActorInfo& actor : actors.result) {
    ++info.actors_by_state[actor.state];
    if (actor.state == "ALIVE" && !actor.name.empty()) ++info.named_by_namespace[actor.ray_namespace];
  }
  if (!actors.partial_failure_warning.empty()) info.warnings.push_back(actors.partial_failure_warning);
}

void AddServe(const ServeInfo& serve, ClusterInfo& info) {
  for (const auto& [name, application] : serve.applications) {
    ServeSummary summary{.status = application.status, .route_prefix = application.route_prefix};
    for (const auto& [deployment, state] : application.deployments) {
      summary.replicas_wanted += state.target_num_replicas;
      summary.replicas_running += std::ranges::count(state.replicas, "RUNNING", &ReplicaInfo::state);
    }
    info.serve[name] = std::move(summary);
  }
}

/// Totals are exact; what the autoscaler says about use is as old as its last look.
void AddResources(const std::map<std::string, ResourceUsage>& usage, ClusterInfo& info) {
  for (const NodeInfo& node : info.nodes) {
    if (node.state != "ALIVE") continue;
    for (const auto& [name, amount] : node.resources_total) info.resources[name].total += amount;
  }
  for (auto& [name, amount] : info.resources) {
    if (const auto found = usage.find(name); found != usage.end()) amount.used = found->second.used;
  }
}

}  // namespace

Result<ClusterInfo> CollectClusterInfo(Dashboard& dashboard, const CallContext& call) {
  ClusterInfo info;
  SEEDCORE_ASSIGN_OR_RETURN(info.version, dashboard.Version(call));
  if (auto warning = VersionWarning(info.version.ray_version)) info.warnings.push_back(std::move(*warning));
  SEEDCORE_ASSIGN_OR_RETURN(Listing<NodeInfo> nodes, dashboard.Nodes(call));
  info.nodes = std::move(nodes.result);
  const auto note = [&](const auto& result, std::string_view what) {
    if (!result) info.warnings.push_back(std::string(what) + ": " + result.error().message);
    return result.has_value();
  };
  const auto usage = dashboard.Usage(info.nodes, call);
  AddResources(note(usage, "used resources") ? *usage : std::map<std::string, ResourceUsage>{}, info);
  if (const auto actors = dashboard.Actors({}, kMaxListed, call); note(actors, "actors")) AddActors(*actors, info);
  if (const auto serve = dashboard.Serve(call); note(serve, "Serve")) AddServe(*serve, info);
  return info;
}

}  // namespace seedcore::ray
