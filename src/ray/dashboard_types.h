#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/json_binding.h"

/// What Ray's dashboard answers, as far as SeedCore uses it. Members we do not list are skipped: newer versions add
/// some. Names of resources are verbatim (head_node), because these come from /api/v0 and not from /nodes, which spells
/// them headNode.
namespace seedcore::ray {

struct VersionInfo {
  std::string ray_version;
  std::string ray_commit;
  std::string session_name;
  static constexpr bool kIgnoresUnknownFields = true;
  static constexpr auto kFields =
      Fields(Required("ray_version", &VersionInfo::ray_version, "For example 2.60.0"),
             Optional("ray_commit", &VersionInfo::ray_commit, "Git commit of the build"),
             Optional("session_name", &VersionInfo::session_name, "New at every start of the head"));
};

struct NodeInfo {
  std::string node_id;
  std::string node_ip;
  bool is_head_node = false;
  std::string state;  ///< ALIVE or DEAD
  std::map<std::string, double> resources_total;
  std::map<std::string, std::string> labels;
  static constexpr bool kIgnoresUnknownFields = true;
  static constexpr auto kFields =
      Fields(Required("node_id", &NodeInfo::node_id, "Id"), Required("node_ip", &NodeInfo::node_ip, "Address"),
             Optional("is_head_node", &NodeInfo::is_head_node, "Whether the control store runs there"),
             Required("state", &NodeInfo::state, "ALIVE or DEAD"),
             Optional("resources_total", &NodeInfo::resources_total, "By name, memory in bytes"),
             Optional("labels", &NodeInfo::labels, "Labels"));
};

struct ActorInfo {
  std::string actor_id;
  std::string class_name;
  std::string state;  ///< ALIVE, DEAD, RESTARTING, PENDING_CREATION, DEPENDENCIES_UNREADY
  std::string name;   ///< empty: unnamed
  std::string ray_namespace;
  std::string node_id;
  std::string job_id;
  std::optional<std::int64_t> pid;
  static constexpr bool kIgnoresUnknownFields = true;
  static constexpr auto kFields = Fields(
      Required("actor_id", &ActorInfo::actor_id, "Id"), Required("class_name", &ActorInfo::class_name, "Class"),
      Required("state", &ActorInfo::state, "ALIVE, DEAD, RESTARTING, ..."), Optional("name", &ActorInfo::name, "Name"),
      Optional("ray_namespace", &ActorInfo::ray_namespace, "Namespace of the name"),
      Optional("node_id", &ActorInfo::node_id, "Where it runs"), Optional("job_id", &ActorInfo::job_id, "Its job"),
      Optional("pid", &ActorInfo::pid, "Process"));
};

/// A list as the state interface gives it, cut at the limit asked for.
template <class Item>
struct Listing {
  std::int64_t total = 0;  ///< how many there are, also beyond the limit
  std::vector<Item> result;
  std::string partial_failure_warning;
  static constexpr bool kIgnoresUnknownFields = true;
  static constexpr auto kFields =
      Fields(Required("total", &Listing::total, "How many there are"),
             Required("result", &Listing::result, "The first of them"),
             Optional("partial_failure_warning", &Listing::partial_failure_warning, "Which nodes did not answer"));
};

struct ReplicaInfo {
  std::string replica_id;
  std::string state;
  std::string node_ip;
  std::string actor_name;
  std::optional<std::int64_t> pid;
  static constexpr bool kIgnoresUnknownFields = true;
  static constexpr auto kFields =
      Fields(Required("replica_id", &ReplicaInfo::replica_id, "Id"),
             Required("state", &ReplicaInfo::state, "STARTING, RUNNING, ..."),
             Optional("node_ip", &ReplicaInfo::node_ip, "Where it runs"),
             Optional("actor_name", &ReplicaInfo::actor_name, "Its actor, in namespace serve"),
             Optional("pid", &ReplicaInfo::pid, "Process"));
};

struct DeploymentInfo {
  std::string status;
  std::string message;
  json::object deployment_config;  ///< what is in effect
  std::int64_t target_num_replicas = 0;
  std::vector<ReplicaInfo> replicas;
  static constexpr bool kIgnoresUnknownFields = true;
  static constexpr auto kFields =
      Fields(Required("status", &DeploymentInfo::status, "HEALTHY, UPDATING, DEPLOY_FAILED, ..."),
             Optional("message", &DeploymentInfo::message, "Why, often with a traceback"),
             Optional("deployment_config", &DeploymentInfo::deployment_config, "What is in effect"),
             Optional("target_num_replicas", &DeploymentInfo::target_num_replicas, "Replicas wanted"),
             Optional("replicas", &DeploymentInfo::replicas, "Replicas there are"));
};

struct ApplicationInfo {
  std::string status;
  std::string message;
  std::string route_prefix;
  double last_deployed_time_s = 0.0;  ///< Unix time; grows with every PUT that contains the application
  json::object deployed_app_config;   ///< what was asked for, as far as Serve kept it
  std::map<std::string, DeploymentInfo> deployments;
  static constexpr bool kIgnoresUnknownFields = true;
  static constexpr auto kFields =
      Fields(Required("status", &ApplicationInfo::status, "RUNNING, DEPLOYING, DEPLOY_FAILED, UNHEALTHY, ..."),
             Optional("message", &ApplicationInfo::message, "Why"),
             Optional("route_prefix", &ApplicationInfo::route_prefix, "Path on the proxy"),
             Optional("last_deployed_time_s", &ApplicationInfo::last_deployed_time_s, "When it was deployed"),
             Optional("deployed_app_config", &ApplicationInfo::deployed_app_config, "What was asked for"),
             Optional("deployments", &ApplicationInfo::deployments, "By name"));
};

struct ServeInfo {
  std::string proxy_location;  ///< empty while Serve is not running
  json::object http_options;
  json::object grpc_options;
  std::map<std::string, ApplicationInfo> applications;
  static constexpr bool kIgnoresUnknownFields = true;
  static constexpr auto kFields =
      Fields(Optional("proxy_location", &ServeInfo::proxy_location, "HeadOnly, EveryNode or Disabled"),
             Optional("http_options", &ServeInfo::http_options, "Of the proxies"),
             Optional("grpc_options", &ServeInfo::grpc_options, "Of the proxies"),
             Optional("applications", &ServeInfo::applications, "By name"));
};

struct JobInfo {
  std::string type;  ///< SUBMISSION or DRIVER
  std::string job_id;
  std::string submission_id;
  std::string status;
  std::string entrypoint;
  std::string message;
  std::optional<std::int64_t> start_time;  ///< Unix time in milliseconds
  std::optional<std::int64_t> end_time;
  std::optional<int> driver_exit_code;  ///< of the command, once it has ended
  static constexpr bool kIgnoresUnknownFields = true;
  static constexpr auto kFields = Fields(
      Required("type", &JobInfo::type, "SUBMISSION or DRIVER"), Optional("job_id", &JobInfo::job_id, "Of a driver"),
      Optional("submission_id", &JobInfo::submission_id, "Of a submission"),
      Required("status", &JobInfo::status, "PENDING, RUNNING, SUCCEEDED, FAILED, STOPPED"),
      Optional("entrypoint", &JobInfo::entrypoint, "Its command"),
      Optional("message", &JobInfo::message, "How it went"),
      Optional("start_time", &JobInfo::start_time, "Unix milliseconds"),
      Optional("end_time", &JobInfo::end_time, "Unix milliseconds"),
      Optional("driver_exit_code", &JobInfo::driver_exit_code, "Of the command"));
};

struct JobRequest {
  std::string entrypoint;  ///< a shell command, run on the head
  std::string submission_id;
  json::object runtime_env;
  std::map<std::string, std::string> metadata;
  static constexpr auto kFields =
      Fields(Required("entrypoint", &JobRequest::entrypoint, "Shell command"),
             Sparse("submission_id", &JobRequest::submission_id, "Unique; the dashboard makes one when empty"),
             Sparse("runtime_env", &JobRequest::runtime_env, "Environment"),
             Sparse("metadata", &JobRequest::metadata, "Free"));
};

/// How much of a resource is taken.
struct ResourceUsage {
  double used = 0.0;
  double total = 0.0;
  static constexpr auto kFields = Fields(Required("used", &ResourceUsage::used, "As of the last report of the nodes"),
                                         Required("total", &ResourceUsage::total, "Of all living nodes"));
};

}  // namespace seedcore::ray
