#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/json_binding.h"
#include "base/result.h"

/// Where to connect, and why: decided once, here, for the command line, the services and Python alike. Pure: what the
/// decision depends on is in PlanInput, which plan_input.h reads from the machine. docs/ray-connection.md has the table
/// of cases, each of which is a test.
namespace seedcore::ray {

enum class Mode {
  kClient,     ///< ray://HOST:PORT, through Ray's client server
  kCluster,    ///< HOST:PORT or auto: as a node of the cluster
  kLocal,      ///< no cluster was meant and none is here: start one's own
  kDashboard,  ///< only the dashboard is known: REST and nothing else
};
constexpr auto EnumNames(Mode) {
  return std::to_array<std::pair<Mode, std::string_view>>({{Mode::kClient, "client"},
                                                           {Mode::kCluster, "cluster"},
                                                           {Mode::kLocal, "local"},
                                                           {Mode::kDashboard, "dashboard"}});
}

/// What kind of place this process runs in.
enum class Role {
  kHead,    ///< the head pod of a KubeRay cluster
  kWorker,  ///< one of its worker pods
  kPod,     ///< another pod of Kubernetes
  kHost,    ///< a machine or a Compose container
};
constexpr auto EnumNames(Role) {
  return std::to_array<std::pair<Role, std::string_view>>(
      {{Role::kHead, "head"}, {Role::kWorker, "worker"}, {Role::kPod, "pod"}, {Role::kHost, "host"}});
}

/// What the connection is for.
enum class Purpose {
  kConnect,  ///< actors, tasks, objects: needs a Ray address
  kRest,     ///< the dashboard's REST interface: a dashboard URL will do
};
constexpr auto EnumNames(Purpose) {
  return std::to_array<std::pair<Purpose, std::string_view>>(
      {{Purpose::kConnect, "connect"}, {Purpose::kRest, "rest"}});
}

enum class AuthMode { kNone, kToken };
constexpr auto EnumNames(AuthMode) {
  return std::to_array<std::pair<AuthMode, std::string_view>>({{AuthMode::kNone, "none"}, {AuthMode::kToken, "token"}});
}

/// What the caller gave; empty: nothing. Wins over everything else.
struct PlanArguments {
  std::string address;  ///< "auto" leaves the choice to RAY_ADDRESS, as Ray does
  std::string ray_namespace;
  std::string serve_url;
  std::string dashboard_url;
  Purpose purpose = Purpose::kConnect;
};

/// A value out of a settings file.
struct FileValue {
  std::string value;
  std::string source;  ///< for people: "file seedcore.yaml line 3"
};

/// Files that say something about Ray; nullopt: not there, or not readable.
struct PlanFiles {
  std::optional<std::string> current_cluster;  ///< what `ray start` wrote to <temp>/ray_current_cluster
  std::optional<std::string> token;            ///< the file RAY_AUTH_TOKEN_PATH names
  std::optional<std::string> default_token;    ///< ~/.ray/auth_token
  std::map<std::string, FileValue> settings;   ///< by setting: cluster.ray_address, cluster.serve_url, ...
};

struct PlanInput {
  PlanArguments arguments;
  std::map<std::string, std::string> environment;
  PlanFiles files;
  /// "HOST:PORT" to whether something accepts connections there; an absent entry was not tried (AddressesToProbe).
  std::map<std::string, bool> reachable;
};

/// Another value that was on offer.
struct PassedOver {
  std::string value;
  std::string source;
  std::string reason;
  static constexpr auto kFields = Fields(Required("value", &PassedOver::value, "What it said"),
                                         Required("source", &PassedOver::source, "Who said it"),
                                         Required("reason", &PassedOver::reason, "Why it was not taken"));
};

/// One decided value. Passwords in `passed_over` are redacted; decided URLs have none.
struct Decision {
  std::string value;  ///< empty only where there is none (the address of a local cluster is "local")
  std::string source;
  std::vector<PassedOver> passed_over;
  static constexpr auto kFields = Fields(Required("value", &Decision::value, "The value"),
                                         Required("source", &Decision::source, "Where it came from"),
                                         Optional("passed_over", &Decision::passed_over, "What else was on offer"));
};

struct ConnectionPlan {
  Mode mode = Mode::kLocal;
  Role role = Role::kHost;
  Decision address;  ///< ray://HOST:PORT, HOST:PORT, auto, local, or the dashboard's URL: canonical
  Decision ray_namespace;
  Decision serve_url;      ///< http://HOST:PORT[/prefix] of Serve's proxy, or of a gateway before it
  Decision dashboard_url;  ///< http(s)://HOST:PORT[/prefix]
  AuthMode auth = AuthMode::kNone;
  std::string token_source;           ///< where the token came from; empty without one
  std::string token_reason;           ///< why it is sent
  std::vector<std::string> warnings;  ///< contradictions a person should hear about
  std::string token;                  ///< never written to JSON

  static constexpr auto kFields = Fields(
      Required("mode", &ConnectionPlan::mode, "How to connect"), Required("role", &ConnectionPlan::role, "Where from"),
      Required("address", &ConnectionPlan::address, "Ray"),
      Required("namespace", &ConnectionPlan::ray_namespace, "Namespace of the actors"),
      Required("serve_url", &ConnectionPlan::serve_url, "Ray Serve"),
      Required("dashboard_url", &ConnectionPlan::dashboard_url, "Dashboard and REST"),
      Required("auth", &ConnectionPlan::auth, "Whether a token is sent"),
      Required("token_source", &ConnectionPlan::token_source, "Where the token came from"),
      Required("token_reason", &ConnectionPlan::token_reason, "Why it is sent"),
      Required("warnings", &ConnectionPlan::warnings, "Contradictions"));
};

/// The plan. kInvalidArgument, in one line that names the variable (or argument, or file) and its value: what is no
/// address, the dashboard where a Ray address is needed, half an address, a token mode without a token. Never kLocal
/// when anything named a cluster.
[[nodiscard]] Result<ConnectionPlan> MakeConnectionPlan(const PlanInput& input);

/// What MakeConnectionPlan would like to know the reachability of: loopback and this host's own cluster only, and
/// nothing at all when an address was given.
[[nodiscard]] std::vector<std::string> AddressesToProbe(const PlanInput& input);

}  // namespace seedcore::ray
