// The client's side of TLS, against a server made of OpenSSL alone.
#include <csignal>
#include <fstream>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/client.h"
#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;
using ::testing::HasSubstr;

struct Identity {
  std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{EVP_EC_gen("P-256"), &EVP_PKEY_free};
  std::unique_ptr<X509, decltype(&X509_free)> certificate{X509_new(), &X509_free};

  /// Signed by itself, for `names` as in a subjectAltName, from yesterday to `days` from now.
  explicit Identity(const char* names, long days = 1) {
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    constexpr long kDay = 24L * 3600;
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -2 * kDay);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), days * kDay);
    X509_set_pubkey(certificate.get(), key.get());
    X509_NAME* name = X509_get_subject_name(certificate.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
    X509_set_issuer_name(certificate.get(), name);
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, names);
    X509_add_ext(certificate.get(), extension, -1);
    X509_EXTENSION_free(extension);
    X509_sign(certificate.get(), key.get(), EVP_sha256());
  }

  /// The certificate, as a file to trust at `path`.
  const std::string& Write(const std::string& path) const {
    FILE* file = std::fopen(path.c_str(), "w");
    PEM_write_X509(file, certificate.get());
    std::fclose(file);
    return path;
  }
};

/// Answers each request with its number on the connection, until the client closes.
class TlsServer {
 public:
  explicit TlsServer(const Identity& identity, bool cut_short = false) : cut_short_(cut_short) {
    SSL_CTX_use_certificate(context_.get(), identity.certificate.get());
    SSL_CTX_use_PrivateKey(context_.get(), identity.key.get());
    thread_ = std::jthread([this] {
      for (int fd = listener_.Accept(); fd >= 0; fd = listener_.Accept()) {
        Serve(fd);
        ::close(fd);
      }
    });
  }
  ~TlsServer() {
    listener_.Stop();
    thread_.join();
  }

  [[nodiscard]] std::string Url(const std::string& host) const {
    return "https://" + host + ":" + std::to_string(listener_.port());
  }

 private:
  void Serve(int fd) {
    const std::unique_ptr<SSL, decltype(&SSL_free)> tls(SSL_new(context_.get()), &SSL_free);
    SSL_set_fd(tls.get(), fd);
    if (SSL_accept(tls.get()) != 1) return;
    std::string seen;
    char buffer[4096];
    for (int requests = 0;;) {
      const int got = SSL_read(tls.get(), buffer, sizeof buffer);
      if (got <= 0) return;
      seen.append(buffer, static_cast<std::size_t>(got));
      if (!seen.ends_with("\r\n\r\n")) continue;
      seen.clear();
      const std::string body = std::to_string(++requests);
      // Without a length the body goes on until the connection ends.
      const std::string length = cut_short_ ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
      const std::string reply = "HTTP/1.1 200 OK\r\n" + length + "\r\n" + body;
      SSL_write(tls.get(), reply.data(), static_cast<int>(reply.size()));
      // As a server may at any time, and in the middle of a kept connection: a session ticket for later.
      SSL_new_session_ticket(tls.get());
      SSL_do_handshake(tls.get());
      if (cut_short_) return;
    }
  }

  const bool cut_short_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_{SSL_CTX_new(TLS_server_method()), &SSL_CTX_free};
  const LoopbackListener listener_;
  std::jthread thread_;
};

class Tls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() { std::signal(SIGPIPE, SIG_IGN); }

  Result<Response> Get(const std::string& url, const std::string& ca_file) {
    Client client({.base_url = url, .ca_file = ca_file, .retry = {.max_retries = 0}}, RealEnv());
    return client.Send({}, {});
  }

  void TearDown() override { std::remove(file_.c_str()); }

  const std::string file_ = ::testing::TempDir() + "seedcore-tls-" + std::to_string(::getpid()) + ".pem";
};

TEST_F(Tls, ATrustedServerIsAskedOverOneKeptConnection) {
  const Identity identity("DNS:localhost,IP:127.0.0.1");
  const TlsServer server(identity);
  for (const char* host : {"localhost", "127.0.0.1"}) {
    Client client({.base_url = server.Url(host), .ca_file = identity.Write(file_)}, RealEnv());
    for (const char* number : {"1", "2", "3"}) {
      const auto response = client.Send({}, {});
      ASSERT_TRUE(response) << host << ": " << ToString(response.error());
      EXPECT_EQ(response->body, number) << "requests on this connection";
    }
  }
}

TEST_F(Tls, ACertificateThatNobodyTrustedIsRefused) {
  const TlsServer server(Identity("IP:127.0.0.1"));
  EXPECT_THAT(Get(server.Url("127.0.0.1"), "").error().message, HasSubstr("is refused: self-signed certificate"));
}

TEST_F(Tls, ACertificateForAnotherNameIsRefused) {
  const Identity identity("DNS:elsewhere.example,IP:127.0.0.2");
  const TlsServer server(identity);
  const std::string trust = identity.Write(file_);
  EXPECT_THAT(Get(server.Url("localhost"), trust).error().message, HasSubstr("is refused: hostname mismatch"));
  EXPECT_THAT(Get(server.Url("127.0.0.1"), trust).error().message, HasSubstr("is refused: IP address mismatch"));
}

TEST_F(Tls, ACertificateThatHasRunOutIsRefused) {
  const Identity identity("DNS:localhost", -1);
  const TlsServer server(identity);
  EXPECT_THAT(Get(server.Url("localhost"), identity.Write(file_)).error().message,
              HasSubstr("is refused: certificate has expired"));
}

TEST_F(Tls, ABodyThatEndsWithoutGoodbyeIsAnError) {
  const Identity identity("DNS:localhost");
  const TlsServer server(identity, /*cut_short=*/true);
  const auto response = Get(server.Url("localhost"), identity.Write(file_));
  ASSERT_FALSE(response);
  EXPECT_THAT(response.error().message, HasSubstr("unexpected eof"));
}

TEST_F(Tls, APortThatSpeaksPlainHttpIsNamed) {
  TestServer plain;
  const auto response = Get("https://127.0.0.1:" + std::to_string(plain.port()), "");
  ASSERT_FALSE(response);
  EXPECT_THAT(response.error().message, HasSubstr("may speak plain http"));
}

TEST_F(Tls, AFileWithoutCertificatesIsRefused) {
  std::ofstream(file_) << "nothing\n";
  const auto response = Get("https://127.0.0.1:1", file_);
  ASSERT_FALSE(response);
  EXPECT_EQ(response.error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(response.error().path, file_);
}

}  // namespace
}  // namespace seedcore::net
