#pragma once

#include <memory>
#include <stop_token>

#include "base/env.h"
#include "net/event_buffer.h"
#include "net/gate.h"
#include "net/http.h"

// Internal to the server: running a route's handler, without sockets.
namespace seedcore::net {

/// A request in the hands of a handler. Shared between a worker and the connection, which may give up first.
struct HandlerCall {
  Request request;
  std::stop_source stop;
  Response response;                    ///< finished: CORS fields and compression are done
  std::shared_ptr<EventBuffer> stream;  ///< for a stream route
  bool accepted = false;                ///< the stream handler took the stream
  bool done = false;                    ///< set and read by the connection's loop only
};

/// Runs the handler of `admission.route`, which must have one. An exception becomes a 500 and a log line.
[[nodiscard]] Response InvokeHandler(const Route& route, const Request& request);

/// Replaces a gzip body by its content.
[[nodiscard]] Result<void> DecompressBody(Request& request, std::size_t max_bytes);

/// Everything a worker does with a call: the last look at its deadline, decompression, the handler, compression.
void RunHandlerCall(HandlerCall& call, const Admission& admission, const Gate& gate, const ServerLimits& limits,
                    Env& env);

}  // namespace seedcore::net
