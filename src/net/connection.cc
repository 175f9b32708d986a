#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <sys/socket.h>
#include <utility>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/log.h"
#include "net/connection_internal.h"
#include "net/gzip.h"
#include "net/wire.h"

namespace seedcore::net {
namespace {

namespace asio = boost::asio;
using boost::system::error_code;
constexpr auto kAwait = asio::as_tuple(asio::use_awaitable);

constexpr std::size_t kReadAhead = 4 * 1024;       // room behind the largest header
constexpr std::size_t kFlushBytes = 64 * 1024;     // a batch of responses is written when it is this large
constexpr std::size_t kKeptBuffer = 256 * 1024;    // a larger write buffer is given back after use
constexpr std::size_t kSkippableBody = 64 * 1024;  // refused bodies up to this size are read, to keep the connection
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

}  // namespace

asio::awaitable<void> Wakeup::Wait() {
  if (!notified_) {
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(
        [this](auto handler) { waiter_ = std::move(handler); }, asio::use_awaitable);
  }
  notified_ = false;
}

void Wakeup::Notify() {
  notified_ = true;
  if (waiter_) std::exchange(waiter_, nullptr)();
}

Connection::Connection(std::shared_ptr<IoLoop> loop, asio::ip::tcp::socket socket, std::string peer, RouteTable& routes,
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

asio::awaitable<void> Connection::Run() {
  try {
    co_await Serve();
  } catch (const std::exception& error) {
    log::Error("connection ended by an exception", {{"peer", peer_}, {"what", error.what()}});
  }
  if (events_) events_->Disconnected();
  if (call_) call_->stop.request_stop();
  Close();
  loop_->Delist(*this);
}

asio::awaitable<void> Connection::Serve() {
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
          co_await socket_.async_read_some(asio::buffer(in_.get() + in_end_, in_capacity_ - in_end_), kAwait);
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
    if (next == Next::kFlush) co_await asio::post(asio::use_awaitable);
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
      if (!in_message_) Enter(Phase::kIdle, limits.idle);
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
  if (route.execution == Execution::kPool || route.stream) return Next::kHandle;
  Response response = RunInline();
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
  Response response = ErrorResponse(error);
  if (error.code == ErrorCode::kUnavailable) response.headers.Add("Retry-After", "1");
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

Response Connection::RunInline() {
  if (admission_.gunzip) {
    if (auto done = Decompress(request_, core_.options.limits.body_bytes); !done) return ErrorResponse(done.error());
  }
  return Invoke(admission_.route->route, request_);
}

Result<void> Connection::Decompress(Request& request, std::size_t max_bytes) {
  SEEDCORE_ASSIGN_OR_RETURN(request.body, Gunzip(request.body, max_bytes));
  return {};
}

Response Connection::Invoke(const Route& route, const Request& request) {
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

void Connection::RunPooled(const std::shared_ptr<PooledCall>& call, const Admission& admission) const {
  const Route& route = admission.route->route;
  Request& request = call->request;
  if (auto alive = request.call.Check(core_.env); !alive) {
    call->response = ErrorResponse(alive.error());  // it waited in the queue longer than its caller does
    return;
  }
  if (admission.gunzip) {
    if (auto done = Decompress(request, core_.options.limits.body_bytes); !done) {
      call->response = ErrorResponse(done.error());
      return;
    }
  }
  if (!route.stream) {
    call->response = Invoke(route, request);
    core_.gate.Finish(admission, call->response);
    return;
  }
  try {
    const auto taken = route.stream(request, call->stream);
    call->accepted = taken.has_value();
    if (!taken) call->response = ErrorResponse(taken.error());
  } catch (const std::exception& error) {
    log::Error("stream handler failed",
               {{"route", route.pattern}, {"request_id", request.call.request_id}, {"what", error.what()}});
    call->response = ErrorResponse({ErrorCode::kInternal, "internal error", {}});
  }
}

asio::awaitable<void> Connection::Handle() {
  const Route& route = admission_.route->route;
  const auto call = std::make_shared<PooledCall>();
  call->request = std::exchange(request_, Request{});
  request_.peer = peer_;
  request_.call.request_id = call->request.call.request_id;
  call->request.call.stop = call->stop.get_token();
  expires_ = call->request.call.deadline;
  call_ = call;
  if (route.stream) call->stream = MakeEventBuffer();

  if (route.stream && admission_.head) {
    call->response.content_type = "text/event-stream";
    call->done = true;
  } else if (route.stream && core_.streams.load() >= core_.options.limits.streams) {
    core_.rejected_streams.Increment();
    call->response = ErrorResponse({ErrorCode::kUnavailable, "too many event streams", {}});
    call->response.headers.Add("Retry-After", "1");
    call->done = true;
  } else if (route.execution == Execution::kInline) {
    RunPooled(call, admission_);
    call->done = true;
  } else {
    WorkerPool::Job job = [self = shared_from_this(), call] {
      self->RunPooled(call, self->admission_);
      asio::post(self->loop_->context(), [self, call] {
        call->done = true;
        if (self->call_ == call) self->wakeup_.Notify();
      });
    };
    if (core_.workers.TrySubmit(job)) {
      WatchForDisconnect();
    } else {
      core_.rejected_queue.Increment();
      call->response = ErrorResponse({ErrorCode::kUnavailable, "the server is busy", {}});
      call->response.headers.Add("Retry-After", "1");
      call->done = true;
    }
  }
  while (!call->done && !expired_ && !closed_) co_await wakeup_.Wait();
  if (closed_) co_return;
  if (call->accepted) {
    co_await Stream(call->stream);
    closing_ = true;
    co_return;
  }
  if (!call->done) {
    // The worker goes on until it looks at its stop token; what it returns is dropped.
    expired_ = false;
    closing_ = true;
    core_.timeouts.Increment();
    call->stop.request_stop();
    Response response = ErrorResponse({ErrorCode::kDeadlineExceeded, "the deadline of the request has passed", {}});
    core_.gate.Finish(admission_, response);
    Respond(response);
  } else {
    Respond(call->response);
  }
  call_.reset();
}

void Connection::Respond(Response& response) {
  const RequestHead& head = parser_.Head();
  if (!head.keep_alive || client_gone_ || core_.draining.load(std::memory_order_relaxed)) closing_ = true;
  AppendResponse(out_, response,
                 {.http11 = head.http11,
                  .keep_alive = !closing_,
                  .head = admission_.head,
                  .date = loop_->Date(),
                  .request_id = request_.call.request_id,
                  .traceparent = admission_.traceparent});
  Record(response.status);
}

void Connection::Record(int status) {
  const std::chrono::duration<double> took = core_.env.Now() - started_;
  RouteMetrics& metrics = admission_.route != nullptr ? admission_.route->metrics : routes_.Unmatched();
  metrics.Observe(status, took.count());
  if (!log::Enabled(log::Level::kDebug)) return;
  log::Debug("request", {{"method", parser_.Head().method},
                         {"target", parser_.Head().target},
                         {"status", status},
                         {"seconds", took.count()},
                         {"peer", peer_},
                         {"request_id", request_.call.request_id}});
}

std::shared_ptr<EventBuffer> Connection::MakeEventBuffer() {
  return std::make_shared<EventBuffer>(core_.options.limits.stream_buffer_bytes, [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    asio::post(self->loop_->context(), [self] {
      if (self->events_ && self->events_->Overflowed()) self->Close();
      self->wakeup_.Notify();
    });
  });
}

asio::awaitable<void> Connection::Stream(std::shared_ptr<EventBuffer> events) {
  events_ = events;
  core_.streams.fetch_add(1);
  core_.streams_gauge.Add(1);
  Response response;
  response.content_type = "text/event-stream";
  response.headers.Add("Cache-Control", "no-store");
  response.headers.Add("X-Accel-Buffering", "no");  // nginx in front must not collect events
  core_.gate.Finish(admission_, response);
  const bool chunked = parser_.Head().http11;
  AppendResponse(out_, response,
                 {.http11 = chunked,
                  .keep_alive = false,
                  .chunked_stream = chunked,
                  .endless_stream = !chunked,
                  .date = loop_->Date(),
                  .request_id = request_.call.request_id,
                  .traceparent = admission_.traceparent});
  Record(response.status);
  if (core_.draining.load()) events->Close();
  last_event_ = loop_->CoarseNow();
  std::string text;
  bool open = true;
  while (open && !closed_ && !client_gone_) {
    open = events->Take(text);
    if (!open && chunked && !events->Overflowed()) out_ += kLastChunk;
    if (chunked) {
      AppendChunk(out_, text);
    } else {
      out_ += text;
    }
    if (!TryFlush() && !closed_) co_await FlushRest();
    phase_ = Phase::kStreaming;
    expires_ = Instant::max();
    WatchForDisconnect();
    if (!text.empty()) {
      last_event_ = loop_->CoarseNow();
    } else if (open && !closed_ && !client_gone_) {
      co_await wakeup_.Wait();
    }
  }
  core_.streams.fetch_sub(1);
  core_.streams_gauge.Add(-1);
  events->Disconnected();
  events_.reset();
}

asio::awaitable<void> Connection::Linger() {
  // Closing with unread data makes the kernel send a reset, which can overtake the response.
  error_code ignored;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, ignored);
  Enter(Phase::kLingering, core_.options.limits.linger);
  char discarded[4096];
  while (!closed_) {
    const auto [error, size] = co_await socket_.async_read_some(asio::buffer(discarded), kAwait);
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

asio::awaitable<void> Connection::FlushRest() {
  Enter(Phase::kWriting, core_.options.limits.write);
  while (!closed_ && !TryFlush()) {
    if (closed_) break;
    const auto [error] = co_await socket_.async_wait(asio::ip::tcp::socket::wait_write, kAwait);
    if (error) Close();
  }
  expires_ = Instant::max();
}

void Connection::WatchForDisconnect() {
  if (watching_ || closed_) return;
  watching_ = true;
  socket_.async_wait(asio::ip::tcp::socket::wait_read, [self = shared_from_this()](error_code error) {
    self->watching_ = false;
    if (error || self->closed_) return;
    const bool streaming = self->phase_ == Phase::kStreaming;
    if (!streaming && !self->call_) return;
    char bytes[512];
    // A client has nothing to say on a stream: it is read away. Otherwise it is the next request, which stays.
    const auto size =
        ::recv(self->socket_.native_handle(), bytes, sizeof bytes, (streaming ? 0 : MSG_PEEK) | MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN && errno != EINTR)) {
      self->ClientGone();
    } else if (streaming || size < 0) {
      self->WatchForDisconnect();
    }
  });
}

void Connection::ClientGone() {
  client_gone_ = true;
  if (call_) call_->stop.request_stop();
  if (events_) wakeup_.Notify();
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
