#pragma once

#include <string>

#include "base/env.h"
#include "net/target.h"

/// What listens on a port, found out by asking it for a web page. For error messages and probes.
namespace seedcore::ray {

enum class Listener {
  kNothing,  ///< no connection
  kHttp,     ///< a plain HTTP/1.1 server
  kHttp2,    ///< HTTP/2 without TLS: Ray's client server, its control store, any gRPC server
  kTls,      ///< a server that wants TLS
  kRedis,    ///< Redis, which shares port 6379 with Ray's control store
  kSilent,   ///< accepts and closes, or says nothing: often TLS
  kUnknown,  ///< answers something else
};

/// Connects, sends one request, and looks at the first bytes of the answer. Ends at `deadline`.
[[nodiscard]] Listener CheckListener(const net::HostPort& where, Instant deadline, Env& env);
/// What a person who meant to reach the dashboard there should hear, in one line.
[[nodiscard]] std::string Describe(Listener listener, const net::HostPort& where);
/// Whether something accepts connections at `where`.
[[nodiscard]] bool IsListening(const net::HostPort& where, Instant deadline, Env& env);

}  // namespace seedcore::ray
