#include <chrono>
#include <future>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/env.h"
#include "base/metrics.h"
#include "net/server.h"
#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;

TEST(ServerStop, LetsRequestsUnderWayFinishAndRefusesNewConnections) {
  Gateway gate;
  TestServer server({}, {{.method = Method::kGet, .pattern = "/slow", .handler = [&](const Request&) {
                            gate.Arrived();
                            gate.Pass();
                            return JsonResponse(R"({"done":true})");
                          }}});
  RawClient busy(server.port());
  busy.Write(Get("/slow"));
  gate.AwaitArrival();
  RawClient idle(server.port());
  EXPECT_EQ(idle.Exchange(Get("/inline")).status, 200);
  auto stopped = std::async(std::launch::async, [&] { server.server().Stop(std::chrono::seconds(10)); });
  EXPECT_TRUE(idle.EndsHere());  // so the server is draining now
  EXPECT_FALSE(RawClient(server.port()).connected());
  gate.Open();
  const auto response = busy.ReadResponse();
  EXPECT_EQ(response.body, R"({"done":true})");
  EXPECT_EQ(response.Field("Connection"), "close");
  stopped.wait();
}

TEST(ServerStop, ClosesAConnectionOnceItsLargeResponseIsTaken) {
  TestServer server({}, {{.method = Method::kGet, .pattern = "/large", .handler = [](const Request&) {
                            return Response{.content_type = "image/png", .body = std::string(20'000'000, 'x')};
                          }}});
  RawClient client(server.port());
  client.Write(Get("/large"));
  client.ReadThrough("\r\n\r\n");
  auto stopped = std::async(std::launch::async, [&] { server.server().Stop(std::chrono::seconds(60)); });
  EXPECT_EQ(client.ReadToEnd().size(), 20'000'000U);
  EXPECT_EQ(stopped.wait_for(std::chrono::seconds(10)), std::future_status::ready);
}

TEST(ServerStop, EndsStreamsInOrder) {
  StreamRoute events;
  TestServer server({}, {events.route()});
  RawClient client(server.port());
  client.Write(Get("/events"));
  const auto stream = events.opened.get_future().get();
  client.ReadThrough("\r\n\r\n");
  server.server().Stop(std::chrono::seconds(10));
  EXPECT_THAT(client.ReadToEnd(), ::testing::EndsWith("0\r\n\r\n"));
  EXPECT_FALSE(stream->Send("n", "x", ""));
}

TEST(ServerStop, CutsWhatIsLeftAtTheDeadlineAndTellsTheHandler) {
  Gateway gate;
  TestServer server({}, {{.method = Method::kGet, .pattern = "/stuck", .handler = [&](const Request& request) {
                            gate.Arrived();
                            RealEnv().SleepFor(std::chrono::seconds(60), request.call.stop);
                            return JsonResponse("{}");
                          }}});
  RawClient stuck(server.port());
  stuck.Write(Get("/stuck"));
  RawClient half(server.port());
  half.Write("GET /inline HTTP/1.1\r\n");
  gate.AwaitArrival();
  server.server().Stop(std::chrono::milliseconds(10));
  EXPECT_EQ(stuck.ReadToEnd(), "");
  EXPECT_EQ(half.ReadToEnd(), "");
}

TEST(ServerStop, MayComeTwiceOrWithoutAStart) {
  TestServer server;
  server.server().Stop(std::chrono::seconds(1));
  server.server().Stop(std::chrono::seconds(1));
  Metrics metrics;
  Server never_started({}, RealEnv(), metrics);
  never_started.Stop(std::chrono::seconds(1));
}

TEST(ServerStop, SurvivesClientsThatKeepComing) {
  for (int round = 0; round < 20; ++round) {
    TestServer server;
    std::vector<std::jthread> clients;
    for (int i = 0; i < 4; ++i) {
      clients.emplace_back([port = server.port(), i](const std::stop_token& stop) {
        while (!stop.stop_requested()) {
          RawClient client(port);
          if (!client.connected()) return;
          client.Exchange(Get(i % 2 == 0 ? "/inline" : "/pool"));
        }
      });
    }
    EXPECT_EQ(server.Ask(Get("/pool")).status, 200);
    server.server().Stop(std::chrono::seconds(5));
  }
}

}  // namespace
}  // namespace seedcore::net
