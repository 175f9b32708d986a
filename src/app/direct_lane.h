#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "app/replica_directory.h"
#include "net/client.h"

namespace seedcore::app {

/// Calls of one service straight to a replica's own listener: the least loaded one from here, another one when it
/// fails. Thread-safe.
class DirectLane {
 public:
  /// `upstreams` are of `directory`, which is read again when one of them fails; `name` is theirs, for logs.
  /// `directory` and `env` outlive it.
  DirectLane(ReplicaDirectory& directory, std::shared_ptr<net::Upstreams> upstreams, std::string name,
             std::string token, std::chrono::milliseconds connect, Env& env);

  /// The answer of a replica, whatever its status. nullopt: no replica is known, or none could be asked or wanted the
  /// call (502, 503, 504), so that another way may do better; `request` must be harmless to repeat. Otherwise as
  /// net::Client::SendForAnyStatus.
  [[nodiscard]] std::optional<Result<net::Response>> Send(const net::ClientRequest& request, const CallContext& call);

 private:
  [[nodiscard]] std::shared_ptr<net::Client> ClientOf(const net::Upstream& upstream);

  ReplicaDirectory& directory_;
  const std::shared_ptr<net::Upstreams> upstreams_;
  const std::string name_;
  const std::string token_;
  const std::chrono::milliseconds connect_;
  Env& env_;
  std::mutex mutex_;                                               // guards clients_
  std::map<std::uint64_t, std::shared_ptr<net::Client>> clients_;  // by Upstream::key; of replicas that are known
};

}  // namespace seedcore::app
