#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "base/call_context.h"
#include "base/env.h"
#include "net/breaker.h"
#include "net/http.h"
#include "net/retry.h"
#include "net/sse_parser.h"

namespace seedcore::net {

struct ClientOptions {
  std::string base_url;  ///< "http://HOST:PORT[/prefix]", or https
  std::string ca_file;   ///< https: PEM certificates to trust instead of the system's; empty: the system's
  std::string token;     ///< sent as bearer token; empty: none
  std::chrono::milliseconds connect{5'000};   ///< at most, within the deadline of the call
  std::chrono::milliseconds write{5'000};     ///< to hand the request to the kernel, within the deadline
  std::chrono::milliseconds request{30'000};  ///< deadline of a call that has none
  std::chrono::milliseconds idle{30'000};     ///< a pooled connection unused for longer is closed
  /// A stream without even a heartbeat for this long is given up.
  std::chrono::milliseconds stream_silence{60'000};
  std::size_t max_connections = 32;                   ///< at once; further calls wait, within their deadline
  std::size_t max_response_bytes = 64 * 1024 * 1024;  ///< larger bodies are refused
  RetryPolicy retry;
  BreakerSettings breaker;
  /// Asked by the calling thread each time that its call has gone without a byte of answer for `probe_after`: whether
  /// the server lives, and may work on it. False ends the call with kUnavailable. Empty: nobody is asked.
  std::function<bool(const CallContext& call)> is_alive{};
  std::chrono::milliseconds probe_after{2'000};
};

struct ClientRequest {
  Method method = Method::kGet;
  std::string target = "/";  ///< encoded path and query, appended to the prefix of the base URL
  std::string body;
  std::string content_type = "application/json";  ///< sent when there is a body
  Headers headers;                                ///< more fields
};

/// Blocking HTTP/1.1 client of one server, with kept connections, retries and a circuit breaker. Thread-safe.
///
/// A call ends at its deadline, which it also tells the server (X-Request-Timeout-Ms), together with request id, trace
/// and idempotency key. Failed attempts are repeated only when that is harmless (IsRepeatable) and promising
/// (connection errors, 429, 502, 503, 504), after a Backoff or what Retry-After asks for, and only when that ends
/// before the deadline.
class Client {
 public:
  Client(ClientOptions options, Env& env);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  /// A status of 400 and above is an Error, decoded from its body. kUnavailable for transport errors and while the
  /// breaker is open, kDeadlineExceeded, kCancelled.
  [[nodiscard]] Result<Response> Send(const ClientRequest& request, const CallContext& call);
  /// As Send, but whatever status the server answers with is a Response: a health report says more than its status.
  [[nodiscard]] Result<Response> SendForAnyStatus(const ClientRequest& request, const CallContext& call);
  /// Reads server-sent events until the callback returns false, the server ends the stream, or the call is over. One
  /// attempt: whoever follows a stream knows from where to go on.
  [[nodiscard]] Result<void> Stream(const ClientRequest& request, const CallContext& call,
                                    const EventCallback& callback);

  [[nodiscard]] CircuitBreaker::State breaker_state() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

/// The Error a response with a status of 400 or above stands for.
[[nodiscard]] Error DecodeError(const Response& response);

}  // namespace seedcore::net
