// Requests that share a connection to a server of the same host.
#include <atomic>
#include <future>
#include <memory>
#include <semaphore>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/forwarder_fixture.h"
#include "net/same_host.h"
#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// Of a route that the fixture marks as answered at once; not to be repeated.
std::string Patch(const std::string& body, const std::string& fields = {}) {
  return "PATCH /x HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" +
         body;
}

Response BodyBack(const Request& request) { return JsonResponse(request.body); }

Route AtOnce(Handler handler, Method method = Method::kPatch) {
  return {.method = method, .pattern = "/x", .execution = Execution::kInline, .handler = std::move(handler)};
}

/// A server that also listens for its own host.
class Neighbor : public TestServer {
 public:
  explicit Neighbor(std::vector<Route> routes) : TestServer({}, std::move(routes)) {
    EXPECT_TRUE(server().ListenOnSameHost({"127.0.0.1", port()}));
  }
  [[nodiscard]] double connections() {
    return metrics().GetGauge("seedcore_http_connections", "Open HTTP connections").Value();
  }
};

using ForwarderLineTest = ForwarderTest;

TEST_F(ForwarderLineTest, ManyShareAConnectionAndEachGetsItsOwnAnswer) {
  Neighbor back({AtOnce(BodyBack)});
  Forward({back.port()});
  std::atomic<int> right = 0;
  std::vector<std::jthread> clients;
  for (int c = 0; c < 16; ++c) {
    clients.emplace_back([&, c] {
      RawClient client(port());
      for (int i = 0; i < 100; ++i) {
        const std::string body = std::to_string(c * 1000 + i) + std::string(static_cast<std::size_t>(i * 600), ' ');
        right += client.Exchange(Patch(body)).body == body ? 1 : 0;
      }
    });
  }
  clients.clear();
  EXPECT_EQ(right, 1600);
  EXPECT_LE(back.connections(), 2) << "one of each loop";
}

TEST_F(ForwarderLineTest, LargeRequestsGoAloneAndLargeAnswersPass) {
  const std::string large(300'000, ' ');
  Neighbor back({AtOnce([&](const Request& request) { return JsonResponse(large + request.body); })});
  Forward({back.port()});
  RawClient client(port());
  for (int i = 0; i < 3; ++i) EXPECT_EQ(client.Exchange(Patch("1")).body, large + "1");
  EXPECT_EQ(client.Exchange(Patch(large)).body, large + large);
}

TEST_F(ForwarderLineTest, AServerKilledUnderLoadLosesNoRequestThatMayBeRepeated) {
  auto doomed = std::make_unique<Neighbor>(std::vector{AtOnce(BodyBack, Method::kPut)});
  Neighbor back({AtOnce(BodyBack, Method::kPut)});
  Forward({doomed->port(), back.port()});
  std::atomic<int> good = 0;
  std::promise<void> warm;
  std::vector<std::jthread> clients;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&, c] {
      RawClient client(port());
      for (int i = 0; i < 300; ++i) {
        good += client.Exchange("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}").status == 200 ? 1 : 0;
        if (c == 0 && i == 50) warm.set_value();
      }
    });
  }
  warm.get_future().wait();
  doomed->server().Stop(0ms);
  clients.clear();
  EXPECT_EQ(good, 2400);
}

/// Listens for processes of this host only, and plays a script.
class ScriptedNeighbor {
 public:
  /// For each connection: reads as many requests as it is told, sends the bytes, and closes.
  explicit ScriptedNeighbor(std::vector<std::pair<int, std::string>> script) {
    const auto listening = ListenOnSameHost({"127.0.0.1", reserved_.port()});
    EXPECT_TRUE(listening);
    fd_ = listening ? *listening : -1;
    thread_ = std::jthread([this, script = std::move(script)] {
      for (const auto& [requests, reply] : script) Play(requests, reply);
    });
  }
  ~ScriptedNeighbor() {
    ::shutdown(fd_, SHUT_RDWR);
    thread_.join();
    ::close(fd_);
  }
  [[nodiscard]] std::uint16_t port() const { return reserved_.port(); }

