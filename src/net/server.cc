#include "net/server.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <deque>
#include <functional>
#include <future>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"
#include "net/handler_call.h"
#include "net/io_loop_internal.h"
#include "net/same_host.h"

namespace seedcore::net {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

namespace {

constexpr int kBacklog = 1024;
constexpr auto kAcceptPause = std::chrono::milliseconds(100);
/// Connections over the limit that are being told so; beyond these they are closed without a word.
constexpr std::size_t kRefusalsAtOnce = 64;

/// What is said of accepting that fails: a line when it begins, one when it is over, and no more of both than one a
/// minute. Only on the accepting loop.
class AcceptLog {
 public:
  void Failed(int reason, Instant now) {
    const bool is_news = std::exchange(reason_, reason) != reason;
    if (!is_news || (said_at_ && now - *said_at_ < kPause)) return;
    said_at_ = now;
    is_said_ = true;
    log::Warning("can't accept connections", {{"reason", std::strerror(reason)}});
  }
  void Accepted() {
    reason_ = 0;
    if (std::exchange(is_said_, false)) log::Info("connections are accepted again");
  }

 private:
  static constexpr std::chrono::minutes kPause{1};
  int reason_ = 0;  // of the last attempt; 0: it did not fail
  bool is_said_ = false;
  std::optional<Instant> said_at_;
};

/// What one accepting socket does when it can't.
struct Trouble {
  explicit Trouble(asio::io_context& context) : pause(context) {}

  asio::steady_timer pause;
  AcceptLog log;
};

/// A bound address with its routes.
struct Listener {
  explicit Listener(Metrics& metrics) : routes(metrics) {}

