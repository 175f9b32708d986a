#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>

#include "base/env.h"
#include "base/metrics.h"
#include "net/event_buffer.h"
#include "net/gate.h"
#include "net/http.h"
#include "net/route_table.h"
#include "net/server.h"
#include "net/worker_pool.h"

namespace seedcore::net {

/// A request that another program has read off its socket, an ASGI server for example.
struct ReceivedRequest {
  std::string method;  ///< as sent
  std::string target;  ///< encoded path and query, as in the request line
  Headers headers;
  std::string body;  ///< complete and de-chunked; still compressed if it came so
  std::string peer;  ///< for logs
};

/// What goes back to the client.
struct Answer {
  Response response;  ///< with X-Request-ID; for HEAD with the body of GET, which is not to be sent
  /// Set: server-sent events follow instead of the body, Take() by Take(). Its consumer says when the client has gone:
  /// Disconnected().
  std::shared_ptr<EventBuffer> stream;
};

/// The HTTP server without its sockets: the same admission, routes, limits, deadlines, worker pool and metrics as
/// Server, for requests that arrive in memory. Thread-safe.
class LocalServer {
 public:
  /// Called exactly once per request unless it was cancelled, on the caller's thread or on one of the server's. Must
  /// not block.
  using Done = std::move_only_function<void(Answer)>;

  /// The caller's hold on a request under way. Keeps nothing alive.
  class Pending {
   public:
    Pending() = default;
    /// The client is gone: the handler's stop token is triggered, and `done` is not called unless that has begun.
    void Cancel();

   private:
    friend class LocalServer;
    struct Call;
    explicit Pending(const std::shared_ptr<Call>& call) : call_(call) {}
    std::weak_ptr<Call> call_;
  };

  /// `env` and `metrics` outlive it. Of the options, what is about listening is not used.
  LocalServer(ServerOptions options, Env& env, Metrics& metrics);
  /// Drains without patience.
  ~LocalServer();
  LocalServer(const LocalServer&) = delete;
  LocalServer& operator=(const LocalServer&) = delete;

  /// Has `request` handled by `routes`, which stay alive as long as they are needed. Too many waiting: 503 with
  /// Retry-After. Past its deadline: 504, and the handler's late answer is dropped. `wake` is called, from any thread,
  /// when the stream of this request has something to Take; it may be empty when no route streams.
  Pending Handle(std::shared_ptr<RouteTable> routes, ReceivedRequest request, std::function<void()> wake, Done done);

  /// Answers new requests with 503 from now on, ends streams, and waits until those under way are done. After
  /// `patience` their stop tokens are triggered. Returns whether all were done in time. Returns when every handler has
  /// returned: one that ignores its stop token and its deadline holds it up. Idempotent.
  bool Drain(std::chrono::milliseconds patience);

  /// As Server::CheckAlive; there are no event loops and listeners.
  [[nodiscard]] Result<void> CheckAlive();

  /// Requests being handled or waiting for a worker.
  [[nodiscard]] std::size_t InFlight() const;

 private:
  using Call = Pending::Call;
  void Run(const std::shared_ptr<Call>& call);
  void Refuse(const std::shared_ptr<Call>& call, Response response);
  void Deliver(const std::shared_ptr<Call>& call, Answer answer);
  void Enlist(const std::shared_ptr<Call>& call);
  void Delist(const std::shared_ptr<Call>& call);
  void WatchDeadlines(const std::stop_token& stop);

  const ServerOptions options_;
  Env& env_;
  const Gate gate_;
  Counter& rejected_queue_;
  Counter& rejected_streams_;
  Counter& timeouts_;
  std::atomic<bool> draining_ = false;

  mutable std::mutex mutex_;  // guards the three below
  std::set<std::shared_ptr<Call>> running_;
  std::multimap<Instant, std::shared_ptr<Call>> deadlines_;  // of calls in running_ that were not answered yet
  std::map<EventBuffer*, std::weak_ptr<EventBuffer>> streams_;
  std::condition_variable_any changed_;

  std::mutex drain_mutex_;  // one Drain at a time
  WorkerPool workers_;
  std::jthread watch_;  // last: it uses all of the above
};

}  // namespace seedcore::net
