#include "net/socket.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>

namespace seedcore::net {
namespace {

std::unexpected<Error> Broken(std::string_view what, int error) {
  return Fail(ErrorCode::kUnavailable, fmt::format("{}: {}", what, std::strerror(error)));
}

}  // namespace

Socket::~Socket() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Socket> Socket::Connect(const HostPort& where, Instant deadline, Env& env) {
  SEEDCORE_RETURN_IF_ERROR(env.Fault("net.client.connect"));
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int status = ::getaddrinfo(where.host.c_str(), std::to_string(where.port).c_str(), &hints, &found);
      status != 0) {
    return Fail(ErrorCode::kUnavailable, fmt::format("can't resolve '{}': {}", where.host, ::gai_strerror(status)));
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
  const std::string name = "can't connect to " + where.ToString();
  Error last{ErrorCode::kUnavailable, name + ": no address", {}};
  for (const addrinfo* address = addresses.get(); address != nullptr; address = address->ai_next) {
    Socket socket(::socket(address->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    if (socket.fd_ < 0) return Broken(name, errno);
    if (::connect(socket.fd_, address->ai_addr, address->ai_addrlen) != 0) {
      if (errno != EINPROGRESS) {
        last = Broken(name, errno).error();
        continue;
      }
      if (auto ready = socket.WaitFor(POLLOUT, deadline, env); !ready) {
        return Fail(ready.error().code, name + ": " + ready.error().message);
      }
      int error = 0;
      socklen_t size = sizeof error;
      ::getsockopt(socket.fd_, SOL_SOCKET, SO_ERROR, &error, &size);
      if (error != 0) {
        last = Broken(name, error).error();
        continue;
      }
    }
    const int on = 1;
    ::setsockopt(socket.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return socket;
  }
  return std::unexpected(std::move(last));
}

Result<void> Socket::WaitFor(short events, Instant deadline, Env& env) const {
  constexpr auto kLongest = std::chrono::hours(1);  // poll() counts milliseconds in an int
  while (true) {
    const auto left = std::min<std::chrono::nanoseconds>(deadline - env.Now(), kLongest);
    if (left <= left.zero()) return Fail(ErrorCode::kDeadlineExceeded, "timed out");
    pollfd wait{.fd = fd_, .events = events, .revents = 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(left).count()));
    if (ready > 0) return {};
    if (ready == 0 && left < kLongest) return Fail(ErrorCode::kDeadlineExceeded, "timed out");
    if (ready < 0 && errno != EINTR) return Broken("poll", errno);
  }
}

Result<void> Socket::WriteAll(std::string_view bytes, Instant deadline, Env& env) {
  while (!bytes.empty()) {
    const auto sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
    } else if (errno == EAGAIN) {
      SEEDCORE_RETURN_IF_ERROR(WaitFor(POLLOUT, deadline, env));
    } else if (errno != EINTR) {
      return Broken("the connection broke while sending", errno);
    }
  }
  return {};
}

Result<std::size_t> Socket::Read(char* buffer, std::size_t size, Instant deadline, Env& env) {
  while (true) {
    const auto got = ::recv(fd_, buffer, size, 0);
    if (got >= 0) return static_cast<std::size_t>(got);
    if (errno == EAGAIN) {
      SEEDCORE_RETURN_IF_ERROR(WaitFor(POLLIN, deadline, env));
    } else if (errno != EINTR) {
      return Broken("the connection broke while receiving", errno);
    }
  }
}

bool Socket::IsQuiet() const {
  char byte;
  return ::recv(fd_, &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN;
}

void Socket::Interrupt() { ::shutdown(fd_, SHUT_RDWR); }

}  // namespace seedcore::net