  RouteTable routes;
  std::optional<tcp::acceptor> acceptor;
  std::optional<asio::posix::stream_descriptor> same_host;  // the Unix socket beside it
  std::optional<Trouble> trouble;
  std::optional<Trouble> same_host_trouble;
};

/// Whether the system still takes connections for it.
bool IsListening(tcp::acceptor& acceptor) {
  int listening = 0;
  socklen_t size = sizeof listening;
  return ::getsockopt(acceptor.native_handle(), SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

/// Who of the loops has answered. Shared with those that answer when nobody waits any more.
struct RollCall {
  explicit RollCall(std::size_t loops) : missing(loops) {}

  std::mutex mutex;  // guards the two below
  std::size_t missing;
  bool listening = true;
  std::condition_variable_any answered;
};

Result<tcp::endpoint> ResolveListener(const HostPort& where) {
  const bool localhost = EqualsIgnoreCase(where.host, "localhost");
  error_code error;
  const auto address = asio::ip::make_address(localhost ? "127.0.0.1" : where.host, error);
  if (error)
    return Fail(ErrorCode::kInvalidArgument, fmt::format("'{}' is not an IP address to listen on", where.host));
  return tcp::endpoint(address, where.port);
}

}  // namespace

class Server::Impl {
 public:
  Impl(ServerOptions options, Env& env, Metrics& metrics)
      : options_(std::move(options)), core_(options_, env, metrics) {
    for (std::size_t i = 0; i < options_.listen.size(); ++i) listeners_.emplace_back(metrics);
  }

  Result<void> AddRoutes(std::size_t listener, std::vector<Route> routes) {
    SEEDCORE_CHECK(!started_, "routes are read without a lock once the server runs");
    if (listener >= listeners_.size()) {
      return Fail(ErrorCode::kInvalidArgument, fmt::format("there is no listener {}", listener));
    }
    for (const Route& route : routes) {
      if (route.forwarder) forwarders_.insert(route.forwarder);
    }
    return listeners_[listener].routes.Add(std::move(routes));
  }

  Result<void> Bind();
  Result<void> Start();
  Result<void> ListenOnSameHost(const HostPort& where);
  Result<void> CheckAlive(std::chrono::milliseconds patience);
  void Stop(std::chrono::milliseconds drain);
  const std::vector<HostPort>& endpoints() const { return endpoints_; }
  std::size_t InFlight() const { return core_.in_flight.load(std::memory_order_relaxed); }

 private:
  Result<void> Bind(Listener& listener, const std::string& text);
  /// `door` is what somebody comes in by.
  template <class Door>
  void Accept(Listener& listener, Door& door, Trouble& trouble);
  /// False when the listener has to pause.
  bool TakeAll(Listener& listener, int door, AcceptLog& log);
  /// Runs `task` on the loop that accepts, and waits for it.
  void OnAcceptingLoop(const std::function<void()>& task);
  void CloseListeners();
  void WaitUntilClosed(Instant deadline);

  const ServerOptions options_;
  ServerCore core_;
  std::vector<std::shared_ptr<IoLoop>> loops_;  // the first one accepts
  std::deque<Listener> listeners_;
  std::set<std::shared_ptr<Forwarder>> forwarders_;  // of all routes
  std::vector<HostPort> endpoints_;
  std::size_t next_loop_ = 0;  // only the accepting thread
  bool started_ = false;
  bool stopped_ = false;
};

Result<void> Server::Impl::Bind() {
  SEEDCORE_CHECK(loops_.empty(), "a server binds once");
  const unsigned wanted = options_.limits.io_threads;
  const unsigned count = wanted != 0 ? wanted : std::max(1U, std::thread::hardware_concurrency());
  for (unsigned i = 0; i < count; ++i) loops_.push_back(std::make_shared<IoLoop>(core_));
  for (std::size_t i = 0; i < listeners_.size(); ++i) {
    if (auto bound = Bind(listeners_[i], options_.listen[i]); !bound) {
      for (Listener& listener : listeners_) {
        listener.acceptor.reset();
        listener.trouble.reset();
      }
      endpoints_.clear();
      loops_.clear();
      return bound;
    }
  }
  return {};
}

Result<void> Server::Impl::Start() {
  SEEDCORE_CHECK(!started_, "a server starts once");
  if (loops_.empty()) SEEDCORE_RETURN_IF_ERROR(Bind());
  started_ = true;
  for (const auto& forwarder : forwarders_) loops_.front()->LookAfter(forwarder);
  for (Listener& listener : listeners_) Accept(listener, *listener.acceptor, *listener.trouble);
  for (const auto& loop : loops_) loop->Start();
  return {};
}

Result<void> Server::Impl::Bind(Listener& listener, const std::string& text) {
  SEEDCORE_ASSIGN_OR_RETURN(const HostPort where, ParseHostPort(text));
  SEEDCORE_RETURN_IF_ERROR(CheckBind(where.host, options_.auth.tokens, options_.insecure_no_auth));
  SEEDCORE_ASSIGN_OR_RETURN(const tcp::endpoint endpoint, ResolveListener(where));
  const auto failed = [&](const error_code& error) {
    return Fail(ErrorCode::kUnavailable, fmt::format("can't listen on {}: {}", where.ToString(), error.message()));
  };
  tcp::acceptor& acceptor = listener.acceptor.emplace(loops_.front()->context());
  listener.trouble.emplace(loops_.front()->context());
  error_code error;
  if (acceptor.open(endpoint.protocol(), error)) return failed(error);
  if (acceptor.set_option(tcp::acceptor::reuse_address(true), error)) return failed(error);
  if (acceptor.bind(endpoint, error)) return failed(error);
  if (acceptor.listen(kBacklog, error)) return failed(error);
  if (acceptor.non_blocking(true, error)) return failed(error);
  const auto bound = acceptor.local_endpoint(error);
  if (error) return failed(error);
  endpoints_.push_back({bound.address().to_string(), bound.port()});
  return {};
}

Result<void> Server::Impl::ListenOnSameHost(const HostPort& where) {
  SEEDCORE_CHECK(started_ && !stopped_, "its loops run");
  SEEDCORE_ASSIGN_OR_RETURN(const int fd, net::ListenOnSameHost(where));
  OnAcceptingLoop([&] {
    Listener& listener = listeners_.front();
    listener.same_host.emplace(loops_.front()->context(), fd);
    listener.same_host_trouble.emplace(loops_.front()->context());
    Accept(listener, *listener.same_host, *listener.same_host_trouble);
  });
  return {};
}

template <class Door>
void Server::Impl::Accept(Listener& listener, Door& door, Trouble& trouble) {
  door.async_wait(Door::wait_read, [this, &listener, &door, &trouble](error_code error) {
    if (error || !door.is_open()) return;
    if (TakeAll(listener, door.native_handle(), trouble.log)) {
      Accept(listener, door, trouble);
      return;
    }
    trouble.pause.expires_after(kAcceptPause);
    trouble.pause.async_wait([this, &listener, &door, &trouble](error_code stopped) {
      if (!stopped) Accept(listener, door, trouble);
    });
  });
}

bool Server::Impl::TakeAll(Listener& listener, int door, AcceptLog& log) {
  constexpr int kBatch = 64;
  for (int i = 0; i < kBatch; ++i) {
    asio::generic::stream_protocol::endpoint peer;
    socklen_t size = static_cast<socklen_t>(peer.capacity());
    const int fd = ::accept4(door, peer.data(), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
      if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return true;
      log.Failed(errno, core_.env.Now());
      core_.rejected_connections.Increment();
      return false;
    }
    log.Accepted();
    peer.resize(size);
    const std::size_t open = core_.connections.fetch_add(1);
    const std::size_t limit = options_.limits.connections;
    if (open >= limit + kRefusalsAtOnce) {
      core_.connections.fetch_sub(1);
      core_.rejected_connections.Increment();
      ::close(fd);
      continue;
    }
    // Round robin keeps the loops evenly loaded even with few connections.
    const auto& loop = loops_[next_loop_++ % loops_.size()];
    loop->Adopt(fd, peer, listener.routes, open >= limit);
  }
  return true;
}

void Server::Impl::OnAcceptingLoop(const std::function<void()>& task) {
  std::promise<void> done;
  asio::post(loops_.front()->context(), [&] {
    task();
    done.set_value();
  });
  done.get_future().wait();
}

Result<void> Server::Impl::CheckAlive(std::chrono::milliseconds patience) {
  if (!started_ || stopped_) return Fail(ErrorCode::kUnavailable, "the listener has stopped");
  const auto roll = std::make_shared<RollCall>(loops_.size());
  for (const auto& loop : loops_) {
    asio::post(loop->context(), [this, roll, accepts = loop == loops_.front()] {
      const bool listening =
          !accepts || std::ranges::all_of(listeners_, [](Listener& each) { return IsListening(*each.acceptor); });
      const std::scoped_lock lock(roll->mutex);
      roll->listening = roll->listening && listening;
      --roll->missing;
      roll->answered.notify_all();
    });
  }
  std::unique_lock lock(roll->mutex);
  const Instant deadline = core_.env.Now() + patience;
  const bool all_run = core_.env.WaitUntil(lock, roll->answered, deadline, {}, [&] { return roll->missing == 0; });
  if (!all_run) return Fail(ErrorCode::kUnavailable, "an event loop of the listener does not run any more");
  if (!roll->listening) return Fail(ErrorCode::kUnavailable, "the listener does not accept connections any more");
  return CheckWorkers(core_.workers, options_.limits);
}

void Server::Impl::CloseListeners() {
  OnAcceptingLoop([this] {
    for (Listener& listener : listeners_) {
      error_code ignored;
      listener.acceptor->close(ignored);
      listener.trouble->pause.cancel();
      if (!listener.same_host) continue;
      listener.same_host->close(ignored);
      listener.same_host_trouble->pause.cancel();
    }
  });
}

void Server::Impl::WaitUntilClosed(Instant deadline) {
  std::unique_lock lock(core_.mutex);
  core_.env.WaitUntil(lock, core_.all_closed, deadline, {}, [this] { return core_.connections.load() == 0; });
}

void Server::Impl::Stop(std::chrono::milliseconds drain) {
  if (!started_ || std::exchange(stopped_, true)) return;
  core_.draining = true;
  CloseListeners();
  for (const auto& loop : loops_) loop->Drain();
  WaitUntilClosed(core_.env.Now() + drain);
  for (const auto& loop : loops_) loop->Cut();
  WaitUntilClosed(Instant::max());
  // The workers first: what they finish is posted to loops that still run.
  core_.workers.Stop();
  for (const auto& loop : loops_) loop->Join();
}

Server::Server(ServerOptions options, Env& env, Metrics& metrics)
    : impl_(std::make_unique<Impl>(std::move(options), env, metrics)) {}

Server::~Server() { impl_->Stop(std::chrono::milliseconds(0)); }

Result<void> Server::AddRoutes(std::size_t listener, std::vector<Route> routes) {
  return impl_->AddRoutes(listener, std::move(routes));
}
Result<void> Server::Bind() { return impl_->Bind(); }
Result<void> Server::Start() { return impl_->Start(); }
Result<void> Server::ListenOnSameHost(const HostPort& where) { return impl_->ListenOnSameHost(where); }
const std::vector<HostPort>& Server::endpoints() const { return impl_->endpoints(); }
std::size_t Server::InFlight() const { return impl_->InFlight(); }
Result<void> Server::CheckAlive(std::chrono::milliseconds patience) { return impl_->CheckAlive(patience); }
void Server::Stop(std::chrono::milliseconds drain) { impl_->Stop(drain); }

}  // namespace seedcore::net
