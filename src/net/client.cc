#include "net/client.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <stop_token>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "base/json.h"
#include "base/trace.h"
#include "net/connection_pool.h"
#include "net/response_parser.h"
#include "net/target.h"

namespace seedcore::net {
namespace {

/// One response, and how its connection stands afterwards.
struct Exchange {
  Response response;
  bool reusable = false;
};

void AppendChecked(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

/// A field of the caller's with a line break in it would smuggle in another request.
bool IsFieldText(std::string_view text) { return text.find_first_of(std::string_view("\r\n\0", 3)) == text.npos; }

Result<std::string> WriteRequest(const ClientOptions& options, const BaseUrl& base, const ClientRequest& request,
                                 const CallContext& call, Env& env) {
  const bool plain_target = request.target.starts_with('/') &&
                            std::ranges::all_of(request.target, [](char c) { return c > 0x20 && c < 0x7f; });
  if (!plain_target) return Fail(ErrorCode::kInvalidArgument, "the target of a request is an encoded path from '/'");
  std::string out;
  out.reserve(512 + request.body.size());
  out.append(ToString(request.method)).append(" ").append(base.prefix).append(request.target).append(" HTTP/1.1\r\n");
  AppendChecked(out, "Host", base.where.ToString());
  const bool carries_content =
      request.method == Method::kPost || request.method == Method::kPut || request.method == Method::kPatch;
  if (carries_content || !request.body.empty()) {
    if (!request.body.empty()) AppendChecked(out, "Content-Type", request.content_type);
    AppendChecked(out, "Content-Length", std::to_string(request.body.size()));
  }
  if (!options.token.empty()) AppendChecked(out, "Authorization", "Bearer " + options.token);
  if (!call.request_id.empty()) AppendChecked(out, "X-Request-ID", call.request_id);
  if (!call.trace.trace_id.empty()) AppendChecked(out, "traceparent", call.trace.ToHeader());
  if (!call.idempotency_key.empty()) AppendChecked(out, "Idempotency-Key", call.idempotency_key);
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(call.deadline - env.Now()).count();
  constexpr std::chrono::milliseconds::rep kLongest = 24L * 3600 * 1000;
  AppendChecked(out, "X-Request-Timeout-Ms",
                std::to_string(std::clamp<std::chrono::milliseconds::rep>(left, 1, kLongest)));
  for (const auto& [name, value] : request.headers.All()) {
    if (!IsFieldText(name) || !IsFieldText(value)) {
      return Fail(ErrorCode::kInvalidArgument, "a header field contains a line break", name);
    }
    AppendChecked(out, name, value);
  }
  if (!IsFieldText(call.request_id) || !IsFieldText(call.idempotency_key) || !IsFieldText(options.token) ||
      !IsFieldText(request.content_type)) {
    return Fail(ErrorCode::kInvalidArgument, "a header field contains a line break");
  }
  out += "\r\n";
  out += request.body;
  return out;
}

Result<Endpoint> FindEndpoint(const Result<BaseUrl>& base, const ClientOptions& options) {
  if (!base) return std::unexpected(base.error());
  Endpoint endpoint{base->where, nullptr};
  if (base->tls) {
    SEEDCORE_ASSIGN_OR_RETURN(endpoint.trust, TlsTrust::Load(options.ca_file));
  }
  return endpoint;
}

/// Reads one response from a connection, piece by piece.
class ResponseReader {
 public:
  ResponseReader(Channel& channel, bool head_only, std::size_t max_body_bytes, Env& env)
      : channel_(channel), env_(env), parser_(head_only, max_body_bytes) {}

  /// Goes on until the header or the message is complete, or (kNeedMore) everything received has been parsed.
  Result<ResponseParser::State> Next(Instant deadline) {
    if (begin_ == end_ || starved_) SEEDCORE_RETURN_IF_ERROR(Receive(deadline));
    if (ended_) return parser_.End();
    std::size_t consumed = 0;
    auto state = parser_.Feed({buffer_.data() + begin_, end_ - begin_}, consumed);
    begin_ += consumed;
    starved_ = state && *state == ResponseParser::State::kNeedMore;
    return state;
  }

  [[nodiscard]] Response& response() { return parser_.response(); }
  [[nodiscard]] bool Started() const { return parser_.Started(); }
  [[nodiscard]] bool IsConnectionReusable() const { return !ended_ && begin_ == end_ && parser_.keep_alive(); }

 private:
  Result<void> Receive(Instant deadline) {
    std::copy(buffer_.begin() + static_cast<std::ptrdiff_t>(begin_),
              buffer_.begin() + static_cast<std::ptrdiff_t>(end_), buffer_.begin());
    end_ -= std::exchange(begin_, 0);
    if (end_ == buffer_.size()) return Fail(ErrorCode::kUnavailable, "a response header is too large");
    SEEDCORE_ASSIGN_OR_RETURN(const std::size_t size,
                              channel_.Read(buffer_.data() + end_, buffer_.size() - end_, deadline, env_));
    end_ += size;
    ended_ = size == 0;
    return {};
  }

  Channel& channel_;
  Env& env_;
  ResponseParser parser_;
  std::vector<char> buffer_ = std::vector<char>(16 * 1024);
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool starved_ = false;  // what is left in the buffer is not enough to go on with
  bool ended_ = false;
};

}  // namespace

Error DecodeError(const Response& response) {
  Error error{ErrorCodeFromHttpStatus(response.status), fmt::format("HTTP status {}", response.status), {}};
  const auto body = ParseJson(response.body);
  if (!body || !body->is_object()) return error;
  const json::value* inner = body->as_object().if_contains("error");
  if (inner == nullptr || !inner->is_object()) return error;
  const auto text = [&](std::string_view name) -> std::optional<std::string> {
    const json::value* value = inner->as_object().if_contains(name);
    if (value == nullptr || !value->is_string()) return std::nullopt;
    return std::string(value->as_string());
  };
  if (const auto code = text("code");
      code && (ErrorCodeFromString(*code) != ErrorCode::kInternal || *code == "internal")) {
    error.code = ErrorCodeFromString(*code);
  }
  if (auto message = text("message"); message && !message->empty()) error.message = std::move(*message);
  if (auto path = text("path")) error.path = std::move(*path);
  return error;
}

class Client::Impl {
 public:
  Impl(ClientOptions options, Env& env)
      : options_(std::move(options)),
        env_(env),
        base_(ParseBaseUrl(options_.base_url)),
        endpoint_(FindEndpoint(base_, options_)),
        breaker_(options_.breaker, env),
        pool_(endpoint_ ? *endpoint_ : Endpoint{}, options_.max_connections, options_.idle, env) {}

