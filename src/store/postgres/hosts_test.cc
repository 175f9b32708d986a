// A machine that is off, or a server that hangs, is given up on in time, and the next one of the DSN is tried.
#include "store/postgres/hosts.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdexcept>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>
#include <gmock/gmock.h>

#include "base/env.h"
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
  [[nodiscard]] int socket() const { return listener_; }

 private:
  int listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int port_ = 0;
};

/// Says `greeting` to whoever connects, and then `drip` again and again, so that it never stands still.
class TalkingServer {
 public:
  TalkingServer(std::string greeting, std::string drip) : greeting_(std::move(greeting)), drip_(std::move(drip)) {
    thread_ = std::jthread([this](const std::stop_token& stop) { Talk(stop); });
  }
  ~TalkingServer() { thread_.request_stop(); }
  [[nodiscard]] std::string Dsn() const {
    return fmt::format("postgresql://u:s3cret@127.0.0.1:{}/db?sslmode=disable", listener_.port());
  }

 private:
  void Talk(const std::stop_token& stop) {
    pollfd waiting{.fd = listener_.socket(), .events = POLLIN, .revents = 0};
    while (!stop.stop_requested() && ::poll(&waiting, 1, kLookAgainMs) == 0) {
    }
    if (stop.stop_requested()) return;
    const int client = ::accept4(listener_.socket(), nullptr, nullptr, SOCK_CLOEXEC);
    std::string text = greeting_;
    while (!stop.stop_requested() && ::send(client, text.data(), text.size(), MSG_NOSIGNAL) >= 0) {
      text = drip_;
      RealEnv().SleepFor(milliseconds(kLookAgainMs), stop);
    }
    ::close(client);
  }

  static constexpr int kLookAgainMs = 5;
  const std::string greeting_;
  const std::string drip_;
  SilentServer listener_;
  std::jthread thread_;
};

/// A message of the protocol: its letter, its length, its content.
std::string Message(char letter, std::string_view content) {
  return letter + std::string({0, 0, 0, static_cast<char>(content.size() + 4)}) + std::string(content);
}

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

TEST(PostgresHosts, AServerThatAnswersForeverIsGivenUpOnInTime) {
  // The beginning of a message of 2,000 bytes, of which one comes now and then.
  const TalkingServer slow(std::string({'R', 0, 0, 0x07, static_cast<char>(0xD0)}), "x");
  const auto connection = Open(slow.Dsn(), milliseconds(300));
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(connection.error().message, HasSubstr("no answer within 300 ms"));
}

TEST(PostgresHosts, APoolerThatHasNoServerIsGivenUpOnInTime) {
  using namespace std::string_view_literals;
  const TalkingServer pooler(Message('R', "\0\0\0\0"sv) + Message('S', "server_version\00015.0\0"sv) +
                                 Message('S', "server_encoding\0UTF8\0"sv) + Message('Z', "I"),
                             "");
  const auto connection = Open(pooler.Dsn(), milliseconds(300));
  ASSERT_FALSE(connection);
  EXPECT_EQ(connection.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(connection.error().message, HasSubstr("no answer within 300 ms"));
}

TEST(PostgresHosts, TheTimeoutOfTheDsnCounts) {
  const SilentServer silent;
  const std::string dsn = fmt::format("postgresql://u@127.0.0.1:{}/db?connect_timeout=", silent.port());
  EXPECT_THAT(Open(dsn + "1", milliseconds(60'000)).error().message, HasSubstr("no answer within 1000 ms"));
  for (const char* endless : {"0", "-1"}) {
    EXPECT_THAT(Open(dsn + endless, milliseconds(50)).error().message, HasSubstr("no answer within 50 ms"));
  }
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
