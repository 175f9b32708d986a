#pragma once

#include <map>
#include <string>
#include <vector>

#include "ray/dashboard.h"

namespace seedcore::ray {

/// One application of Serve, in short.
struct ServeSummary {
  std::string status;
  std::string route_prefix;
  std::int64_t replicas_running = 0;
  std::int64_t replicas_wanted = 0;
  static constexpr auto kFields =
      Fields(Required("status", &ServeSummary::status, "RUNNING, DEPLOYING, ..."),
             Required("route_prefix", &ServeSummary::route_prefix, "Path on the proxy"),
             Required("replicas_running", &ServeSummary::replicas_running, "Over all deployments"),
             Required("replicas_wanted", &ServeSummary::replicas_wanted, "Over all deployments"));
};

/// A cluster at one moment.
struct ClusterInfo {
  VersionInfo version;
  std::vector<NodeInfo> nodes;                             ///< living and dead
  std::map<std::string, ResourceUsage> resources;          ///< by verbatim name, of the living nodes
  std::int64_t actors_total = 0;                           ///< also dead ones, as far as Ray remembers them
  std::map<std::string, std::int64_t> actors_by_state;     ///< of the first kMaxListed
  std::map<std::string, std::int64_t> named_by_namespace;  ///< living named actors
  std::map<std::string, ServeSummary> serve;               ///< by application; empty when Serve is not running
  std::vector<std::string> warnings;                       ///< another version than tested, parts that did not answer
  static constexpr auto kFields = Fields(
      Required("version", &ClusterInfo::version, "Of Ray"), Required("nodes", &ClusterInfo::nodes, "Living and dead"),
      Required("resources", &ClusterInfo::resources, "By name"),
      Required("actors_total", &ClusterInfo::actors_total, "Actors Ray remembers"),
      Required("actors_by_state", &ClusterInfo::actors_by_state, "Counts"),
      Required("named_by_namespace", &ClusterInfo::named_by_namespace, "Living named actors"),
      Required("serve", &ClusterInfo::serve, "Applications"),
      Required("warnings", &ClusterInfo::warnings, "To be heard"));
};

/// Asks the dashboard for all of it. The version and the nodes must answer; what else fails becomes a warning.
[[nodiscard]] Result<ClusterInfo> CollectClusterInfo(Dashboard& dashboard, const CallContext& call);

}  // namespace seedcore::ray