  Result<Response> Send(const ClientRequest& request, const CallContext& caller);
  Result<void> Stream(const ClientRequest& request, const CallContext& caller, const EventCallback& callback);
  CircuitBreaker::State breaker_state() const { return breaker_.state(); }

 private:
  Result<Response> AttemptThroughBreaker(const ClientRequest& request, const CallContext& call);
  Result<Response> Attempt(const ClientRequest& request, const CallContext& call);
  Result<Exchange> Converse(Channel& channel, const ClientRequest& request, const CallContext& call, bool& answered);
  Result<void> Follow(Channel& channel, const ClientRequest& request, const CallContext& call,
                      const EventCallback& callback);
  CallContext WithDeadline(const CallContext& caller) const;
  Instant WriteDeadline(const CallContext& call) const { return std::min(call.deadline, env_.Now() + options_.write); }
  /// How long to wait before the next attempt; nullopt when there is to be none.
  std::optional<std::chrono::nanoseconds> NextWait(const Result<Response>& result, int retry);

  const ClientOptions options_;
  Env& env_;
  const Result<BaseUrl> base_;
  const Result<Endpoint> endpoint_;  // of base_, or its error
  CircuitBreaker breaker_;
  ConnectionPool pool_;
};

CallContext Client::Impl::WithDeadline(const CallContext& caller) const {
  return caller.deadline == Instant::max() ? caller.Within(options_.request, env_) : caller;
}

Result<Response> Client::Impl::Send(const ClientRequest& request, const CallContext& caller) {
  if (!endpoint_) return std::unexpected(endpoint_.error());
  const CallContext call = WithDeadline(caller);
  const bool repeatable = IsRepeatable(request.method, call.idempotency_key);
  for (int retry = 0;; ++retry) {
    SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
    Result<Response> result = AttemptThroughBreaker(request, call);
    if (!repeatable || retry >= options_.retry.max_retries) return result;
    const auto wait = NextWait(result, retry);
    if (!wait || env_.Now() + *wait >= call.deadline) return result;
    if (!env_.SleepFor(*wait, call.stop)) return Fail(ErrorCode::kCancelled, "the call was cancelled");
  }
}

std::optional<std::chrono::nanoseconds> Client::Impl::NextWait(const Result<Response>& result, int retry) {
  const bool worth_it = result ? IsRetryableStatus(result->status) : result.error().code == ErrorCode::kUnavailable;
  if (!worth_it || breaker_.state() == CircuitBreaker::State::kOpen) return std::nullopt;
  const std::chrono::nanoseconds backoff = Backoff(options_.retry, retry, env_.RandomUnit());
  const auto asked = result ? RetryAfter(result->headers) : std::nullopt;
  return asked ? std::max<std::chrono::nanoseconds>(backoff, *asked) : backoff;
}

Result<Response> Client::Impl::AttemptThroughBreaker(const ClientRequest& request, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(const CircuitBreaker::Permit permit, breaker_.Admit());
  Result<Response> result = Attempt(request, call);
  using enum CircuitBreaker::Outcome;
  CircuitBreaker::Outcome outcome = kSuccess;
  if (result) {
    if (result->status >= 500) outcome = kFailure;
  } else {
    const ErrorCode code = result.error().code;
    // A request we refused to send, or no longer wanted, says nothing about the server.
    outcome = code == ErrorCode::kUnavailable || code == ErrorCode::kDeadlineExceeded ? kFailure : kAbandoned;
  }
  breaker_.Report(permit, outcome);
  return result;
}

Result<Response> Client::Impl::Attempt(const ClientRequest& request, const CallContext& call) {
  bool fresh = false;
  while (true) {
    SEEDCORE_ASSIGN_OR_RETURN(ConnectionPool::Loan loan, pool_.Borrow(call, options_.connect, fresh));
    bool answered = false;
    Result<Exchange> exchange = [&] {
      const std::stop_callback interrupt(call.stop, [&] { loan.channel().Interrupt(); });
      return Converse(loan.channel(), request, call, answered);
    }();
    if (exchange) {
      if (exchange->reusable && !call.stop.stop_requested()) std::move(loan).Return();
      return std::move(exchange->response);
    }
    if (call.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the call was cancelled");
    // The server may have closed a kept connection at the moment it was used: it has not seen the request.
    const bool stale = loan.reused() && !answered && exchange.error().code == ErrorCode::kUnavailable;
    if (!stale || !IsRepeatable(request.method, call.idempotency_key)) return std::unexpected(exchange.error());
    fresh = true;
  }
}

Result<Exchange> Client::Impl::Converse(Channel& channel, const ClientRequest& request, const CallContext& call,
                                        bool& answered) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::string text, WriteRequest(options_, *base_, request, call, env_));
  SEEDCORE_RETURN_IF_ERROR(env_.Fault("net.client.send"));
  const auto written = channel.WriteAll(text, WriteDeadline(call), env_);
  // A server that refuses early closes while we still send; its answer may be there all the same.
  if (!written && written.error().code == ErrorCode::kDeadlineExceeded) return std::unexpected(written.error());
  ResponseReader reader(channel, request.method == Method::kHead, options_.max_response_bytes, env_);
  auto state = ResponseParser::State::kNeedMore;
  while (state != ResponseParser::State::kDone) {
    const Instant probe_at = options_.is_alive ? env_.Now() + options_.probe_after : Instant::max();
    const auto next = reader.Next(std::min(call.deadline, probe_at));
    answered = reader.Started();
    if (!next) {
      const bool silent = next.error().code == ErrorCode::kDeadlineExceeded && probe_at < call.deadline;
      if (silent && options_.is_alive(call)) continue;
      if (silent) {
        answered = true;  // a kept connection that it had closed would have ended: no other one is tried
        return Fail(ErrorCode::kUnavailable, "the server is silent, and does not show that it lives");
      }
      return std::unexpected(next.error());
    }
    state = *next;
  }
  return Exchange{std::move(reader.response()), written && reader.IsConnectionReusable()};
}

Result<void> Client::Impl::Stream(const ClientRequest& request, const CallContext& call,
                                  const EventCallback& callback) {
  if (!endpoint_) return std::unexpected(endpoint_.error());
  SEEDCORE_RETURN_IF_ERROR(call.Check(env_));
  SEEDCORE_ASSIGN_OR_RETURN(const CircuitBreaker::Permit permit, breaker_.Admit());
  auto channel = Channel::Connect(*endpoint_, std::min(call.deadline, env_.Now() + options_.connect), env_);
  using enum CircuitBreaker::Outcome;
  breaker_.Report(permit, channel ? kSuccess : kFailure);
  if (!channel) return std::unexpected(std::move(channel).error());
  const Result<void> result = [&] {
    const std::stop_callback interrupt(call.stop, [&] { channel->Interrupt(); });
    return Follow(*channel, request, call, callback);
  }();
  if (call.stop.stop_requested()) return Fail(ErrorCode::kCancelled, "the call was cancelled");
  return result;
}

Result<void> Client::Impl::Follow(Channel& channel, const ClientRequest& request, const CallContext& call,
                                  const EventCallback& callback) {
  ClientRequest stream_request = request;
  stream_request.headers.Add("Accept", "text/event-stream");
  SEEDCORE_ASSIGN_OR_RETURN(const std::string text, WriteRequest(options_, *base_, stream_request, call, env_));
  SEEDCORE_RETURN_IF_ERROR(channel.WriteAll(text, WriteDeadline(call), env_));
  constexpr auto kNoLimit = std::numeric_limits<std::size_t>::max();  // each event has its own
  ResponseReader reader(channel, false, kNoLimit, env_);
  SseParser events;
  Response& response = reader.response();
  bool in_header = true;
  while (true) {
    const Instant silence = env_.Now() + options_.stream_silence;
    const auto state = reader.Next(std::min(call.deadline, silence));
    if (!state && state.error().code == ErrorCode::kDeadlineExceeded && silence < call.deadline) {
      return Fail(ErrorCode::kUnavailable, "the event stream went silent");
    }
    if (!state) return std::unexpected(state.error());
    in_header = in_header && *state == ResponseParser::State::kNeedMore;
    const bool is_stream = response.status == 200 && response.content_type.starts_with("text/event-stream");
    if (!in_header && is_stream) {
      SEEDCORE_ASSIGN_OR_RETURN(const bool go_on, events.Feed(response.body, callback));
      response.body.clear();
      if (!go_on) return {};
    }
    if (*state != ResponseParser::State::kDone) continue;
    if (response.status >= 400) return std::unexpected(DecodeError(response));
    if (!is_stream) return Fail(ErrorCode::kUnavailable, "the answer is not an event stream");
    return {};
  }
}

Client::Client(ClientOptions options, Env& env) : impl_(std::make_unique<Impl>(std::move(options), env)) {}
Client::~Client() = default;

Result<Response> Client::Send(const ClientRequest& request, const CallContext& call) {
  SEEDCORE_ASSIGN_OR_RETURN(Response response, impl_->Send(request, call));
  if (response.status >= 400) return std::unexpected(DecodeError(response));
  return response;
}

Result<Response> Client::SendForAnyStatus(const ClientRequest& request, const CallContext& call) {
  return impl_->Send(request, call);
}

Result<void> Client::Stream(const ClientRequest& request, const CallContext& call, const EventCallback& callback) {
  return impl_->Stream(request, call, callback);
}

CircuitBreaker::State Client::breaker_state() const { return impl_->breaker_state(); }

}  // namespace seedcore::net
