// Servers behind a forwarder that take connections and requests, and answer nothing.
#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <poll.h>
#include <semaphore>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/forwarder_fixture.h"
#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

constexpr auto kPatience = 10s;  // with what must come
const ForwarderOptions kAsking{.alive_target = "/-/alive", .probe_after = 2s, .probe_timeout = 5s};

/// Something that happens in a server, once or several times.
class Happening {
 public:
  void Happens() {
    ++times_;
    each_.release();
  }
  [[nodiscard]] bool Await() { return each_.try_acquire_for(kPatience); }
  [[nodiscard]] int times() const { return times_; }

 private:
  std::atomic<int> times_ = 0;
  std::counting_semaphore<> each_{0};
};

/// Answers nothing, and not whether it lives either.
class FrozenServer {
 public:
  [[nodiscard]] std::uint16_t port() const { return server_.port(); }
  void OpenDoor() { ASSERT_TRUE(server_.server().ListenOnSameHost({"127.0.0.1", server_.port()})); }

  Happening asked;
  Happening probed;

 private:
  static Response UntilTheCallerLeaves(Happening& arrival, const Request& request) {
    arrival.Happens();
    RealEnv().SleepFor(60s, request.call.stop);
    return JsonResponse("{}");
  }
  Route Silent(Method method, const char* pattern, Happening& arrival) {
    return {.method = method, .pattern = pattern, .handler = [&arrival](const Request& request) {
              return UntilTheCallerLeaves(arrival, request);
            }};
  }

  TestServer server_{ServerOptions{},
                     {Silent(Method::kGet, "/-/alive", probed), Silent(Method::kPost, "/x", asked),
                      Silent(Method::kPatch, "/x", asked)}};
};

class ForwarderFrozenTest : WithSimEnv, public ForwarderTest {
 protected:
  ForwarderFrozenTest() : ForwarderTest(sim_) {}

  std::unique_ptr<RawClient> Send(std::string_view bytes) {
    auto client = std::make_unique<RawClient>(port());
    client->Write(bytes);
    return client;
  }
  void Advance(std::chrono::seconds by) { sim_.Advance(by); }
  [[nodiscard]] bool IsEjected(std::size_t which = 0) const {
    return upstreams_->List().at(which)->breaker().state() == CircuitBreaker::State::kOpen;
  }
};

void ExpectLost(const RawResponse& response) {
  EXPECT_EQ(response.status, 502);
  EXPECT_THAT(response.body, HasSubstr("not even whether it lives; it may have been executed"));
}

TEST_F(ForwarderFrozenTest, ItIsAskedOnceForAllThatWaitAndThenTheyAreLostAndItIsEjected) {
  FrozenServer frozen;
  Forward({frozen.port()}, kAsking);
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(Send(Post("/x", "{}")));
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(frozen.asked.Await());
  Advance(2s);
  ASSERT_TRUE(frozen.probed.Await());
  Advance(5s);
  for (const auto& client : clients) ExpectLost(client->ReadResponse());
  EXPECT_EQ(frozen.probed.times(), 1);
  EXPECT_TRUE(IsEjected());
  EXPECT_GT(trouble_, 0);
}

TEST_F(ForwarderFrozenTest, WhatSharesAConnectionIsLostTogether) {
  FrozenServer frozen;
  frozen.OpenDoor();
  Forward({frozen.port()}, kAsking);
  const std::string patch = "PATCH /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 4; ++i) clients.push_back(Send(patch));
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(frozen.asked.Await()) << "the first of each of two loops";
  Advance(2s);
  ASSERT_TRUE(frozen.probed.Await());
  Advance(5s);
  for (const auto& client : clients) ExpectLost(client->ReadResponse());
  EXPECT_TRUE(IsEjected());
}

