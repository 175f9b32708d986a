#include <algorithm>
#include <cstring>
#include <netinet/tcp.h>
#include <string>
#include <sys/socket.h>
#include <utility>
#include <vector>

#include "net/connection_internal.h"
#include "net/forwarder.h"
#include "net/handler_call.h"
#include "net/io_loop_internal.h"
#include "net/target.h"
#include "net/wire.h"

namespace seedcore::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

std::string NameOf(const asio::generic::stream_protocol::endpoint& peer) {
  if (peer.data()->sa_family == AF_UNIX) return "same host";
  tcp::endpoint where;
  std::memcpy(where.data(), peer.data(), std::min(peer.size(), where.capacity()));
  return HostPort{where.address().to_string(), where.port()}.ToString();
}

}  // namespace

ServerCore::ServerCore(const ServerOptions& o, Env& e, Metrics& metrics)
    : options(o),
      env(e),
      gate(o, e),
      workers(o.limits.worker_threads, o.limits.worker_queue, e),
      connections_gauge(metrics.GetGauge("seedcore_http_connections", "Open HTTP connections")),
      streams_gauge(metrics.GetGauge("seedcore_http_streams", "Open event streams")),
      rejected_connections(RejectedCounter(metrics, "connections")),
      rejected_queue(RejectedCounter(metrics, "worker_queue")),
      rejected_streams(RejectedCounter(metrics, "streams")),
      bad_requests(RejectedCounter(metrics, "bad_request")),
      timeouts(RejectedCounter(metrics, "timeout")) {}

Response ServerCore::Busy(std::string message) const { return BusyResponse(std::move(message), options.limits); }

IoLoop::IoLoop(ServerCore& core)
    : core_(core),
      context_(BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO),
      keep_running_(context_.get_executor()),
      timer_(context_) {
  UpdateClocks();
}

IoLoop::~IoLoop() = default;

void IoLoop::Start() {
  thread_ = std::jthread([this] {
    Tick();
    context_.run();
  });
}

void IoLoop::UpdateClocks() {
  now_ = core_.env.Now();
  const WallTime wall = core_.env.WallNow();
  const std::int64_t second = std::chrono::floor<std::chrono::seconds>(wall).time_since_epoch().count();
  if (second != date_second_) {
    date_second_ = second;
    date_ = HttpDate(wall);
  }
}

void IoLoop::Tick() {
  if (stopping_) return;
  UpdateClocks();
  // What a tick sets off may end connections, so the list is not walked while they are told.
  std::vector<std::shared_ptr<Connection>> alive;
  alive.reserve(connections_.size());
  for (const auto& connection : connections_) {
    if (auto held = connection.lock()) alive.push_back(std::move(held));
  }
  for (const auto& connection : alive) connection->Tick(now_);
  upstreams_.Tick(now_);
  for (const auto& forwarder : forwarders_) forwarder->TryEjected(*this);
  timer_.expires_after(core_.options.limits.tick);
  timer_.async_wait([this](error_code error) {
    if (!error) Tick();
  });
}

void IoLoop::Adopt(int fd, const asio::generic::stream_protocol::endpoint& peer, RouteTable& routes, bool refuse) {
  asio::post(context_, [self = shared_from_this(), fd, peer, &routes, refuse] {
    LoopSocket socket(self->context_);
    error_code error;
    socket.assign(peer.protocol(), fd, error);
    socket.non_blocking(true, error);
    const int on = 1;
    // Responses are written whole; waiting for more to send would only delay them.
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    std::make_shared<Connection>(self, std::move(socket), NameOf(peer), routes, refuse)->Start();
  });
}

void IoLoop::Enlist(Connection& connection) {
  connection.place = connections_.insert(connections_.end(), connection.weak_from_this());
  core_.connections_gauge.Add(1);
}

void IoLoop::Delist(Connection& connection) {
  connections_.erase(connection.place);
  core_.connections_gauge.Add(-1);
  if (core_.connections.fetch_sub(1) == 1) {
    const std::scoped_lock lock(core_.mutex);
    core_.all_closed.notify_all();
  }
}

void IoLoop::Drain() {
  asio::post(context_, [self = shared_from_this()] {
    const auto connections = self->connections_;
    for (const auto& connection : connections) {
      if (const auto held = connection.lock()) held->Drain();
    }
  });
}

void IoLoop::Cut() {
  asio::post(context_, [self = shared_from_this()] {
    const auto connections = self->connections_;
    for (const auto& connection : connections) {
      if (const auto held = connection.lock()) held->Cut();
    }
  });
}

void IoLoop::Join() {
  asio::post(context_, [self = shared_from_this()] {
    self->timer_.cancel();
    self->stopping_ = true;
    self->upstreams_.Stop();
    self->keep_running_.reset();
  });
  thread_.join();
}

}  // namespace seedcore::net
