#include "ray/client/driver_calls.h"

#include <chrono>

namespace seedcore::ray {
namespace {

/// Room for what a broken stream and its thread need to notice each other.
constexpr std::chrono::milliseconds kRepeatPause{100};

std::string Method(std::string_view name) { return fmt::format("/ray.rpc.RayletDriver/{}", name); }

}  // namespace

Result<std::vector<std::string>> DriverCalls::Call(std::string_view method, const std::string& request,
                                                   bool is_repeatable, const CallContext& call) {
  while (true) {
    SEEDCORE_RETURN_IF_ERROR(session_.AwaitConnected(call));
    auto replies = channel_.Call(Method(method), request, {{"client_id", session_.client_id()}},
                                 options_.results.max_bytes + options_.max_argument_bytes, call);
    // The proxy fails like this, after 30 s, when the process it started for the session has died.
    if (!replies && replies.error().code == ErrorCode::kConflict) {
      return Located(address_,
                     {ErrorCode::kUnavailable, "the session's server process is gone: " + replies.error().message, ""});
    }
    if (replies || replies.error().code != ErrorCode::kUnavailable) return replies;
    if (!is_repeatable || options_.reconnect_grace.count() == 0) return Located(address_, replies.error());
    env_.SleepFor(kRepeatPause, call.stop);
    if (!call.Check(env_)) {
      return Located(address_,
                     {ErrorCode::kUnavailable, "the connection to Ray broke: " + replies.error().message, ""});
    }
  }
}

std::unexpected<Error> Located(const std::string& address, const Error& error) {
  return Fail(error.code, fmt::format("ray://{}: {}", address, error.message));
}

}  // namespace seedcore::ray
