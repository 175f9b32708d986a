#include "ray/client/probe.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

#include <fmt/format.h>
#include <gtest/gtest.h>

// What stands where a Ray Client server should. A real one is met in tests/ray_client.
namespace seedcore::ray {
namespace {

/// A port that takes connections, and answers each with `answer`, or not at all.
class Listener {
 public:
  explicit Listener(std::string answer = "") : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    EXPECT_EQ(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    EXPECT_EQ(::listen(fd_, 16), 0);
    if (!answer.empty()) thread_ = std::jthread([this, answer = std::move(answer)] { Serve(answer); });
  }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() {
    ::shutdown(fd_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    ::close(fd_);
  }
  [[nodiscard]] std::string Address() const { return fmt::format("127.0.0.1:{}", port_); }

 private:
  void Serve(const std::string& answer) const {
    while (true) {
      const int peer = ::accept(fd_, nullptr, nullptr);
      if (peer < 0) return;
      char buffer[256];
      if (::read(peer, buffer, sizeof buffer) > 0) (void)!::write(peer, answer.data(), answer.size());
      ::close(peer);
    }
  }

  int fd_;
  std::uint16_t port_ = 0;
  std::jthread thread_;
};

std::string WhyNot(const std::string& address, std::chrono::milliseconds patience) {
  const auto probed = ProbeRayClientServer({.address = address, .probe = patience}, RealEnv(), {});
  EXPECT_FALSE(probed);
  return probed ? "" : probed.error().message;
}

TEST(Probe, SaysThatNothingListens) {
  std::string address;
  {
    const Listener closed_soon;
    address = closed_soon.Address();
  }
  EXPECT_EQ(WhyNot(address, std::chrono::seconds(5)), "ray://" + address + ": nothing listens there");
}

TEST(Probe, SaysThatAnHttpServerIsNoRayClientServer) {
  const Listener http("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
  const std::string why = WhyNot(http.Address(), std::chrono::seconds(5));
  EXPECT_TRUE(why.contains("is no Ray Client server (its port is 10001")) << why;
}

TEST(Probe, SaysThatSomethingIsSilent) {
  const Listener silent;
  EXPECT_EQ(WhyNot(silent.Address(), std::chrono::milliseconds(200)),
            "ray://" + silent.Address() + ": something listens there, but does not answer");
}

TEST(Probe, EndsWithItsCall) {
  const Listener silent;
  std::stop_source stop;
  stop.request_stop();
  const CallContext call{.stop = stop.get_token()};
  const auto probed = ProbeRayClientServer({.address = silent.Address()}, RealEnv(), call);
  ASSERT_FALSE(probed);
  EXPECT_EQ(probed.error().code, ErrorCode::kCancelled);
}

TEST(ClientAddress, TakesTheSchemeOffAndRefusesOthers) {
  EXPECT_EQ(ClientAddress("ray://head:10001"), "head:10001");
  EXPECT_EQ(ClientAddress("127.0.0.1:10001"), "127.0.0.1:10001");
  for (const char* address : {"", "ray://", "http://127.0.0.1:8265", "ray://head:10001/x", "head", "auto"}) {
    EXPECT_EQ(ClientAddress(address).error().code, ErrorCode::kInvalidArgument) << address;
  }
}

}  // namespace
}  // namespace seedcore::ray