 private:
  void Play(int requests, const std::string& reply) const {
    pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
    constexpr int kPatienceMs = 10'000;
    if (::poll(&wait, 1, kPatienceMs) != 1) return;
    const int fd = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    std::string text;
    char byte = 0;
    while (requests > 0 && ::recv(fd, &byte, 1, 0) == 1) {
      text += byte;
      if (text.ends_with("\r\n\r\n{}")) --requests;
    }
    EXPECT_EQ(::send(fd, reply.data(), reply.size(), MSG_NOSIGNAL), static_cast<ssize_t>(reply.size()));
    ::close(fd);
  }

  LoopbackListener reserved_;  // for a port that is nobody else's
  int fd_ = -1;
  std::jthread thread_;
};

TEST_F(ForwarderLineTest, WhatIsBehindTheLastAnswerWasNotExecutedAndIsSentAgain) {
  const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
  ScriptedNeighbor back({{2, ok}, {1, ok}});
  Forward({back.port()});
  // Two from one client in one packet would be forwarded in turn; two clients of one loop are forwarded together.
  RawClient first(port());
  RawClient of_the_other_loop(port());
  RawClient second(port());
  first.Write(Patch("{}"));
  second.Write(Patch("{}"));
  EXPECT_EQ(first.ReadResponse().body, "ok");
  EXPECT_EQ(second.ReadResponse().body, "ok");
}

TEST_F(ForwarderLineTest, WhatWasSentBeforeTheEndMayHaveBeenExecuted) {
  ScriptedNeighbor back({{1, ""}});
  Forward({back.port()});
  const auto response = Ask(Patch("{}"));
  EXPECT_EQ(response.status, 502);
  EXPECT_THAT(response.body, HasSubstr("may have been executed"));
}

TEST_F(ForwarderLineTest, WhatIsNoAnswerIsA502) {
  ScriptedNeighbor back({{1, "SSH-2.0-OpenSSH\r\n\r\n"}});
  Forward({back.port()});
  EXPECT_EQ(Ask(Patch("{}")).status, 502);
}

class ForwarderSlowLineTest : WithSimEnv, public ForwarderTest {
 protected:
  ForwarderSlowLineTest() : ForwarderTest(sim_) {}
  void Advance(std::chrono::milliseconds by) { sim_.Advance(by); }
};

/// Answers the first request only when it is told to.
class Hesitant {
 public:
  Handler handler() {
    return [this](const Request& request) {
      if (asked_++ == 0) {
        gate.Arrived();
        gate.Pass();
      }
      return BodyBack(request);
    };
  }
  Gateway gate;

 private:
  std::atomic<int> asked_ = 0;
};

TEST_F(ForwarderSlowLineTest, BehindOneThatIsNotAnsweredAtOnceNobodyIsPut) {
  Hesitant hesitant;
  std::binary_semaphore probed{0};
  Route sign{.method = Method::kGet, .pattern = "/-/alive", .handler = [&](const Request&) {
               probed.release();
               return Response{};
             }};
  Neighbor back({{.method = Method::kPatch, .pattern = "/x", .handler = hesitant.handler()}, sign});
  Forward({back.port()}, {.alive_target = "/-/alive", .probe_after = 2s});
  RawClient first(port());
  first.Write(Patch("1"));
  hesitant.gate.AwaitArrival();
  Advance(2s);
  ASSERT_TRUE(probed.try_acquire_for(10s)) << "so its loop has seen the time go by";
  for (int i = 0; i < 4; ++i) EXPECT_EQ(Ask(Patch("2")).body, "2");
  hesitant.gate.Open();
  EXPECT_EQ(first.ReadResponse().body, "1");
}

TEST_F(ForwarderSlowLineTest, OneThatIsNoLongerWaitedForLeavesTheOthersTheirAnswers) {
  Hesitant hesitant;
  Neighbor back({{.method = Method::kPatch, .pattern = "/x", .handler = hesitant.handler()}});
  Forward({back.port()});
  RawClient first(port());
  RawClient of_the_other_loop(port());
  RawClient second(port());
  first.Write(Patch("1", "X-Request-Timeout-Ms: 50\r\n"));
  hesitant.gate.AwaitArrival();
  second.Write(Patch("2"));
  Advance(60ms);
  EXPECT_EQ(first.ReadResponse().status, 504);
  hesitant.gate.Open();
  EXPECT_EQ(second.ReadResponse().body, "2");
}

}  // namespace
}  // namespace seedcore::net
