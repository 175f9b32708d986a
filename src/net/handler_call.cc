#include "net/handler_call.h"

#include <chrono>
#include <exception>
#include <string>
#include <utility>

#include "base/log.h"
#include "net/gzip.h"

namespace seedcore::net {
namespace {

/// What `body` returns, or a 500 for what it throws. The client gets the request id, the log the reason.
template <class Body>
Response Guard(const Route& route, const Request& request, Body body) {
  std::string what;
  try {
    return body();
  } catch (const std::exception& error) {
    what = error.what();
  } catch (...) {
    what = "unknown exception";
  }
  log::Error("handler failed", {{"route", route.pattern}, {"request_id", request.call.request_id}, {"what", what}});
  return ErrorResponse(
      {ErrorCode::kInternal, "internal error; the log has it under request " + request.call.request_id, {}});
}

}  // namespace

Response BusyResponse(std::string message, const ServerLimits& limits) {
  Response response = ErrorResponse({ErrorCode::kUnavailable, std::move(message), {}});
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(limits.retry_after).count();
  response.headers.Add("Retry-After", std::to_string(seconds));
  return response;
}

Counter& RejectedCounter(Metrics& metrics, const char* reason) {
  return metrics.GetCounter("seedcore_http_rejected_total", "Requests and connections turned away, by reason",
                            {{"reason", reason}});
}

Response RunHandler(const Route& route, Request& request, bool gunzip, std::size_t max_bytes) {
  if (gunzip) {
    auto text = Gunzip(request.body, max_bytes);
    if (!text) return ErrorResponse(text.error());
    request.body = std::move(*text);
  }
  return Guard(route, request, [&] { return route.handler(request); });
}

void RunHandlerCall(HandlerCall& call, const Admission& admission, const Gate& gate, std::size_t max_bytes, Env& env) {
  const Route& route = admission.route->route;
  if (auto alive = call.request.call.Check(env); !alive) {
    call.response = ErrorResponse(alive.error());  // it waited in the queue longer than its caller does
  } else if (route.stream) {
    call.response = Guard(route, call.request, [&] {
      const auto taken = route.stream(call.request, call.stream);
      call.accepted = taken.has_value();
      return taken ? Response{} : ErrorResponse(taken.error());
    });
  } else {
    call.response = RunHandler(route, call.request, admission.gunzip, max_bytes);
  }
  gate.Finish(admission, call.response);
}

Result<void> CheckWorkers(WorkerPool& workers, const ServerLimits& limits) {
  constexpr std::chrono::seconds kToNotice{10};  // that its deadline has passed, for a handler at the longest one
  if (!workers.IsStuck(limits.request_max + kToNotice)) return {};
  return Fail(ErrorCode::kUnavailable, "every worker has been at one request for longer than any may take");
}

}  // namespace seedcore::net
