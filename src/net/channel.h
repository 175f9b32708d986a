#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "net/socket.h"
#include "net/tls.h"

namespace seedcore::net {

/// Where a client connects to, and how.
struct Endpoint {
  HostPort where;
  std::shared_ptr<const TlsTrust> trust;  ///< null: no TLS
};

/// A connection of a client, with or without TLS, for code that blocks. One thread at a time, but for Interrupt.
class Channel {
 public:
  /// As Socket::Connect and TlsSession::Handshake, both within `deadline`.
  [[nodiscard]] static Result<Channel> Connect(const Endpoint& endpoint, Instant deadline, Env& env);

  /// As those of Socket.
  [[nodiscard]] Result<void> WriteAll(std::string_view bytes, Instant deadline, Env& env) {
    return tls_ ? tls_->WriteAll(bytes, socket_, deadline, env) : socket_.WriteAll(bytes, deadline, env);
  }
  [[nodiscard]] Result<std::size_t> Read(char* buffer, std::size_t size, Instant deadline, Env& env) {
    return tls_ ? tls_->Read(buffer, size, socket_, deadline, env) : socket_.Read(buffer, size, deadline, env);
  }
  [[nodiscard]] bool IsQuiet() { return tls_ ? tls_->IsQuiet(socket_) : socket_.IsQuiet(); }
  void Interrupt() { socket_.Interrupt(); }

 private:
  explicit Channel(Socket socket) : socket_(std::move(socket)) {}

  Socket socket_;
  std::optional<TlsSession> tls_;
};

}  // namespace seedcore::net
