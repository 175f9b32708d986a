#include "net/tls.h"

#include <algorithm>
#include <arpa/inet.h>
#include <array>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <climits>
#include <fmt/format.h>

namespace seedcore::net {
namespace {

constexpr std::size_t kRecord = 16 * 1024 + 512;  // the largest TLS record, with its overhead

/// The oldest error of this thread's queue, which is emptied.
std::string TakeError() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason == nullptr ? "unknown error" : reason;
}

int Length(std::size_t size) { return static_cast<int>(std::min<std::size_t>(size, INT_MAX)); }

bool IsAddress(const std::string& host) {
  std::array<unsigned char, sizeof(in6_addr)> address{};
  return ::inet_pton(AF_INET, host.c_str(), address.data()) == 1 ||
         ::inet_pton(AF_INET6, host.c_str(), address.data()) == 1;
}

std::unexpected<Error> Refused(const HostPort& server, SSL* session) {
  if (const long verdict = SSL_get_verify_result(session); verdict != X509_V_OK) {
    ERR_clear_error();
    return Fail(ErrorCode::kUnavailable, fmt::format("the certificate of {} is refused: {}", server.ToString(),
                                                     X509_verify_cert_error_string(verdict)));
  }
  const unsigned long code = ERR_peek_error();
  const bool no_tls = ERR_GET_REASON(code) == SSL_R_WRONG_VERSION_NUMBER || ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST;
  return Fail(ErrorCode::kUnavailable, fmt::format("no TLS with {}: {}{}", server.ToString(), TakeError(),
                                                   no_tls ? "; it may speak plain http" : ""));
}

}  // namespace

Result<std::shared_ptr<const TlsTrust>> TlsTrust::Load(const std::string& ca_file) {
  ERR_clear_error();
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  if (context == nullptr) return Fail(ErrorCode::kInternal, "OpenSSL: " + TakeError());
  std::shared_ptr<const TlsTrust> trust(new TlsTrust(context));
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  const bool loaded = ca_file.empty() ? SSL_CTX_set_default_verify_paths(context) == 1
                                      : SSL_CTX_load_verify_file(context, ca_file.c_str()) == 1;
  if (!loaded) return Fail(ErrorCode::kInvalidArgument, "no certificates to trust: " + TakeError(), ca_file);
  return trust;
}

TlsTrust::~TlsTrust() { SSL_CTX_free(context_); }

void TlsSession::Free::operator()(ssl_st* session) const { SSL_free(session); }

Result<TlsSession> TlsSession::Handshake(const TlsTrust& trust, const HostPort& server, Socket& socket,
                                         Instant deadline, Env& env) {
  ERR_clear_error();
  TlsSession tls(SSL_new(trust.context()));
  BIO* incoming = BIO_new(BIO_s_mem());
  BIO* outgoing = BIO_new(BIO_s_mem());
  if (tls.session_ == nullptr || incoming == nullptr || outgoing == nullptr) {
    BIO_free(incoming);
    BIO_free(outgoing);
    return Fail(ErrorCode::kInternal, "OpenSSL: " + TakeError());
  }
  SSL* session = tls.session_.get();
  SSL_set_bio(session, incoming, outgoing);
  SSL_set_connect_state(session);
  const auto announce = [&](std::string name) {  // what the macro SSL_set_tlsext_host_name does
    return SSL_ctrl(session, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name.data()) == 1;
  };
  const bool named = IsAddress(server.host)
                         ? X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), server.host.c_str()) == 1
                         : SSL_set1_host(session, server.host.c_str()) == 1 && announce(server.host);
  if (!named) return Fail(ErrorCode::kInvalidArgument, "no host name for TLS: " + server.host);
  while (true) {
    const int status = SSL_do_handshake(session);
    const int reason = SSL_get_error(session, status);
    // Also after a failure: the alert tells the server why.
    auto flushed = tls.Flush(socket, deadline, env);
    if (status == 1) {
      SEEDCORE_RETURN_IF_ERROR(flushed);
      return tls;
    }
    if (reason != SSL_ERROR_WANT_READ) return Refused(server, session);
    SEEDCORE_RETURN_IF_ERROR(flushed);
    SEEDCORE_RETURN_IF_ERROR(tls.Receive(socket, deadline, env));
  }
}

Result<void> TlsSession::Flush(Socket& socket, Instant deadline, Env& env) {
  BIO* outgoing = SSL_get_wbio(session_.get());
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(outgoing, &bytes);
  if (size <= 0) return {};
  const auto sent = socket.WriteAll({bytes, static_cast<std::size_t>(size)}, deadline, env);
  static_cast<void>(BIO_reset(outgoing));
  return sent;
}

Result<std::size_t> TlsSession::Receive(Socket& socket, Instant deadline, Env& env) {
  std::array<char, kRecord> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): written before it is read
  SEEDCORE_ASSIGN_OR_RETURN(const std::size_t size, socket.Read(buffer.data(), buffer.size(), deadline, env));
  BIO* incoming = SSL_get_rbio(session_.get());
  if (size == 0) {
    BIO_set_mem_eof_return(incoming, 0);  // from now on the end of what came is the end of all
  } else if (BIO_write(incoming, buffer.data(), Length(size)) != Length(size)) {
    return Fail(ErrorCode::kResourceExhausted, "OpenSSL: " + TakeError());
  }
  return size;
}

Result<void> TlsSession::WriteAll(std::string_view bytes, Socket& socket, Instant deadline, Env& env) {
  ERR_clear_error();
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, kRecord);
    const int written = SSL_write(session_.get(), part.data(), Length(part.size()));
    if (written > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(written));
      SEEDCORE_RETURN_IF_ERROR(Flush(socket, deadline, env));
    } else if (SSL_get_error(session_.get(), written) == SSL_ERROR_WANT_READ) {
      SEEDCORE_RETURN_IF_ERROR(Flush(socket, deadline, env));
      SEEDCORE_RETURN_IF_ERROR(Receive(socket, deadline, env));
    } else {
      return Fail(ErrorCode::kUnavailable, "the TLS connection broke while sending: " + TakeError());
    }
  }
  return {};
}

Result<std::size_t> TlsSession::Read(char* buffer, std::size_t size, Socket& socket, Instant deadline, Env& env) {
  ERR_clear_error();
  while (true) {
    const int got = SSL_read(session_.get(), buffer, Length(size));
    if (got > 0) return static_cast<std::size_t>(got);
    switch (SSL_get_error(session_.get(), got)) {
      case SSL_ERROR_ZERO_RETURN: return std::size_t{0};
      case SSL_ERROR_WANT_READ:
        SEEDCORE_RETURN_IF_ERROR(Flush(socket, deadline, env));
        SEEDCORE_RETURN_IF_ERROR(Receive(socket, deadline, env));
        break;
      default: return Fail(ErrorCode::kUnavailable, "the TLS connection broke while receiving: " + TakeError());
    }
  }
}

bool TlsSession::IsQuiet(Socket& socket) {
  ERR_clear_error();
  while (!socket.IsQuiet()) {
    // Whatever came is there already: a deadline in the past does not matter.
    if (Receive(socket, Instant::min(), RealEnv()).value_or(0) == 0) return false;
  }
  char byte = 0;
  const int got = SSL_peek(session_.get(), &byte, 1);
  return got <= 0 && SSL_get_error(session_.get(), got) == SSL_ERROR_WANT_READ;
}

}  // namespace seedcore::net
