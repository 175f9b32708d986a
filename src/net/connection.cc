#include <algorithm>
#include <cstring>
#include <exception>
#include <sys/socket.h>
#include <utility>

#include "base/log.h"
#include "net/asio_internal.h"
#include "net/forward_message.h"
// Reading, parsing and writing. connection_call.cc has the part that runs handlers.
#include "net/connection_internal.h"
#include "net/wire.h"

namespace seedcore::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;

constexpr std::size_t kReadAhead = 4 * 1024;       // room behind the largest header
constexpr std::size_t kFlushBytes = 64 * 1024;     // a batch of responses is written when it is this large
constexpr std::size_t kKeptBuffer = 256 * 1024;    // a larger write buffer is given back after use
constexpr std::size_t kSkippableBody = 64 * 1024;  // refused bodies up to this size are read, to keep the connection
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

Connection::Connection(std::shared_ptr<IoLoop> loop, LoopSocket socket, std::string peer, RouteTable& routes,
                       bool refuse)
    : loop_(std::move(loop)),
      core_(loop_->core()),
      socket_(std::move(socket)),
      routes_(routes),
      peer_(std::move(peer)),
      refuse_(refuse),
      in_capacity_(core_.options.limits.header_bytes + kReadAhead),
      parser_(core_.options.limits) {
  request_.peer = peer_;
}

Connection::~Connection() = default;

void Connection::Start() {
  loop_->Enlist(*this);
  asio::co_spawn(loop_->context(), [self = shared_from_this()] { return self->Run(); }, asio::detached);
}

Coroutine Connection::Run() {
  try {
    co_await Serve();
  } catch (const std::exception& error) {
    log::Error("connection ended by an exception", {{"peer", peer_}, {"what", error.what()}});
  }
  if (events_) events_->Disconnected();
  if (call_) call_->stop.request_stop();
  if (call_ && call_->stream) call_->stream->Disconnected();
  Close();
  loop_->Delist(*this);
}

Coroutine Connection::Serve() {
  if (refuse_) {
    Refuse({ErrorCode::kUnavailable, "too many connections", {}});
    if (!TryFlush()) co_return;
    co_await Linger();
    co_return;
  }
  in_ = std::make_unique_for_overwrite<char[]>(in_capacity_);
  while (true) {
    Next next = Advance();
    if (!TryFlush() && !closed_) co_await FlushRest();
    if (closed_) co_return;
    if (next == Next::kRead) {
      const auto [error, size] =
          co_await socket_.async_read_some(asio::buffer(in_.get() + in_end_, in_capacity_ - in_end_), kAwaitTuple);
      in_end_ += size;
      if (closed_ || (error && !expired_)) co_return;
      if (!expired_) continue;
      next = ReadTimedOut();
      if (!TryFlush()) co_return;
    }
    if (next == Next::kHandle) co_await Handle();
    if (next == Next::kClose) co_return;
    if (next == Next::kLinger) {
      co_await Linger();
      co_return;
    }
    // A client that sends without end gets no more than its batch before the others have had their turn.
    if (next == Next::kFlush) co_await asio::post(loop_->context(), kAwait);
  }
}

Connection::Next Connection::Advance() {
  const ServerLimits& limits = core_.options.limits;
  answered_in_batch_ = 0;
  while (true) {
    if (closing_) return Next::kClose;
    if (out_.size() - out_begin_ >= kFlushBytes || answered_in_batch_ >= limits.pipelined_requests) return Next::kFlush;
    if (in_begin_ == in_end_) {
      in_begin_ = in_end_ = 0;
      if (!in_message_) {
        if (core_.draining.load(std::memory_order_relaxed)) return Next::kClose;
        Enter(Phase::kIdle, limits.idle);
      }
      return Next::kRead;
    }
    if (!in_message_) {
      parser_.Start(request_);
      in_message_ = true;
      in_body_ = false;
    }
    std::size_t consumed = 0;
    const auto state = parser_.Feed({in_.get() + in_begin_, in_end_ - in_begin_}, consumed);
    in_begin_ += consumed;
    if (!state) return Refuse(state.error());
    if (*state == RequestParser::State::kNeedMore) {
      if (in_begin_ > 0) {
        std::memmove(in_.get(), in_.get() + in_begin_, in_end_ - in_begin_);
        in_end_ -= in_begin_;
        in_begin_ = 0;
      }
      if (in_end_ == in_capacity_) return Refuse({ErrorCode::kMalformed, "a header or chunk header is too large", {}});
      if (!in_body_ && phase_ != Phase::kHeader) Enter(Phase::kHeader, limits.header_read);
      return Next::kRead;
    }
    if (!in_body_) {
      if (const Next next = AfterHeader(); next != Next::kRead) return next;
    }
    if (*state == RequestParser::State::kDone) {
      if (const Next next = AfterMessage(); next != Next::kRead) return next;
    }
  }
}

