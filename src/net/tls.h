#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/env.h"
#include "base/result.h"
#include "net/socket.h"

struct ssl_ctx_st;
struct ssl_st;

namespace seedcore::net {

/// What a client believes about servers: their certificates are always verified, TLS 1.2 is the least. Immutable;
/// thread-safe.
class TlsTrust {
 public:
  /// `ca_file`: PEM certificates to trust; empty: those of the system (and SSL_CERT_FILE, SSL_CERT_DIR).
  /// kInvalidArgument when the file cannot be used.
  [[nodiscard]] static Result<std::shared_ptr<const TlsTrust>> Load(const std::string& ca_file);
  ~TlsTrust();
  TlsTrust(const TlsTrust&) = delete;
  TlsTrust& operator=(const TlsTrust&) = delete;

  [[nodiscard]] ssl_ctx_st* context() const { return context_; }

 private:
  explicit TlsTrust(ssl_ctx_st* context) : context_(context) {}
  ssl_ctx_st* context_;
};

/// TLS over a socket, by OpenSSL. It holds no socket: the one given with each call is always the same. One thread at a
/// time.
class TlsSession {
 public:
  /// Shakes hands with `server` and checks that the certificate is its own. kUnavailable names what is wrong with it,
  /// or that no TLS is spoken there; kDeadlineExceeded.
  [[nodiscard]] static Result<TlsSession> Handshake(const TlsTrust& trust, const HostPort& server, Socket& socket,
                                                    Instant deadline, Env& env);

  [[nodiscard]] Result<void> WriteAll(std::string_view bytes, Socket& socket, Instant deadline, Env& env);
  /// At least one byte; 0 when the peer has closed properly. A connection that ends without it is an error: somebody
  /// may have cut the text short.
  [[nodiscard]] Result<std::size_t> Read(char* buffer, std::size_t size, Socket& socket, Instant deadline, Env& env);
  /// As Socket::IsQuiet; messages of TLS itself (session tickets) are taken in.
  [[nodiscard]] bool IsQuiet(Socket& socket);

 private:
  struct Free {
    void operator()(ssl_st* session) const;
  };
  explicit TlsSession(ssl_st* session) : session_(session) {}
  Result<void> Flush(Socket& socket, Instant deadline, Env& env);
  /// Bytes taken in; 0: the peer has closed.
  Result<std::size_t> Receive(Socket& socket, Instant deadline, Env& env);

  std::unique_ptr<ssl_st, Free> session_;
};

}  // namespace seedcore::net
