#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "base/call_context.h"
#include "base/env.h"
#include "base/result.h"
#include "ray/client/grpc_channel.h"
#include "ray/client/ray_client.h"
#include "ray/client/session.h"

namespace seedcore::ray {

/// The calls of `RayletDriver` beside a session's stream, but under its name. Thread-safe; what it is given must
/// outlive it.
class DriverCalls {
 public:
  DriverCalls(GrpcChannel& channel, Session& session, const RayClientOptions& options, const std::string& address,
              Env& env)
      : channel_(channel), session_(session), options_(options), address_(address), env_(env) {}

  /// The messages of the answer. Not asked while the session is down: a server that does not know the client would
  /// answer some of them out of another namespace. `is_repeatable`: asked again when the connection breaks over it.
  [[nodiscard]] Result<std::vector<std::string>> Call(std::string_view method, const std::string& request,
                                                      bool is_repeatable, const CallContext& call);

  /// For an answer of one message.
  template <class Reply, class Request>
  [[nodiscard]] Result<Reply> Unary(std::string_view method, const Request& request, bool is_repeatable,
                                    const CallContext& call) {
    SEEDCORE_ASSIGN_OR_RETURN(const auto replies, Call(method, request.SerializeAsString(), is_repeatable, call));
    Reply reply;
    if (replies.size() != 1 || !reply.ParseFromString(replies.front())) {
      return Fail(ErrorCode::kUnavailable, fmt::format("Ray's answer to {} cannot be read", method));
    }
    return reply;
  }

 private:
  GrpcChannel& channel_;
  Session& session_;
  const RayClientOptions& options_;
  const std::string& address_;
  Env& env_;
};

/// The error with the server's address in front.
[[nodiscard]] std::unexpected<Error> Located(const std::string& address, const Error& error);

}  // namespace seedcore::ray