Connection::Next Connection::AfterHeader() {
  const RequestHead& head = parser_.Head();
  core_.gate.Admit(head, routes_, request_, admission_);
  in_body_ = true;
  if (!head.has_body) return Next::kRead;
  Enter(Phase::kBody, core_.options.limits.body_read);
  if (!admission_.answer) {
    if (head.expects_continue && head.http11 && in_begin_ == in_end_) out_ += kContinue;
    return Next::kRead;
  }
  if (!head.chunked && !head.expects_continue && head.content_length <= kSkippableBody) {
    parser_.DiscardBody();
    return Next::kRead;
  }
  closing_ = true;
  started_ = core_.env.Now();
  core_.gate.Finish(admission_, *admission_.answer);
  Respond(*admission_.answer);
  return Next::kLinger;
}

Connection::Next Connection::AfterMessage() {
  in_message_ = false;
  ++answered_in_batch_;
  phase_ = Phase::kHandling;
  expires_ = Instant::max();
  started_ = core_.env.Now();
  if (admission_.answer) {
    core_.gate.Finish(admission_, *admission_.answer);
    Respond(*admission_.answer);
    return Next::kRead;
  }
  const Route& route = admission_.route->route;
  forwards_ = route.forwarder && !(route.handler && (WasForwarded(request_) || !route.forwards()));
  if (route.execution == Execution::kPool || route.stream || forwards_) return Next::kHandle;
  Response response = RunHandler(route, request_, admission_.gunzip, core_.options.limits.body_bytes);
  core_.gate.Finish(admission_, response);
  Respond(response);
  return Next::kRead;
}

Connection::Next Connection::Refuse(const Error& error) {
  if (!in_body_) {
    admission_ = Admission{};
    request_.call.request_id = core_.env.NewId();
  }
  (refuse_ ? core_.rejected_connections : core_.bad_requests).Increment();
  closing_ = true;
  started_ = core_.env.Now();
  Response response = error.code == ErrorCode::kUnavailable ? core_.Busy(error.message) : ErrorResponse(error);
  core_.gate.Finish(admission_, response);
  Respond(response);
  return Next::kLinger;
}

Connection::Next Connection::ReadTimedOut() {
  expired_ = false;
  core_.timeouts.Increment();
  if (phase_ == Phase::kIdle) return Next::kClose;
  return Refuse({ErrorCode::kRequestTimeout,
                 in_body_ ? "the request body took too long" : "the request header took too long",
                 {}});
}

Coroutine Connection::Linger() {
  // Closing with unread data makes the kernel send a reset, which can overtake the response.
  error_code ignored;
  socket_.shutdown(LoopSocket::shutdown_send, ignored);
  Enter(Phase::kLingering, core_.options.limits.linger);
  char discarded[4096];
  while (!closed_) {
    const auto [error, size] = co_await socket_.async_read_some(asio::buffer(discarded), kAwaitTuple);
    if (error) co_return;
  }
}

bool Connection::TryFlush() {
  while (out_begin_ < out_.size()) {
    error_code error;
    out_begin_ += socket_.write_some(asio::buffer(out_.data() + out_begin_, out_.size() - out_begin_), error);
    if (error == asio::error::would_block) return false;
    if (error) {
      Close();
      return false;
    }
  }
  out_begin_ = 0;
  out_.clear();
  if (out_.capacity() > kKeptBuffer) out_.shrink_to_fit();
  return true;
}

Coroutine Connection::FlushRest() {
  Enter(Phase::kWriting, core_.options.limits.write);
  while (!closed_ && !TryFlush()) {
    if (closed_) break;
    const auto [error] = co_await socket_.async_wait(LoopSocket::wait_write, kAwaitTuple);
    if (error) Close();
  }
  expires_ = Instant::max();
}

void Connection::Enter(Phase phase, std::chrono::nanoseconds limit) {
  phase_ = phase;
  expires_ = loop_->CoarseNow() + limit;
}

void Connection::Tick(Instant now) {
  if (phase_ == Phase::kStreaming && events_ && now - last_event_ >= core_.options.limits.heartbeat) {
    last_event_ = now;
    events_->Heartbeat();
  }
  // Only of those that take longer than a tick: most are over before it would have cost its system call.
  if (phase_ == Phase::kHandling && call_) WatchForDisconnect();
  if (now < expires_ || closed_) return;
  expires_ = Instant::max();
  switch (phase_) {
    case Phase::kIdle:
    case Phase::kHeader:
    case Phase::kBody: {
      expired_ = true;
      error_code ignored;
      socket_.cancel(ignored);
      break;
    }
    case Phase::kHandling:
      expired_ = true;
      wakeup_.Notify();
      break;
    case Phase::kStreaming: break;
    case Phase::kWriting:
      core_.timeouts.Increment();
      Close();
      break;
    case Phase::kLingering: Close(); break;
  }
}

void Connection::Drain() {
  if (events_) {
    events_->Close();
  } else if (phase_ == Phase::kIdle && !in_message_) {
    Close();
  }
}

void Connection::Cut() {
  if (call_) call_->stop.request_stop();
  Close();
  wakeup_.Notify();
}

void Connection::Close() {
  closed_ = true;
  error_code ignored;
  socket_.close(ignored);
}

}  // namespace seedcore::net
