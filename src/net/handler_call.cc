#include "net/handler_call.h"

#include <exception>
#include <string>
#include <utility>

#include "base/log.h"
#include "net/gzip.h"

namespace seedcore::net {

Response InvokeHandler(const Route& route, const Request& request) {
  std::string what = "unknown exception";
  try {
    return route.handler(request);
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    // Named above: there is nothing to ask it.
  }
  log::Error("handler failed", {{"route", route.pattern}, {"request_id", request.call.request_id}, {"what", what}});
  return ErrorResponse(
      {ErrorCode::kInternal, "internal error; the log has it under request " + request.call.request_id, {}});
}

Result<void> DecompressBody(Request& request, std::size_t max_bytes) {
  SEEDCORE_ASSIGN_OR_RETURN(request.body, Gunzip(request.body, max_bytes));
  return {};
}

void RunHandlerCall(HandlerCall& call, const Admission& admission, const Gate& gate, const ServerLimits& limits,
                    Env& env) {
  const Route& route = admission.route->route;
  Request& request = call.request;
  if (auto alive = request.call.Check(env); !alive) {
    call.response = ErrorResponse(alive.error());  // it waited in the queue longer than its caller does
    return;
  }
  if (admission.gunzip) {
    if (auto done = DecompressBody(request, limits.body_bytes); !done) {
      call.response = ErrorResponse(done.error());
      return;
    }
  }
  if (!route.stream) {
    call.response = InvokeHandler(route, request);
    gate.Finish(admission, call.response);
    return;
  }
  try {
    const auto taken = route.stream(request, call.stream);
    call.accepted = taken.has_value();
    if (!taken) call.response = ErrorResponse(taken.error());
  } catch (const std::exception& error) {
    log::Error("stream handler failed",
               {{"route", route.pattern}, {"request_id", request.call.request_id}, {"what", error.what()}});
    call.response = ErrorResponse({ErrorCode::kInternal, "internal error", {}});
  }
}

}  // namespace seedcore::net
