#pragma once

#include <cstddef>
#include <string_view>
#include <utility>

#include "base/env.h"
#include "base/result.h"
#include "net/target.h"

namespace seedcore::net {

/// A TCP connection for code that blocks: every wait ends at a deadline. One thread at a time, but for Interrupt.
class Socket {
 public:
  /// Tries the host's addresses in turn. kUnavailable when none answers, kDeadlineExceeded when time runs out. Looking
  /// a name up is not bounded by `deadline`; an IP address or "localhost" needs no look-up.
  [[nodiscard]] static Result<Socket> Connect(const HostPort& where, Instant deadline, Env& env);

  Socket(Socket&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Socket();

  [[nodiscard]] Result<void> WriteAll(std::string_view bytes, Instant deadline, Env& env);
  /// At least one byte; 0 when the peer has closed.
  [[nodiscard]] Result<std::size_t> Read(char* buffer, std::size_t size, Instant deadline, Env& env);
  /// Whether an idle connection can still be used: the peer has neither closed it nor sent anything.
  [[nodiscard]] bool IsQuiet() const;
  /// Any thread: makes a wait in progress end. The socket is of no use afterwards.
  void Interrupt();

 private:
  explicit Socket(int fd) : fd_(fd) {}
  [[nodiscard]] Result<void> WaitFor(short events, Instant deadline, Env& env) const;

  int fd_ = -1;
};

}  // namespace seedcore::net
