#pragma once

#include "base/call_context.h"
#include "base/env.h"
#include "base/result.h"
#include "net/target.h"

namespace seedcore::ray {

/// What answers at a TCP port.
enum class PortKind {
  kNothing,  ///< the connection is refused, or the name does not resolve
  kSilent,   ///< connections are taken, but nothing that is said gets an answer
  kHttp2,    ///< HTTP/2 without TLS, as a plain gRPC server speaks it
  kHttp1,    ///< an HTTP/1 server
  kTls,      ///< a TLS server
  kOther,    ///< it answers, but with none of these
};

/// Finds out by saying an HTTP/2 greeting and, where that is not answered, a TLS one. Two connections at most, each
/// ended at once. For telling a user why a connection failed; never part of a connection that works.
[[nodiscard]] PortKind PeekPort(const net::HostPort& where, const CallContext& call, Env& env);

}  // namespace seedcore::ray
