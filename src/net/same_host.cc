#include "net/same_host.h"

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <fmt/format.h>

namespace seedcore::net {
namespace {

constexpr int kSameHostBacklog = 1024;

struct Name {
  explicit Name(const HostPort& where) {
    const std::string text = "seedcore/" + where.ToString();
    address.sun_family = AF_UNIX;
    // After a zero byte: abstract. An IP address and a port are far shorter than the room there is.
    const std::size_t length = text.copy(address.sun_path + 1, sizeof address.sun_path - 1);
    size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  }
  [[nodiscard]] const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&address); }

  sockaddr_un address{};
  socklen_t size = 0;
};

int NewSocket() { return ::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

/// Whether the process at the other end runs as the user that this one runs as.
bool IsSameUser(int fd) {
  ucred peer{};
  socklen_t size = sizeof peer;
  return ::getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 && peer.uid == ::geteuid();
}

}  // namespace

Result<int> ListenOnSameHost(const HostPort& where) {
  const Name name(where);
  const int fd = NewSocket();
  if (fd >= 0 && ::bind(fd, name.get(), name.size) == 0 && ::listen(fd, kSameHostBacklog) == 0) return fd;
  const int error = errno;
  if (fd >= 0) ::close(fd);
  return Fail(ErrorCode::kUnavailable,
              fmt::format("can't listen for processes of this host at {}: {}", where.ToString(), std::strerror(error)));
}

int ConnectOnSameHost(const HostPort& where) {
  const Name name(where);
  const int fd = NewSocket();
  if (fd < 0) return -1;
  if (::connect(fd, name.get(), name.size) == 0 && IsSameUser(fd)) return fd;
  ::close(fd);
  return -1;
}

}  // namespace seedcore::net
