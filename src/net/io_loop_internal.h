#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "net/asio_internal.h"
#include "net/gate.h"
#include "net/upstream_pool.h"
#include "net/worker_pool.h"

// Internal to the server: the only headers of this room that show Asio.
namespace seedcore::net {

class Connection;
class Forwarder;

/// What all loops and connections of one server share.
struct ServerCore {
  ServerCore(const ServerOptions& o, Env& e, Metrics& metrics);

  const ServerOptions& options;
  Env& env;
  Gate gate;
  WorkerPool workers;
  Gauge& connections_gauge;
  Gauge& streams_gauge;
  Counter& rejected_connections;
  Counter& rejected_queue;
  Counter& rejected_streams;
  Counter& bad_requests;
  Counter& timeouts;

  /// 503 with Retry-After.
  [[nodiscard]] Response Busy(std::string message) const;

  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> streams{0};
  std::atomic<std::size_t> in_flight{0};
  std::atomic<bool> draining{false};

  std::mutex mutex;  // guards nothing but the wait below
  std::condition_variable_any all_closed;
};

/// One event loop on one thread, with the connections that live on it. Methods without a note are for its own thread.
class IoLoop : public std::enable_shared_from_this<IoLoop> {
 public:
  explicit IoLoop(ServerCore& core);
  ~IoLoop();

  /// Before Start: at every tick this loop sees whether those that a forwarder has ejected are back.
  void LookAfter(std::shared_ptr<Forwarder> forwarder) { forwarders_.push_back(std::move(forwarder)); }
  /// Any thread.
  void Start();
  /// Any thread. Takes over an accepted, non-blocking socket.
  void Adopt(int fd, const boost::asio::generic::stream_protocol::endpoint& peer, RouteTable& routes, bool refuse);
  /// Any thread. Idle connections and streams close at once, others after the request they are at.
  void Drain();
  /// Any thread. Closes everything.
  void Cut();
  /// Any thread but the loop's own; every connection has ended.
  void Join();

  void Enlist(Connection& connection);
  void Delist(Connection& connection);

  [[nodiscard]] boost::asio::io_context& context() { return context_; }
  [[nodiscard]] ServerCore& core() { return core_; }
  /// Kept connections to the servers that this loop forwards to.
  [[nodiscard]] UpstreamPool& upstreams() { return upstreams_; }
  /// The time of the last tick: good enough for limits, free of charge.
  [[nodiscard]] Instant CoarseNow() const { return now_; }
  [[nodiscard]] const std::string& Date() const { return date_; }

 private:
  void Tick();
  void UpdateClocks();

  ServerCore& core_;
  boost::asio::io_context context_;
  UpstreamPool upstreams_;
  std::vector<std::shared_ptr<Forwarder>> forwarders_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> keep_running_;
  boost::asio::steady_timer timer_;
  Instant now_;
  std::int64_t date_second_ = 0;
  std::string date_;
  std::list<std::weak_ptr<Connection>> connections_;
  bool stopping_ = false;
  std::jthread thread_;
};

}  // namespace seedcore::net
