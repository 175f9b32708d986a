#include "net/local_server.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "net/handler_call.h"

namespace seedcore::net {

/// Shared by whoever answers first: the handler, the deadline, or the client that leaves.
struct LocalServer::Pending::Call {
  HandlerCall handler;
  Admission admission;
  std::shared_ptr<RouteTable> routes;  // the route in `admission` is one of them
  Done done;
  Instant started;
  std::atomic<bool> answered = false;
};

void LocalServer::Pending::Cancel() {
  const auto call = call_.lock();
  if (!call) return;
  call->answered = true;
  call->handler.stop.request_stop();
}

LocalServer::LocalServer(ServerOptions options, Env& env, Metrics& metrics)
    : options_(std::move(options)),
      env_(env),
      gate_(options_, env),
      rejected_queue_(RejectedCounter(metrics, "worker_queue")),
      rejected_streams_(RejectedCounter(metrics, "streams")),
      timeouts_(RejectedCounter(metrics, "timeout")),
      workers_(options_.limits.worker_threads, options_.limits.worker_queue, env_),
      watch_([this](const std::stop_token& stop) { WatchDeadlines(stop); }) {}

LocalServer::~LocalServer() { Drain(std::chrono::milliseconds(0)); }

LocalServer::Pending LocalServer::Handle(std::shared_ptr<RouteTable> routes, ReceivedRequest received,
                                         std::function<void()> wake, Done done) {
  auto call = std::make_shared<Call>();
  call->routes = std::move(routes);
  call->done = std::move(done);
  call->started = env_.Now();
  Request& request = call->handler.request;
  request.headers = std::move(received.headers);
  request.peer = std::move(received.peer);
  const RequestHead head{.method = std::move(received.method),
                         .target = std::move(received.target),
                         .has_body = !received.body.empty(),
                         .content_length = received.body.size()};
  gate_.Admit(head, *call->routes, request, call->admission);
  request.body = std::move(received.body);
  request.call.stop = call->handler.stop.get_token();
  if (draining_) {
    Refuse(call, BusyResponse("the server is shutting down", options_.limits));
    return Pending(call);
  }
  if (call->admission.answer) {
    Refuse(call, std::move(*call->admission.answer));
    return Pending(call);
  }
  if (request.body.size() > options_.limits.body_bytes) {
    Refuse(call, ErrorResponse({ErrorCode::kPayloadTooLarge, "the body is larger than this server takes", {}}));
    return Pending(call);
  }
  const Route& route = call->admission.route->route;
  if (route.stream && call->admission.head) {
    Refuse(call, {.content_type = "text/event-stream"});
    return Pending(call);
  }
  if (route.stream) {
    const std::scoped_lock lock(mutex_);
    std::erase_if(streams_, [](const auto& stream) { return stream.second.expired(); });
    if (streams_.size() < options_.limits.streams) {
      call->handler.stream = std::make_shared<EventBuffer>(options_.limits.stream_buffer_bytes,
                                                           wake ? std::move(wake) : std::function<void()>([] {}));
      streams_[call->handler.stream.get()] = call->handler.stream;
    }
  }
  if (route.stream && !call->handler.stream) {
    rejected_streams_.Increment();
    Refuse(call, BusyResponse("too many event streams", options_.limits));
    return Pending(call);
  }
  if (route.execution == Execution::kInline) {
    Run(call);
    return Pending(call);
  }
  Enlist(call);
  WorkerPool::Job job = [this, call] {
    Run(call);
    Delist(call);
  };
  if (!workers_.TrySubmit(job)) {
    Delist(call);
    rejected_queue_.Increment();
    Refuse(call, BusyResponse("the server is busy", options_.limits));
  }
  return Pending(call);
}

void LocalServer::Run(const std::shared_ptr<Call>& call) {
  HandlerCall& handler = call->handler;
  RunHandlerCall(handler, call->admission, gate_, options_.limits.body_bytes, env_);
  if (!handler.accepted) {
    if (handler.stream) handler.stream->Disconnected();
    Deliver(call, {std::move(handler.response), nullptr});
    return;
  }
  Response response;
  response.content_type = "text/event-stream";
  response.headers.Add("Cache-Control", "no-store");
  response.headers.Add("X-Accel-Buffering", "no");  // nginx in front must not collect events
  gate_.Finish(call->admission, response);
  if (draining_) handler.stream->Close();
  Deliver(call, {std::move(response), handler.stream});
}

void LocalServer::Refuse(const std::shared_ptr<Call>& call, Response response) {
  gate_.Finish(call->admission, response);
  Deliver(call, {std::move(response), nullptr});
}

void LocalServer::Deliver(const std::shared_ptr<Call>& call, Answer answer) {
  if (call->answered.exchange(true)) {
    // Nobody waits any more: the deadline has answered, or the client is gone.
    if (answer.stream) answer.stream->Disconnected();
    return;
  }
  answer.response.headers.Add("X-Request-ID", call->handler.request.call.request_id);
  if (!call->admission.traceparent.empty()) answer.response.headers.Add("traceparent", call->admission.traceparent);
  RouteMetrics& metrics = call->admission.route != nullptr ? call->admission.route->metrics : call->routes->Unmatched();
  metrics.Observe(answer.response.status, std::chrono::duration<double>(env_.Now() - call->started).count());
  Done done = std::exchange(call->done, nullptr);
  done(std::move(answer));
}

void LocalServer::Enlist(const std::shared_ptr<Call>& call) {
  const std::scoped_lock lock(mutex_);
  running_.insert(call);
  const auto at = deadlines_.emplace(call->handler.request.call.deadline, call);
  if (at == deadlines_.begin()) changed_.notify_all();
}

void LocalServer::Delist(const std::shared_ptr<Call>& call) {
  const std::scoped_lock lock(mutex_);
  running_.erase(call);
  const auto [from, to] = deadlines_.equal_range(call->handler.request.call.deadline);
  const auto at = std::find_if(from, to, [&](const auto& entry) { return entry.second == call; });
  if (at != to) deadlines_.erase(at);
  if (running_.empty()) changed_.notify_all();
}

void LocalServer::WatchDeadlines(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const Instant next = deadlines_.empty() ? Instant::max() : deadlines_.begin()->first;
    env_.WaitUntil(lock, changed_, next, stop, [&] { return !deadlines_.empty() && deadlines_.begin()->first < next; });
    std::vector<std::shared_ptr<Call>> late;
    while (!deadlines_.empty() && deadlines_.begin()->first <= env_.Now()) {
      late.push_back(std::move(deadlines_.begin()->second));
      deadlines_.erase(deadlines_.begin());
    }
    lock.unlock();
    for (const auto& call : late) {
      timeouts_.Increment();
      // In this order: what a handler says because it was told to stop is not the answer.
      Refuse(call, ErrorResponse({ErrorCode::kDeadlineExceeded, "the deadline of the request has passed", {}}));
      call->handler.stop.request_stop();
    }
    late.clear();
    lock.lock();
  }
}

bool LocalServer::Drain(std::chrono::milliseconds patience) {
  const std::scoped_lock one_at_a_time(drain_mutex_);
  draining_ = true;
  bool in_time = false;
  {
    std::unique_lock lock(mutex_);
    for (const auto& [buffer, stream] : streams_) {
      if (const auto open = stream.lock()) open->Close();
    }
    in_time = env_.WaitUntil(lock, changed_, env_.Now() + patience, {}, [this] { return running_.empty(); });
    for (const auto& call : running_) call->handler.stop.request_stop();
  }
  workers_.Stop();
  return in_time;
}

Result<void> LocalServer::CheckAlive() { return CheckWorkers(workers_, options_.limits); }

std::size_t LocalServer::InFlight() const {
  const std::scoped_lock lock(mutex_);
  return running_.size();
}

}  // namespace seedcore::net