TEST_F(ForwarderFrozenTest, WhatMayBeRepeatedGoesToAnother) {
  FrozenServer frozen;
  TestServer back({}, {Answering(Echo)});
  Forward({frozen.port(), back.port()}, kAsking);
  const std::string request = Post("/x", "{}", "Idempotency-Key: k\r\n");
  const auto one = Send(request);
  const auto other = Send(request);
  ASSERT_TRUE(frozen.asked.Await()) << "equals take turns";
  std::array waiting{pollfd{.fd = one->fd(), .events = POLLIN, .revents = 0},
                     pollfd{.fd = other->fd(), .events = POLLIN, .revents = 0}};
  ASSERT_EQ(::poll(waiting.data(), waiting.size(), 10'000), 1) << "the other one has its answer before time goes on";
  Advance(2s);
  ASSERT_TRUE(frozen.probed.Await());
  Advance(5s);
  EXPECT_EQ(one->ReadResponse().body, "POST /x body={}");
  EXPECT_EQ(other->ReadResponse().body, "POST /x body={}");
  EXPECT_EQ(frozen.asked.times(), 1);
}

TEST_F(ForwarderFrozenTest, ItIsEjectedThoughNobodyWaitsSoLong) {
  FrozenServer frozen;
  Forward({frozen.port()}, kAsking);
  const auto client = Send(Post("/x", "{}", "X-Request-Timeout-Ms: 3000\r\n"));
  ASSERT_TRUE(frozen.asked.Await());
  Advance(2s);
  ASSERT_TRUE(frozen.probed.Await());
  Advance(1s);
  EXPECT_EQ(client->ReadResponse().status, 504);
  EXPECT_FALSE(IsEjected());
  Advance(4s);
  while (!IsEjected()) std::this_thread::yield();
}

TEST_F(ForwarderFrozenTest, AServerThatEndsDoesNotWaitForTheAnswer) {
  FrozenServer frozen;
  Forward({frozen.port()}, kAsking);
  const auto client = Send(Post("/x", "{}"));
  ASSERT_TRUE(frozen.asked.Await());
  Advance(2s);
  ASSERT_TRUE(frozen.probed.Await());
  front_->server().Stop(0ms);  // this clock stands still: it would wait forever
  EXPECT_FALSE(IsEjected()) << "nothing was found out";
}

TEST_F(ForwarderFrozenTest, AStreamThatFreezesEnds) {
  std::promise<std::shared_ptr<EventStream>> opened;
  Route events{.method = Method::kGet, .pattern = "/x", .stream = [&](const Request&, auto stream) -> Result<void> {
                 opened.set_value(std::move(stream));
                 return {};
               }};
  Happening probed;
  Route silent{.method = Method::kGet, .pattern = "/-/alive", .handler = [&](const Request& request) {
                 probed.Happens();
                 RealEnv().SleepFor(60s, request.call.stop);
                 return JsonResponse("{}");
               }};
  TestServer back({}, {events, silent});
  Forward({back.port()}, kAsking);
  const auto client = Send(Get("/x"));
  const auto stream = opened.get_future().get();
  ASSERT_TRUE(stream->Send("tick", "1", "7"));
  EXPECT_THAT(client->ReadThrough("\n\n"), HasSubstr("data: 1"));
  Advance(2s);
  ASSERT_TRUE(probed.Await());
  Advance(5s);
  EXPECT_THAT(client->ReadToEnd(), ::testing::EndsWith("0\r\n\r\n"));
}

using ForwarderInRealTimeTest = ForwarderTest;

TEST_F(ForwarderInRealTimeTest, AStoppedProcessCostsOneRequestItsTimeAndNoMore) {
  const LoopbackListener stopped;  // connections are made by the kernel, and nobody reads them
  TestServer back({}, {Answering(Echo)});
  Forward({stopped.port(), back.port()}, {.alive_target = "/-/alive", .probe_after = 20ms, .probe_timeout = 100ms});
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Ask(Post("/x", "{}", "Idempotency-Key: k\r\n")).status, 200);
  const auto known = upstreams_->List();
  EXPECT_EQ(known[0]->requests(), 1U);
  EXPECT_EQ(known[0]->breaker().state(), CircuitBreaker::State::kOpen);
}

TEST_F(ForwarderInRealTimeTest, AnAnswerIsWaitedForAsLongAsTheServerShowsThatItLives) {
  Happening probed;
  Route sign{
      .method = Method::kGet, .pattern = "/-/alive", .execution = Execution::kInline, .handler = [&](const Request&) {
        probed.Happens();
        return Response{};
      }};
  TestServer back({}, {sign, Answering([&](const Request&) {
                         for (int i = 0; i < 3; ++i) EXPECT_TRUE(probed.Await());
                         return JsonResponse(R"("at last")");
                       })});
  Forward({back.port()}, {.alive_target = "/-/alive", .probe_after = 20ms, .probe_timeout = 30s});
  EXPECT_EQ(Ask(Post("/x", "{}")).body, R"("at last")");
}

}  // namespace
}  // namespace seedcore::net
