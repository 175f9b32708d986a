#include "ray/client/port_peek.h"

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "net/socket.h"

namespace seedcore::ray {
namespace {

using namespace std::string_view_literals;

/// A server that has something to say says it at once; only a diagnosis waits for it.
constexpr std::chrono::milliseconds kPatience{1'000};

/// RFC 9113 section 3.4: the preface, then an empty SETTINGS frame.
constexpr std::string_view kHttp2Greeting =
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
    "\x00\x00\x00\x04\x00\x00\x00\x00\x00"sv;

/// RFC 5246: a TLS 1.2 ClientHello with common cipher suites, curves and signatures, and ALPN "h2". Servers of TLS 1.3
/// alone answer it with an alert, which is as telling.
constexpr std::string_view kTlsGreeting =
    "\x16\x03\x01\x00\x60"              // handshake record, 96 bytes
    "\x01\x00\x00\x5c\x03\x03"          // ClientHello, 92 bytes, TLS 1.2
    "SeedCore asks what speaks here. "  // 32 bytes where a random number belongs: nothing will be encrypted
    "\x00"                              // no session
    "\x00\x0a\xc0\x2f\xc0\x30\xc0\x2b\xc0\x2c\x00\x9c"
    "\x01\x00"                                  // no compression
    "\x00\x29"                                  // 41 bytes of extensions
    "\x00\x0a\x00\x06\x00\x04\x00\x17\x00\x1d"  // curves P-256, X25519
    "\x00\x0b\x00\x02\x01\x00"                  // uncompressed points
    "\x00\x0d\x00\x0c\x00\x0a\x04\x01\x05\x01\x04\x03\x08\x04\x08\x05"
    "\x00\x10\x00\x05\x00\x03\x02h2"sv;  // ALPN

/// The first bytes of the answer; empty when the server only closes or stays silent, nothing when there is none.
std::optional<std::string> FirstAnswer(const net::HostPort& where, std::string_view greeting, Instant deadline,
                                       Env& env) {
  auto socket = net::Socket::Connect(where, deadline, env);
  if (!socket) return std::nullopt;
  if (!socket->WriteAll(greeting, deadline, env)) return std::string{};
  std::array<char, 16> buffer{};
  std::string answer;
  while (answer.size() < 5) {
    const auto read = socket->Read(buffer.data(), buffer.size(), deadline, env);
    if (!read || *read == 0) break;
    answer.append(buffer.data(), *read);
  }
  return answer;
}

bool IsTlsRecord(std::string_view answer) {
  // Handshake or alert, of any version 3.x.
  return answer.size() >= 3 && (answer[0] == '\x16' || answer[0] == '\x15') && answer[1] == '\x03';
}

PortKind KindOf(std::string_view answer) {
  if (answer.empty()) return PortKind::kSilent;
  if (IsTlsRecord(answer)) return PortKind::kTls;
  if (answer.starts_with("HTTP/")) return PortKind::kHttp1;
  // A SETTINGS frame: type 4 after three bytes of length.
  if (answer.size() >= 4 && answer[0] == '\0' && answer[3] == '\x04') return PortKind::kHttp2;
  return PortKind::kOther;
}

}  // namespace

PortKind PeekPort(const net::HostPort& where, const CallContext& call, Env& env) {
  const auto plain = FirstAnswer(where, kHttp2Greeting, call.Within(kPatience, env).deadline, env);
  if (!plain) return PortKind::kNothing;
  if (const PortKind kind = KindOf(*plain); kind != PortKind::kSilent) return kind;
  const auto encrypted = FirstAnswer(where, kTlsGreeting, call.Within(kPatience, env).deadline, env);
  if (encrypted && IsTlsRecord(*encrypted)) return PortKind::kTls;
  return PortKind::kSilent;
}

}  // namespace seedcore::ray
