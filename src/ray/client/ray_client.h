#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/call_context.h"
#include "base/env.h"
#include "base/json.h"
#include "base/result.h"
#include "ray/client/grpc_channel.h"
#include "ray/client/pickle_program.h"
#include "ray/client/py_value.h"

namespace seedcore::ray {

struct RayClientOptions {
  std::string address;                                ///< "HOST:PORT" or "ray://HOST:PORT"; Ray's own port is 10001
  std::string ray_namespace = "seedcore-dev";         ///< of the session's job: where actors are looked for
  std::string token;                                  ///< of RAY_AUTH_MODE=token; empty: none
  std::optional<TlsMaterial> tls;                     ///< absent: plain
  std::chrono::milliseconds probe{5'000};             ///< until a server must have answered a ping, within the deadline
  std::chrono::milliseconds connect{30'000};          ///< until the session must have started, within the deadline
  std::chrono::milliseconds request{30'000};          ///< deadline of a call that has none
  std::chrono::milliseconds goodbye{3'000};           ///< for closing
  std::chrono::seconds reconnect_grace{30};           ///< how long a broken session is tried again; 0: not at all
  std::size_t max_in_flight = 64;                     ///< requests at once; further ones wait, within their deadline
  std::size_t max_argument_bytes = 64 * 1024 * 1024;  ///< pickled arguments of one call
  PickleLimits results;                               ///< what one result may cost
};

struct RayConnectionInfo {
  std::string ray_version;
  std::string ray_commit;
  std::string python_version;
  int clients = 0;              ///< sessions at the server, this one included
  std::string version_warning;  ///< empty when the version is one that is tested
};

struct RayClusterInfo {
  std::map<std::string, double> total;      ///< resources of all living nodes, names verbatim
  std::map<std::string, double> available;  ///< of them, not taken at the moment
  json::array nodes;                        ///< as ray.nodes() tells them
  std::string dashboard_url;                ///< "HOST:PORT"; empty when there is none
};

struct NamedActor {
  std::string name;
  std::string ray_namespace;
};

struct ActorCall {
  std::string actor;
  std::string method;
  PyValue::List args = {};
  PyValue::Dict kwargs = {};
  std::string ray_namespace = {};  ///< empty: that of the session
};

/// A session with a Ray cluster over `ray://`, without Python. Thread-safe; several calls may be in flight.
///
/// Every call ends at its deadline, or when it is stopped. What may be repeated without harm is repeated while a broken
/// connection comes back, for at most `reconnect_grace`; an actor's method is never called twice for one call.
/// kUnavailable: not reachable, or the session is lost. Destroying a client closes it.
class RayClient {
 public:
  virtual ~RayClient() = default;

  /// As told when the session started.
  [[nodiscard]] virtual const RayConnectionInfo& ConnectionInfo() const = 0;
  [[nodiscard]] virtual Result<RayClusterInfo> ClusterInfo(const CallContext& call) = 0;

  // The cluster's key-value store. Keys and values are bytes; `kv_namespace` is not that of actors.

  /// The value, or nothing when there is no such key.
  [[nodiscard]] virtual Result<std::optional<std::string>> KvGet(const std::string& kv_namespace,
                                                                 const std::string& key, const CallContext& call) = 0;
  /// Whether the key existed before. Without `overwrite` an existing value stays, and a broken connection is an error
  /// that leaves open whether the value was stored.
  [[nodiscard]] virtual Result<bool> KvPut(const std::string& kv_namespace, const std::string& key,
                                           const std::string& value, bool overwrite, const CallContext& call) = 0;
  [[nodiscard]] virtual Result<bool> KvExists(const std::string& kv_namespace, const std::string& key,
                                              const CallContext& call) = 0;
  /// The keys that start with `prefix`, sorted.
  [[nodiscard]] virtual Result<std::vector<std::string>> KvList(const std::string& kv_namespace,
                                                                const std::string& prefix, const CallContext& call) = 0;
  /// How many keys are gone. A broken connection is an error that leaves open whether they are.
  [[nodiscard]] virtual Result<int> KvDelete(const std::string& kv_namespace, const std::string& key, bool by_prefix,
                                             const CallContext& call) = 0;

  /// The named actors of the session's namespace, or of all.
  [[nodiscard]] virtual Result<std::vector<NamedActor>> ListNamedActors(bool all_namespaces,
                                                                        const CallContext& call) = 0;

  /// Calls a method of a named actor and waits for its result. kNotFound: no such actor or method. kNonRetryable with
  /// "TYPE: TEXT": the method raised an exception. kInvalidArgument: arguments that do not fit, or a result that is no
  /// plain data. At the deadline the method may still be running.
  [[nodiscard]] virtual Result<PyValue> CallActor(const ActorCall& actor_call, const CallContext& call) = 0;

  /// Says goodbye: the cluster ends the session's job and forgets its objects. Calls from now on fail.
  virtual void Close() = 0;
};

/// Opens a session; takes about a second. The error is one line that tells what is wrong: nothing listens, no Ray
/// Client server, TLS on one side only, a token missing or refused. `env` must outlive the client.
[[nodiscard]] Result<std::unique_ptr<RayClient>> ConnectRayClient(const RayClientOptions& options, Env& env,
                                                                  const CallContext& call);

/// Whether a Ray Client server answers, without starting a session: some milliseconds. The same errors.
[[nodiscard]] Result<void> ProbeRayClientServer(const RayClientOptions& options, Env& env, const CallContext& call);

}  // namespace seedcore::ray
