// TLS between a store and PostgreSQL is what the DSN says, and a server that is not the right one is refused.
#include <fstream>

#include <gmock/gmock.h>

#include "store/conformance.h"
#include "store/postgres/connection.h"
#include "store/postgres/postgres_store.h"
#include "store/postgres/testing.h"

namespace seedcore::store::postgres {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A server of its own: that of the other tests speaks no TLS.
class TlsPostgres : public testing::Test {
 protected:
  /// A certificate signed by itself, made where the server looks for one, by the server's own user.
  void SpeakTls() {
    server_.Execute("postgres",
                    "COPY (SELECT 1) TO PROGRAM 'openssl req -new -x509 -days 2 -nodes -subj /CN=localhost "
                    "-addext subjectAltName=DNS:localhost -out server.crt -keyout server.key 2>&1'");
    server_.Execute("postgres", "ALTER SYSTEM SET ssl = on");
    server_.Restart(SIGINT);
    const auto connection = Must(Connection::Open({.dsn = Dsn("disable"), .setup = {}}));
    std::ofstream(certificate()) << Must(connection->RunOnce("SELECT pg_read_file('server.crt')", {})).Text(0, 0);
  }

  std::string Dsn(const std::string& mode) const {
    std::string dsn = server_.Dsn("postgres");
    constexpr std::string_view kAddress = "127.0.0.1";
    dsn.replace(dsn.find(kAddress), kAddress.size(), "localhost");
    return dsn + "?sslmode=" + mode;
  }
  [[nodiscard]] std::string certificate() const { return directory_.path() + "/server.crt"; }

  Error Refusal(const std::string& dsn) {
    const auto store = OpenPostgresStore({.dsn = dsn}, env_, metrics_);
    if (store) throw std::runtime_error("expected a refusal");
    EXPECT_THAT(ToString(store.error()), Not(HasSubstr("s3cret")));
    return store.error();
  }

  /// Whether each connection but the one that asks is encrypted.
  static bool AllEncrypted(Connection& connection) {
    return Must(connection.RunOnce("SELECT bool_and(s.ssl) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) "
                                   "WHERE a.datname = current_database() AND pid <> pg_backend_pid()",
                                   {}))
        .Bool(0, 0);
  }

  TestServer server_;
  TempDirectory directory_;
  SimEnv env_;
  Metrics metrics_;
};

TEST_F(TlsPostgres, WhatTheDsnAsksForIsDone) {
  SpeakTls();
  for (const std::string& mode : {std::string("require"), "verify-full&sslrootcert=" + certificate()}) {
    SCOPED_TRACE(mode);
    const auto store = Must(OpenPostgresStore({.dsn = Dsn(mode)}, env_, metrics_));
    EXPECT_TRUE(store->CheckHealth().writable);
    const auto plain = Must(Connection::Open({.dsn = Dsn("disable"), .setup = {}}));
    EXPECT_TRUE(AllEncrypted(*plain));
  }
  const auto store = Must(OpenPostgresStore({.dsn = Dsn("disable")}, env_, metrics_));
  EXPECT_TRUE(store->CheckHealth().writable);
  EXPECT_FALSE(AllEncrypted(*Must(Connection::Open({.dsn = Dsn("require"), .setup = {}}))));
}

TEST_F(TlsPostgres, AServerThatCannotProveWhoItIsIsRefused) {
  SpeakTls();
  const Error nobody = Refusal(Dsn("verify-full&sslrootcert=" + directory_.path() + "/none.crt"));
  EXPECT_THAT(nobody.message, HasSubstr("none.crt"));
  std::string other = Dsn("verify-full&sslrootcert=" + certificate());
  other.replace(other.find("localhost"), 9, "127.0.0.1");
  EXPECT_THAT(Refusal(other).message, HasSubstr("does not match host name"));
}

TEST_F(TlsPostgres, AServerWithoutTlsIsRefusedWhereItIsAskedFor) {
  const Error refusal = Refusal(Dsn("require"));
  EXPECT_EQ(refusal.code, ErrorCode::kUnavailable);
  EXPECT_THAT(refusal.message, HasSubstr("does not support SSL"));
}

}  // namespace
}  // namespace seedcore::store::postgres
