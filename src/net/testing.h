#pragma once

#include <arpa/inet.h>
#include <cerrno>
#include <cstdlib>
#include <future>
#include <memory>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <string_view>
#include <sys/socket.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "base/env.h"
#include "base/metrics.h"
#include "base/strings.h"
#include "net/server.h"

// For the tests of this room and of tests/: a client that sends exactly the bytes it is told to.
namespace seedcore::net::testing {

struct RawResponse {
  int status = 0;
  std::string head;  ///< status line and fields
  std::string body;

  /// Value of a field; empty when there is none.
  [[nodiscard]] std::string Field(std::string_view name) const {
    const std::string needle = "\r\n" + ToLower(name) + ":";
    const std::size_t at = ToLower(head).find(needle);
    if (at == std::string::npos) return {};
    const std::size_t begin = at + needle.size();
    return std::string(Trim(std::string_view(head).substr(begin, head.find("\r\n", begin) - begin)));
  }
};

/// Listens on a free port of the loopback address.
class LoopbackListener {
 public:
  LoopbackListener() : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(fd_, 16), 0);
    socklen_t size = sizeof address;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }
  LoopbackListener(const LoopbackListener&) = delete;
  LoopbackListener& operator=(const LoopbackListener&) = delete;
  ~LoopbackListener() { ::close(fd_); }

  [[nodiscard]] std::uint16_t port() const { return port_; }
  /// The next connection; -1 after Stop.
  [[nodiscard]] int Accept() const { return ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC); }
  void Stop() const { ::shutdown(fd_, SHUT_RDWR); }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

/// Makes this process's listener at `port` one that takes no connections, behind the back of whoever serves it.
[[nodiscard]] inline bool StopListening(std::uint16_t port) {
  constexpr int kDescriptors = 4096;
  for (int fd = 0; fd < kDescriptors; ++fd) {
    int listening = 0;
    sockaddr_in address{};
    socklen_t size = sizeof listening;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) != 0 || listening == 0) continue;
    size = sizeof address;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) continue;
    if (address.sin_family == AF_INET && ntohs(address.sin_port) == port) return ::shutdown(fd, SHUT_RDWR) == 0;
  }
  return false;
}

inline const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A blocking socket. Gives up after ten seconds, so that a fault fails the test rather than hanging it.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const timeval patience{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  ~RawClient() { ::close(fd_); }

  [[nodiscard]] bool connected() const { return connected_; }
  [[nodiscard]] int fd() const { return fd_; }

  /// False when the server has closed the connection.
  bool Write(std::string_view bytes) {
    while (!bytes.empty()) {
      const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }
  void HalfClose() { ::shutdown(fd_, SHUT_WR); }
  /// Closes with a reset, as a client that died does.
  void Reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(std::exchange(fd_, -1));
  }

  /// Through `delimiter`; what had come when the connection ended, if it did before.
  std::string ReadThrough(std::string_view delimiter) {
    std::size_t at = std::string::npos;
    while ((at = unread_.find(delimiter)) == std::string::npos) {
      if (!More()) return std::exchange(unread_, {});
    }
    return Take(at + delimiter.size());
  }
  std::string Read(std::size_t size) {
    while (unread_.size() < size && More()) {
    }
    return Take(size);
  }
  std::string ReadToEnd() {
    while (More()) {
    }
    return std::exchange(unread_, {});
  }
  /// Whether the server closes in an orderly way with nothing more to say.
  bool EndsHere() { return unread_.empty() && !More() && error_ == 0; }

  RawResponse ReadResponse(bool head_only = false) {
    RawResponse response;
    response.head = ReadThrough("\r\n\r\n");
    if (response.head.size() > 12) response.status = std::atoi(response.head.c_str() + 9);
    if (head_only || response.status == 204) return response;
    if (response.Field("Transfer-Encoding") == "chunked") {
      while (true) {
        const std::string size = ReadThrough("\r\n");
        const auto length = std::strtoul(size.c_str(), nullptr, 16);
        const std::string chunk = Read(length + 2);
        if (length == 0) return response;
        response.body += chunk.substr(0, length);
      }
    }
    response.body = Read(std::strtoul(response.Field("Content-Length").c_str(), nullptr, 10));
    return response;
  }
  RawResponse Exchange(std::string_view bytes) {
    Write(bytes);
    return ReadResponse();
  }

 private:
  bool More() {
    char buffer[16384];
    const auto size = ::recv(fd_, buffer, sizeof buffer, 0);
    error_ = size < 0 ? errno : 0;
    if (size <= 0) return false;
    unread_.append(buffer, static_cast<std::size_t>(size));
    return true;
  }
  std::string Take(std::size_t size) {
    std::string taken = unread_.substr(0, size);
    unread_.erase(0, size);
    return taken;
  }

  int fd_;
  bool connected_ = false;
  int error_ = 0;
  std::string unread_;
};

