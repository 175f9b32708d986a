#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/call_context.h"
#include "base/env.h"
#include "base/result.h"

namespace seedcore::ray {

/// PEM texts for TLS with certificates on both sides, as Ray uses it. Empty parts are not sent; an empty `ca` means the
/// system's certificates.
struct TlsMaterial {
  std::string ca;
  std::string cert;
  std::string key;
};

struct GrpcChannelOptions {
  std::string address;                               ///< "HOST:PORT"
  std::optional<TlsMaterial> tls;                    ///< absent: plain
  std::string token;                                 ///< sent as `authorization: Bearer`; empty: none
  std::size_t max_message_bytes = 64 * 1024 * 1024;  ///< larger messages are refused, both ways
};

using GrpcMetadata = std::vector<std::pair<std::string, std::string>>;

/// What happens on a stream. Both run on the channel's one thread: they must not block, nor destroy the channel.
struct GrpcStreamEvents {
  std::function<void(std::string_view message)> on_message;
  /// The last event, exactly once. kUnavailable when the connection broke; see grpc_channel.cc for the other codes.
  std::function<void(Result<void> status)> on_end;
};

/// A call with messages in both directions. Any thread. Letting go of it does not end the call.
class GrpcStream {
 public:
  virtual ~GrpcStream() = default;
  /// Queues a message; its sender bounds how many are under way. Dropped when the stream has ended.
  virtual void Send(std::string message) = 0;
  /// No more messages will be sent.
  virtual void HalfClose() = 0;
  /// The end follows soon, with kCancelled unless it was already decided.
  virtual void Cancel() = 0;
};

/// One gRPC connection that reconnects by itself, with serialized messages in and out: the only place that knows
/// gRPC. Thread-safe. Closing it cancels what is under way and waits for the last event.
class GrpcChannel {
 public:
  GrpcChannel(const GrpcChannelOptions& options, Env& env);
  ~GrpcChannel();
  GrpcChannel(const GrpcChannel&) = delete;
  GrpcChannel& operator=(const GrpcChannel&) = delete;

  /// `method` as on the wire: "/package.Service/Method".
  [[nodiscard]] std::shared_ptr<GrpcStream> Open(const std::string& method, const GrpcMetadata& metadata,
                                                 GrpcStreamEvents events);

  /// Sends one message and collects the replies until the call ends: one reply for a unary method. Ends at the
  /// deadline of `call`, or when it is stopped. kPayloadTooLarge when the replies together exceed `max_bytes`.
  [[nodiscard]] Result<std::vector<std::string>> Call(const std::string& method, std::string request,
                                                      const GrpcMetadata& metadata, std::size_t max_bytes,
                                                      const CallContext& call);

 private:
  class Stream;
  struct State;
  Env& env_;
  std::unique_ptr<State> state_;
};

}  // namespace seedcore::ray
