#pragma once

#include <string>
#include <vector>

#include "base/call_context.h"
#include "base/env.h"
#include "base/result.h"
#include "ray/client/actor_directory.h"
#include "ray/client/driver_calls.h"
#include "ray/client/py_value.h"
#include "ray/client/ray_client.h"
#include "ray/client/session.h"

namespace seedcore::ray {

/// Methods of named actors, called within a session. Thread-safe; what it is given must outlive it.
class ActorCalls {
 public:
  ActorCalls(Session& session, DriverCalls& driver, const RayClientOptions& options, Env& env)
      : session_(session), driver_(driver), options_(options), env_(env) {}

  /// As RayClient::CallActor.
  [[nodiscard]] Result<PyValue> Call(const ActorCall& actor_call, const CallContext& call);

 private:
  Result<std::string> FindActor(const std::string& space, const std::string& name, const CallContext& call);
  Result<rpc::ClientTaskTicket> Schedule(const std::string& space, const ActorCall& actor_call, std::string arguments,
                                         const CallContext& call);
  Result<PyValue> ResultOf(const std::string& id, const CallContext& call);
  Result<PyValue> GetObject(const std::string& id, const CallContext& call);
  [[nodiscard]] Result<PyValue> Assemble(const std::vector<std::string>& parts) const;

  Session& session_;
  DriverCalls& driver_;
  const RayClientOptions& options_;
  Env& env_;
  ActorDirectory actors_;
};

}  // namespace seedcore::ray