inline std::string Get(std::string_view target, std::string_view fields = {}) {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: test\r\n" + std::string(fields) + "\r\n";
}

inline std::string Post(std::string_view target, std::string_view body, std::string_view fields = {}) {
  return "POST " + std::string(target) + " HTTP/1.1\r\nHost: test\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

/// What the handler of /echo saw, as text that tests compare.
inline Response Echo(const Request& request) {
  std::string text = std::string(ToString(request.method)) + " " + request.path;
  for (const auto& [name, value] : request.query) text += " " + name + "=" + value;
  for (const auto& [name, value] : request.path_params) text += " {" + name + "}=" + value;
  if (!request.body.empty()) text += " body=" + request.body;
  return {.status = 200, .content_type = "text/plain", .body = std::move(text)};
}

/// A server on a free port with a few routes: /inline, /pool, /items/{id}, /throw, and what the test adds.
class TestServer {
 public:
  explicit TestServer(ServerOptions options = {}, std::vector<Route> more = {}, Env& env = RealEnv())
      : server_(WithShortTick(std::move(options)), env, metrics_) {
    std::vector<Route> routes = {
        {.method = Method::kGet, .pattern = "/inline", .execution = Execution::kInline, .handler = Echo},
        {.method = Method::kPost, .pattern = "/inline", .execution = Execution::kInline, .handler = Echo},
        {.method = Method::kGet, .pattern = "/pool", .handler = Echo},
        {.method = Method::kPost, .pattern = "/pool", .handler = Echo},
        {.method = Method::kGet, .pattern = "/open", .handler = Echo, .requires_auth = false},
        {.method = Method::kGet, .pattern = "/items/{id}", .handler = Echo},
        {.method = Method::kGet,
         .pattern = "/throw",
         .handler = [](const Request&) -> Response { throw std::runtime_error("secret detail"); }},
    };
    for (Route& route : more) routes.push_back(std::move(route));
    const auto added = server_.AddRoutes(0, std::move(routes));
    EXPECT_TRUE(added) << (added ? "" : added.error().message);
    const auto started = server_.Start();
    EXPECT_TRUE(started) << (started ? "" : started.error().message);
  }

  [[nodiscard]] std::uint16_t port() const { return server_.endpoints().front().port; }
  Server& server() { return server_; }
  Metrics& metrics() { return metrics_; }
  [[nodiscard]] double Rejected(const std::string& reason) {
    return metrics_
        .GetCounter("seedcore_http_rejected_total", "Requests and connections turned away, by reason",
                    {{"reason", reason}})
        .Value();
  }
  RawResponse Ask(std::string_view bytes) { return RawClient(port()).Exchange(bytes); }

 private:
  static ServerOptions WithShortTick(ServerOptions options) {
    options.limits.tick = std::chrono::milliseconds(2);
    options.limits.io_threads = 2;
    return options;
  }

  Metrics metrics_;
  Server server_;
};

/// Something a handler waits for and a test lets happen.
class Gateway {
 public:
  void Open() { open_.set_value(); }
  void Pass() { opened_.wait(); }
  void Arrived() { arrived_.set_value(); }
  void AwaitArrival() { arrival_.wait(); }

 private:
  std::promise<void> open_;
  std::shared_future<void> opened_{open_.get_future()};
  std::promise<void> arrived_;
  std::shared_future<void> arrival_{arrived_.get_future()};
};

/// A stream route whose streams the test gets hold of.
struct StreamRoute {
  std::promise<std::shared_ptr<EventStream>> opened;
  Route route() {
    return {
        .method = Method::kGet, .pattern = "/events", .stream = [this](const Request&, auto stream) -> Result<void> {
          opened.set_value(std::move(stream));
          return {};
        }};
  }
};

}  // namespace seedcore::net::testing
