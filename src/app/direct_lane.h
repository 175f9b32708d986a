#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "app/liveness_probe.h"
#include "app/replica_directory.h"
#include "net/client.h"

namespace seedcore::app {

struct LaneTimeouts {
  std::chrono::milliseconds connect{1'000};
  /// Without a byte of an answer, until the replica is asked if it lives.
  std::chrono::milliseconds probe_after{2'000};
  /// To answer that.
  std::chrono::milliseconds probe{5'000};
};

/// Calls of one service straight to a replica's own listener: the least loaded one from here, another one when it
/// fails. Work may take as long as it likes: one that is silent is asked beside the call whether it lives
/// (liveness_probe.h), and only one that does not answer that either counts as failed, and is left alone at once.
/// Thread-safe.
class DirectLane {
 public:
  /// `upstreams` are of `directory`, which is read again when one of them fails; `name` is theirs, for logs.
  /// `directory` and `env` outlive it.
  DirectLane(ReplicaDirectory& directory, std::shared_ptr<net::Upstreams> upstreams, std::string name,
             std::string token, LaneTimeouts timeouts, Env& env);

  /// The answer of a replica, whatever its status. nullopt: no replica is known, or none could be asked or wanted the
  /// call (502, 503, 504), so that another way may do better; `request` must be harmless to repeat. Otherwise as
  /// net::Client::SendForAnyStatus.
  [[nodiscard]] std::optional<Result<net::Response>> Send(const net::ClientRequest& request, const CallContext& call);

 private:
  /// One replica, as it is called from here.
  struct Replica {
    std::shared_ptr<LivenessProbe> liveness;
    std::shared_ptr<net::Client> client;
  };
  [[nodiscard]] Replica ReplicaAt(const net::Upstream& upstream);

  ReplicaDirectory& directory_;
  const std::shared_ptr<net::Upstreams> upstreams_;
  const std::string name_;
  const std::string token_;
  const LaneTimeouts timeouts_;
  Env& env_;
  std::mutex mutex_;                           // guards replicas_
  std::map<std::uint64_t, Replica> replicas_;  // by Upstream::key; of those that are known
};

}  // namespace seedcore::app
