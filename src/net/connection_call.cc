// The part of a connection that has requests handled and answered. Parsing and writing are in connection.cc.
#include <cerrno>
#include <optional>
#include <sys/socket.h>
#include <utility>

#include "base/log.h"
#include "net/connection_internal.h"
#include "net/forwarder.h"
#include "net/wire.h"

namespace seedcore::net {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {

/// A place among the streams of the server, held while one is being opened or is open.
class StreamSlot {
 public:
  explicit StreamSlot(ServerCore& core)
      : core_(core), over_limit_(core.streams.fetch_add(1) >= core.options.limits.streams) {
    core_.streams_gauge.Add(1);
  }
  StreamSlot(const StreamSlot&) = delete;
  StreamSlot& operator=(const StreamSlot&) = delete;
  ~StreamSlot() {
    core_.streams.fetch_sub(1);
    core_.streams_gauge.Add(-1);
  }
  [[nodiscard]] bool over_limit() const { return over_limit_; }

 private:
  ServerCore& core_;
  const bool over_limit_;
};

/// Counts a request for as long as it is being handled.
class InFlight {
 public:
  explicit InFlight(ServerCore& core) : core_(core) { core_.in_flight.fetch_add(1, std::memory_order_relaxed); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;
  ~InFlight() { core_.in_flight.fetch_sub(1, std::memory_order_relaxed); }

 private:
  ServerCore& core_;
};

}  // namespace

Coroutine Connection::Handle() {
  const Route& route = admission_.route->route;
  const InFlight counted(core_);
  std::optional<StreamSlot> slot;
  if (route.stream) slot.emplace(core_);
  const auto call = std::make_shared<HandlerCall>();
  call->request = std::exchange(request_, Request{});
  request_.peer = peer_;
  request_.call.request_id = call->request.call.request_id;
  call->request.call.stop = call->stop.get_token();
  expires_ = call->request.call.deadline;
  call_ = call;
  if (route.stream) call->stream = MakeEventBuffer();
  Dispatch(route, call, slot && slot->over_limit());

  while (!call->done && !expired_ && !closed_) co_await wakeup_.Wait();
  if (call->done && call->accepted && forwards_) {
    // Whether the answer is a stream shows only now.
    slot.emplace(core_);
    if (slot->over_limit()) {
      call->accepted = false;
      core_.rejected_streams.Increment();
      call->response = core_.Busy("too many event streams");
      core_.gate.Finish(admission_, call->response);
    }
  }
  if (call->done && call->accepted && !closed_) {
    co_await Stream(call->stream);
    closing_ = true;
    co_return;
  }
  // The handler may have taken the stream, or be about to.
  if (call->stream) call->stream->Disconnected();
  if (closed_) co_return;
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

void Connection::Dispatch(const Route& route, const std::shared_ptr<HandlerCall>& call, bool too_many_streams) {
  const auto answer = [&](Response response) {
    core_.gate.Finish(admission_, response);
    call->response = std::move(response);
    call->done = true;
  };
  if (route.stream && admission_.head) {
    answer({.content_type = "text/event-stream"});
    return;
  }
  if (too_many_streams) {
    core_.rejected_streams.Increment();
    answer(core_.Busy("too many event streams"));
    return;
  }
  if (forwards_) {
    route.forwarder->Forward(shared_from_this(), call, parser_.Head().target, route.execution == Execution::kInline);
    return;
  }
  const std::size_t max_bytes = core_.options.limits.body_bytes;
  if (route.execution == Execution::kInline) {
    RunHandlerCall(*call, admission_, core_.gate, max_bytes, core_.env);
    call->done = true;
    return;
  }
  WorkerPool::Job job = [self = shared_from_this(), call, max_bytes] {
    RunHandlerCall(*call, self->admission_, self->core_.gate, max_bytes, self->core_.env);
    asio::post(self->loop_->context(), [self, call] {
      call->done = true;
      if (self->call_ == call) self->wakeup_.Notify();
    });
  };
  if (core_.workers.TrySubmit(job)) return;
  core_.rejected_queue.Increment();
  answer(core_.Busy("the server is busy"));
}

void Connection::Answered(const std::shared_ptr<HandlerCall>& call) {
  call->done = true;
  if (call_ != call) return;  // the deadline has answered
  if (!call->accepted) core_.gate.Finish(admission_, call->response);
  wakeup_.Notify();
}

std::shared_ptr<EventBuffer> Connection::OpenStream() { return MakeEventBuffer(); }

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

Coroutine Connection::Stream(std::shared_ptr<EventBuffer> events) {
  events_ = events;
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
  events->Disconnected();
  events_.reset();
}

void Connection::WatchForDisconnect() {
  if (watching_ || closed_) return;
  watching_ = true;
  socket_.async_wait(LoopSocket::wait_read, [self = shared_from_this()](error_code error) {
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

}  // namespace seedcore::net
