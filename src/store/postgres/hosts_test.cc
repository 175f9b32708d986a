// A machine that is off, or a server that hangs, is given up on in time, and the next one of the DSN is tried.
#include "store/postgres/hosts.h"

#include <netinet/in.h>
#include <stdexcept>
#include <sys/socket.h>
#include <unistd.h>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "store/conformance.h"
#include "store/postgres/connection.h"
#include "store/postgres/testing.h"

namespace seedcore::store::postgres {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;

/// Takes connections and never says anything.
class SilentServer {
 public:
  SilentServer() {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(listener_, 16) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
      throw std::runtime_error("cannot listen");
    }
    port_ = ntohs(address.sin_port);
  }
  ~SilentServer() { ::close(listener_); }
  SilentServer(const SilentServer&) = delete;
  SilentServer& operator=(const SilentServer&) = delete;
  [[nodiscard]] int port() const { return port_; }

 private:
  int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int port_ = 0;
};

Result<std::unique_ptr<Connection>> Open(const std::string& dsn, milliseconds timeout) {
  return Connection::Open({.dsn = dsn, .connect_timeout = timeout, .setup = {}});
}

TEST(PostgresHosts, AServerThatNeverAnswersIsOneErrorInTime) {
  const SilentServer silent;
  const auto connection = Open(fmt::format("postgresql://u:s3cret@127.0.0.1:{}/db", silent.port()), milliseconds(50));
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(connection.error().message, HasSubstr("no answer within 50 ms"));
  EXPECT_THAT(connection.error().message, testing::Not(HasSubstr("s3cret")));
}

TEST(PostgresHosts, TheNextServerIsTriedAfterOneThatNeverAnswers) {
  const SilentServer one, two;
  const TestServer& server = TestServer::Shared();
  std::string url = server.Dsn("postgres");
  const std::string last = fmt::format("127.0.0.1:{}", server.port());
  url.replace(url.find(last), last.size(), fmt::format("127.0.0.1:{},127.0.0.1:{},{}", one.port(), two.port(), last));
  const std::string pairs =
      fmt::format("hostaddr=127.0.0.1,127.0.0.1 port={},{} dbname=postgres user=seedcore password=s3cret-of-tests",
                  one.port(), server.port());
  for (const std::string& dsn : {url, pairs}) {
    SCOPED_TRACE(dsn);
    const auto connection = Open(dsn, milliseconds(2'000));
    ASSERT_TRUE(connection) << ToString(connection.error());
    EXPECT_EQ((*connection)->place(), last + "/postgres");
  }
}

TEST(PostgresHosts, WhatIsLeftAfterOneWasDropped) {
  Hosts hosts("a,b,b,c", "", "1,2,3,4");
  EXPECT_EQ(hosts.names(), "") << "the DSN says it";
  EXPECT_TRUE(hosts.DropThrough("b", "2"));
  EXPECT_EQ(hosts.names(), "b,c");
  EXPECT_EQ(hosts.ports(), "3,4");
  EXPECT_TRUE(hosts.DropThrough("unknown", "9"));
  EXPECT_EQ(hosts.names(), "c");
  EXPECT_FALSE(hosts.DropThrough("c", "4"));

  Hosts one_port("a,b", "", "7");
  EXPECT_TRUE(one_port.DropThrough("a", "7"));
  EXPECT_EQ(one_port.names(), "b");
  EXPECT_EQ(one_port.ports(), "7");
  EXPECT_FALSE(Hosts("", "", "").DropThrough("", "5432"));
}

}  // namespace
}  // namespace seedcore::store::postgres
