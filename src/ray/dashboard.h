#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_context.h"
#include "base/env.h"
#include "base/result.h"
#include "net/http.h"
#include "ray/dashboard_types.h"

namespace seedcore::net {
class Client;
}

namespace seedcore::ray {

struct DashboardOptions {
  std::string url;                            ///< as ConnectionPlan::dashboard_url
  std::string token;                          ///< sent when not empty
  std::chrono::milliseconds timeout{20'000};  ///< of a call without a deadline
};

/// Which actors; empty: all.
struct ActorFilter {
  std::string state;
  std::string ray_namespace;
  std::string name;
};

/// The most a list can be asked for; Ray's own limit.
inline constexpr int kMaxListed = 10'000;

/// The dashboard of a Ray cluster as a REST server. Thread-safe; calls block.
///
/// Errors are one line that says what to do. kUnavailable: nothing listens, or something that is no dashboard (the line
/// says what: Ray's client port, TLS, Redis, another web server). kUnauthenticated, kPermissionDenied: a token is
/// missing, or is not the cluster's. kInvalidArgument: https, or what the dashboard refuses about a request.
class Dashboard {
 public:
  Dashboard(DashboardOptions options, Env& env);
  ~Dashboard();
  Dashboard(const Dashboard&) = delete;
  Dashboard& operator=(const Dashboard&) = delete;

  [[nodiscard]] Result<VersionInfo> Version(const CallContext& call);
  [[nodiscard]] Result<Listing<NodeInfo>> Nodes(const CallContext& call);
  /// At most `limit` (1 to kMaxListed) actors, in no particular order.
  [[nodiscard]] Result<Listing<ActorInfo>> Actors(const ActorFilter& filter, int limit, const CallContext& call);
  /// By verbatim name. The state interface knows totals only; what is used comes from the autoscaler's report, whose
  /// camel-cased names are matched against those of `nodes`. A name it does not report is left out.
  [[nodiscard]] Result<std::map<std::string, ResourceUsage>> Usage(const std::vector<NodeInfo>& nodes,
                                                                   const CallContext& call);

  [[nodiscard]] Result<ServeInfo> Serve(const CallContext& call);
  /// Hands over a whole configuration: applications it does not name are deleted. Accepted is not deployed; see
  /// DeployServe.
  [[nodiscard]] Result<void> PutServe(const json::object& config, const CallContext& call);

  /// Drivers and submissions.
  [[nodiscard]] Result<std::vector<JobInfo>> Jobs(const CallContext& call);
  /// The submission id.
  [[nodiscard]] Result<std::string> SubmitJob(const JobRequest& request, const CallContext& call);
  [[nodiscard]] Result<JobInfo> Job(const std::string& id, const CallContext& call);
  [[nodiscard]] Result<std::string> JobLogs(const std::string& id, const CallContext& call);
  [[nodiscard]] Result<void> StopJob(const std::string& id, const CallContext& call);

 private:
  [[nodiscard]] Result<net::Response> Send(net::Method method, const std::string& target, const std::string& body,
                                           const CallContext& call);
  [[nodiscard]] Result<json::value> Ask(net::Method method, const std::string& target, const std::string& body,
                                        const CallContext& call);
  template <class T>
  [[nodiscard]] Result<T> Read(const std::string& target, const CallContext& call);
  template <class T>
  [[nodiscard]] Result<T> ReadState(const std::string& target, const CallContext& call);
  [[nodiscard]] Error Explain(Error error, const CallContext& call) const;

  const DashboardOptions options_;
  Env& env_;
  std::unique_ptr<net::Client> client_;
};

/// Ray's to_camel_case: "head_node" becomes "headNode", "node:__internal_head__" becomes "node:InternalHead".
[[nodiscard]] std::string CamelCase(std::string_view name);

}  // namespace seedcore::ray
