#pragma once

#include <memory>
#include <stop_token>
#include <string>

#include "base/env.h"
#include "base/metrics.h"
#include "net/event_buffer.h"
#include "net/gate.h"
#include "net/http.h"
#include "net/limits.h"
#include "net/worker_pool.h"

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

/// 503 with Retry-After.
[[nodiscard]] Response BusyResponse(std::string message, const ServerLimits& limits);

/// seedcore_http_rejected_total of one reason.
[[nodiscard]] Counter& RejectedCounter(Metrics& metrics, const char* reason);

/// Decompresses the body if it is compressed, and runs the route's handler. An exception becomes a 500 and a log line.
[[nodiscard]] Response RunHandler(const Route& route, Request& request, bool gunzip, std::size_t max_bytes);

/// Everything a worker does with a call: the last look at its deadline, the handler, the finish of the response.
void RunHandlerCall(HandlerCall& call, const Admission& admission, const Gate& gate, std::size_t max_bytes, Env& env);

/// kUnavailable when every worker has been at one request for longer than any may take.
[[nodiscard]] Result<void> CheckWorkers(WorkerPool& workers, const ServerLimits& limits);

}  // namespace seedcore::net
