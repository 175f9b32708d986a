#include "net/forwarder.h"

#include <atomic>
#include <future>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/forwarder_fixture.h"
#include "net/scripted_server.h"
#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

TEST_F(ForwarderTest, RequestAndResponsePassUnchanged) {
  TestServer back({}, {Answering([](const Request& request) {
                    Response response = Echo(request);
                    response.status = 201;
                    response.headers.Add("X-Answer", std::string(*request.headers.Find("X-Ask")));
                    return response;
                  })});
  Forward({back.port()});
  const auto response = Ask(Post("/x?q=a%20b", R"({"n":1})", "X-Ask: 42\r\nX-Request-ID: r-7\r\n"));
  EXPECT_EQ(response.status, 201);
  EXPECT_EQ(response.body, R"(POST /x q=a b body={"n":1})");
  EXPECT_EQ(response.Field("X-Answer"), "42");
  EXPECT_EQ(response.Field("X-Request-ID"), "r-7");
}

TEST_F(ForwarderTest, WhereTheAnsweringServerRunsTheHandlerMakesNoDifference) {
  TestServer back({}, {Answering(Echo, Method::kPut)});
  Forward({back.port()});
  EXPECT_EQ(Ask("PUT /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}").body, "PUT /x body={}");
}

TEST_F(ForwarderTest, AServerOfTheSameHostIsAskedThroughItsUnixSocket) {
  TestServer back({}, {Answering([](const Request& request) { return Response{.body = request.peer}; })});
  Forward({back.port()});
  EXPECT_THAT(Ask(Post("/x", "{}", "Connection: close\r\n")).body, HasSubstr("127.0.0.1:"));
  ASSERT_TRUE(back.server().ListenOnSameHost({"127.0.0.1", back.port()}));
  TestServer other({}, {Answering([](const Request& request) { return Response{.body = request.peer}; })});
  ASSERT_TRUE(other.server().ListenOnSameHost({"127.0.0.1", other.port()}));
  UpstreamsAre({other.port()});
  const std::string large(300'000, ' ');
  EXPECT_EQ(Ask(Post("/x", large)).body, "same host");
}

TEST_F(ForwarderTest, ConnectionsToTheServerAreKept) {
  TestServer back({}, {Answering(Echo)});
  Forward({back.port()}, {}, {.limits = {}});
  RawClient client(port());
  for (int i = 0; i < 20; ++i) EXPECT_EQ(client.Exchange(Post("/x", "{}")).status, 200);
  EXPECT_EQ(back.metrics().GetGauge("seedcore_http_connections", "Open HTTP connections").Value(), 1);
}

TEST_F(ForwarderTest, AServerKilledUnderLoadLosesNoRequestThatMayBeRepeated) {
  std::atomic<int> handled = 0;
  const auto slowly = [&](const Request& request) {
    ++handled;
    RealEnv().SleepFor(1ms, request.call.stop);
    return JsonResponse("{}");
  };
  auto doomed = std::make_unique<TestServer>(ServerOptions{}, std::vector{Answering(slowly)});
  TestServer back({}, {Answering(slowly)});
  Forward({doomed->port(), back.port()});
  std::atomic<int> good = 0;
  std::atomic<int> bad = 0;
  std::promise<void> warm;
  std::vector<std::jthread> clients;
  for (int c = 0; c < 8; ++c) {
    clients.emplace_back([&, c] {
      RawClient client(port());
      for (int i = 0; i < 200; ++i) {
        const std::string key = std::to_string(c) + "-" + std::to_string(i);
        const auto response = client.Exchange(Post("/x", "{}", "Idempotency-Key: " + key + "\r\n"));
        ++(response.status == 200 ? good : bad);
        if (c == 0 && i == 50) warm.set_value();
      }
    });
  }
  warm.get_future().wait();
  doomed->server().Stop(0ms);
  clients.clear();
  EXPECT_EQ(good, 1600);
  EXPECT_EQ(bad, 0);
  EXPECT_GE(handled, 1600);
  EXPECT_GT(trouble_, 0) << "whoever knows the servers is told to look again";
}

TEST_F(ForwarderTest, WhatWasNotSentIsTriedElsewhereWhateverItsMethod) {
  TestServer back({}, {Answering(Echo)});
  Forward({DeadPort(), back.port()});
  for (int i = 0; i < 6; ++i) EXPECT_EQ(Ask(Post("/x", "{}")).status, 200) << i;
}

TEST_F(ForwarderTest, APostThatWasLostIsNotSentAgainWithoutAKey) {
  ScriptedServer losing({{.reply = ""}});
  TestServer back({}, {Answering(Echo)});
  Forward({losing.port()});
  const auto response = Ask(Post("/x", "{}"));
  EXPECT_EQ(response.status, 502);
  EXPECT_THAT(response.body, HasSubstr("may have been executed"));
  EXPECT_EQ(losing.Requests().size(), 1U);
}

TEST_F(ForwarderTest, AGetThatWasLostIsSentAgain) {
  ScriptedServer losing({{.reply = ""}, {.reply = "HTTP/1.1 200 OK\r\nContent-Le"}, {.reply = kOk}});
  Forward({losing.port()});
  EXPECT_EQ(Ask(Get("/x/1")).body, "ok");
  EXPECT_EQ(losing.Requests().size(), 3U);
}

TEST_F(ForwarderTest, ABusyServerIsPassedOverForARequestThatMayBeRepeated) {
  std::atomic<int> refused = 0;
  TestServer busy({}, {Answering([&](const Request&) {
                    ++refused;
                    return ErrorResponse({ErrorCode::kUnavailable, "busy", {}});
                  })});
  TestServer back({}, {Answering(Echo)});
  Forward({busy.port(), back.port()});
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(Ask(Post("/x", "{}", "Idempotency-Key: k" + std::to_string(i) + "\r\n")).status, 200);
  }
  EXPECT_GT(refused, 0);
  int plain_refusals = 0;
  for (int i = 0; i < 4; ++i) plain_refusals += Ask(Post("/x", "{}")).status == 503 ? 1 : 0;
  EXPECT_GT(plain_refusals, 0) << "without a key the answer of the server stands";
}

TEST_F(ForwarderTest, AServiceThatFailsIsNotAskedManyTimesAsMuchForIt) {
  std::atomic<int> asked = 0;
  const auto busy = [&](const Request&) {
    ++asked;
    return Response{.status = 503};
  };
  TestServer one({}, {Answering(busy, Method::kGet)});
  TestServer other({}, {Answering(busy, Method::kGet)});
  Forward({one.port(), other.port()}, {.max_retries = 2, .retry_budget = {.share = 0.2, .per_second = 0}});
  constexpr int kRequests = 100;
  RawClient client(port());
  for (int i = 0; i < kRequests; ++i) EXPECT_EQ(client.Exchange(Get("/x")).status, 503);
  EXPECT_GE(asked, kRequests + 10) << "some were repeated";
  EXPECT_LE(asked, kRequests + 20);
  const auto& refused = forwarder_metrics_.GetCounter("seedcore_gateway_retries_refused_total",
                                                      "Retries left out because there were too many of them lately",
                                                      {{"service", "svc"}});
  EXPECT_GE(refused.Value(), 80);
}

TEST_F(ForwarderTest, WithoutAnyServerTheAnswerIs503AndWhenToComeBack) {
  Forward({});
  const auto response = Ask(Get("/x/1"));
  EXPECT_EQ(response.status, 503);
  EXPECT_EQ(response.Field("Retry-After"), "1");
  EXPECT_THAT(response.body, HasSubstr("svc: there is no replica"));
  UpstreamsAre({DeadPort()});
  EXPECT_EQ(Ask(Get("/x/1")).status, 503);
  EXPECT_THAT(Ask(Get("/x/1")).Field("Retry-After"), "60") << "it is ejected now";
}

TEST_F(ForwarderTest, ASlowServerDoesNotHoldUpTheOthers) {
  Gateway gate;
  std::atomic<int> stuck = 0;
  TestServer slow({}, {Answering([&](const Request&) {
                    if (stuck++ == 0) gate.Arrived();
                    gate.Pass();
                    return JsonResponse(R"("slow")");
                  })});
  TestServer fast({}, {Answering(Echo)});
  Forward({slow.port()});
  RawClient waiting(port());
  waiting.Write(Post("/x", "{}"));
  gate.AwaitArrival();
  UpstreamsAre({slow.port(), fast.port()});
  for (int i = 0; i < 20; ++i) EXPECT_EQ(Ask(Post("/x", "{}")).status, 200);
  EXPECT_EQ(stuck, 1) << "all but the first went to the server with nothing in flight";
  gate.Open();
  EXPECT_EQ(waiting.ReadResponse().status, 200);
}

TEST_F(ForwarderTest, TheDeadlineOfTheCallHoldsAndStopsTheServersWork) {
  std::promise<void> stopped;
  TestServer back({}, {Answering([&](const Request& request) {
                    RealEnv().SleepFor(60s, request.call.stop);
                    if (request.call.stop.stop_requested()) stopped.set_value();
                    return JsonResponse("{}");
                  })});
  Forward({back.port()});
  EXPECT_EQ(Ask(Post("/x", "{}", "X-Request-Timeout-Ms: 30\r\n")).status, 504);
  EXPECT_EQ(stopped.get_future().wait_for(10s), std::future_status::ready);
}

TEST_F(ForwarderTest, AClientThatLeavesTakesItsRequestWithIt) {
  Gateway gate;
  std::promise<void> stopped;
  TestServer back({}, {Answering([&](const Request& request) {
                    gate.Arrived();
                    RealEnv().SleepFor(60s, request.call.stop);
                    stopped.set_value();
                    return JsonResponse("{}");
                  })});
  Forward({back.port()});
  {
    RawClient client(port());
    client.Write(Post("/x", "{}"));
    gate.AwaitArrival();
  }
  EXPECT_EQ(stopped.get_future().wait_for(10s), std::future_status::ready);
}

TEST_F(ForwarderTest, TheTokenOfTheHopIsPresentedAndThatOfTheClientIsNot) {
  std::atomic<int> seen = 0;
  TestServer back(WithToken("hop"), {Answering([&](const Request& request) {
                    ++seen;
                    EXPECT_EQ(request.headers.Find("Authorization"), "Bearer hop");
                    return JsonResponse("{}");
                  })});
  EXPECT_EQ(back.Ask(Post("/x", "{}")).status, 401);
  EXPECT_EQ(back.Ask(Post("/x", "{}", "Authorization: Bearer hot\r\n")).status, 401);
  Forward({back.port()}, {.token = "hop"}, WithToken("client"));
  EXPECT_EQ(Ask(Post("/x", "{}", "Authorization: Bearer client\r\n")).status, 200);
  EXPECT_EQ(Ask(Post("/x", "{}", "Authorization: Bearer hop\r\n")).status, 401)
      << "the hop's token opens no front door";
  EXPECT_EQ(Ask(Post("/x", "{}")).status, 401);
  EXPECT_EQ(seen, 1);
}

TEST_F(ForwarderTest, AWrongTokenOfTheHopIsTheGatewaysFaultAndNotTheClients) {
  TestServer back(WithToken("hop"), {Answering(Echo)});
  Forward({back.port()}, {.token = "other"});
  const auto response = Ask(Post("/x", "{}"));
  EXPECT_EQ(response.status, 503);
  EXPECT_THAT(response.body, HasSubstr("SEEDCORE_CLUSTER_TOKEN"));
}

TEST_F(ForwarderTest, AmbiguousFramingNeverReachesAServer) {
  std::atomic<int> seen = 0;
  TestServer back({}, {Answering([&](const Request&) {
                    ++seen;
                    return JsonResponse("{}");
                  })});
  Forward({back.port()});
  const std::string inner = "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
  for (const std::string& fields :
       {std::string("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"),
        std::string("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"),
        std::string("Content-Length: 0\r\nContent-Length: 51\r\n"), std::string("Content-Length: 0, 51\r\n"),
        std::string("Transfer-Encoding: chunked, identity\r\n"),
        std::string("Transfer-Encoding: \x0b"
                    "chunked\r\n"),
        std::string("Transfer-Encoding: x\r\n"), std::string("Content-Length: +2\r\n"),
        std::string("Content-Length: 0\r\n Content-Length: 51\r\n"), std::string("Content-Length : 2\r\n")}) {
    RawClient client(port());
    client.Write("POST /x HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n0\r\n\r\n" + inner);
    EXPECT_EQ(client.ReadResponse().status, 400) << fields;
    EXPECT_TRUE(client.EndsHere()) << "the rest must not be taken for a request: " << fields;
  }
  EXPECT_EQ(seen, 0);
}

TEST_F(ForwarderTest, ARequestInABodyStaysABody) {
  std::mutex mutex;
  std::vector<std::string> bodies;
  TestServer back({}, {Answering([&](const Request& request) {
                    const std::scoped_lock lock(mutex);
                    bodies.push_back(request.body);
                    return JsonResponse("{}");
                  })});
  Forward({back.port()});
  const std::string inner = "0\r\n\r\nPOST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}";
  RawClient client(port());
  EXPECT_EQ(client.Exchange(Post("/x", inner)).status, 200);
  const std::string chunk = "4\r\n0\r\n\r\r\n3\r\nabc\r\n0\r\n\r\n";
  EXPECT_EQ(client.Exchange("POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk).status, 200);
  EXPECT_THAT(bodies, ::testing::ElementsAre(inner, "0\r\n\rabc"));
}

TEST_F(ForwarderTest, PipelinedRequestsAreAnsweredInTheirOrder) {
  TestServer one({}, {Answering(Echo)});
  TestServer two({}, {Answering(Echo)});
  Forward({one.port(), two.port()});
  RawClient client(port());
  std::string batch;
  for (int i = 0; i < 50; ++i)
    batch += i % 5 == 4 ? Get("/inline?n=" + std::to_string(i)) : Post("/x?n=" + std::to_string(i), "{}");
  client.Write(batch);
  for (int i = 0; i < 50; ++i) EXPECT_THAT(client.ReadResponse().body, HasSubstr("n=" + std::to_string(i)));
}

TEST_F(ForwarderTest, WhatIsNoResponseIsA502) {
  ScriptedServer wrong({{.reply = "SSH-2.0-OpenSSH\r\n\r\n"}});
  Forward({wrong.port()});
  EXPECT_EQ(Ask(Post("/x", "{}")).status, 502);
}

TEST_F(ForwarderTest, AnAnswerWithoutEndIsNotCollectedForever) {
  ScriptedServer endless({{.reply = "HTTP/1.1 200 OK\r\n\r\n" + std::string(200'000, 'x'), .close_after = false}});
  Forward({endless.port()}, {.max_response_bytes = 100'000});
  const auto response = Ask(Post("/x", "{}"));
  EXPECT_EQ(response.status, 502);
  EXPECT_THAT(response.body, HasSubstr("larger than 100000 bytes"));
}

TEST_F(ForwarderTest, LargeBodiesPassBothWays) {
  TestServer back({}, {Answering([](const Request& request) { return JsonResponse(request.body); })});
  Forward({back.port()});
  const std::string large = "\"" + std::string(3'000'000, 'x') + "\"";
  const auto response = Ask(Post("/x", large));
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.body, large);
}

TEST_F(ForwarderTest, FieldsOfTheHopDoNotReachTheClientAndTwoResponsesAreNotOne) {
  ScriptedServer back(
      {{.reply = "HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nX-Kept: 2\r\nContent-Length: 2\r\n\r\nokHTTP/"
                 "1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        .close_after = false},
       {.reply = kOk}});
  Forward({back.port()});
  const auto first = Ask(Get("/x/1"));
  EXPECT_EQ(first.body, "ok");
  EXPECT_EQ(first.Field("X-Hop"), "");
  EXPECT_EQ(first.Field("X-Kept"), "2");
}

TEST_F(ForwarderTest, ADrainingServerFinishesWhatItHasForwarded) {
  Gateway gate;
  TestServer back({}, {Answering([&](const Request&) {
                    gate.Arrived();
                    gate.Pass();
                    return JsonResponse(R"("done")");
                  })});
  Forward({back.port()});
  RawClient client(port());
  client.Write(Post("/x", "{}"));
  gate.AwaitArrival();
  EXPECT_EQ(front_->server().InFlight(), 1U);
  RawClient idle(port());
  EXPECT_EQ(idle.Exchange(Get("/inline")).status, 200);
  auto stopped = std::async(std::launch::async, [&] { front_->server().Stop(10s); });
  EXPECT_TRUE(idle.EndsHere());  // so it is draining now
  gate.Open();
  EXPECT_EQ(client.ReadResponse().body, R"("done")");
  stopped.wait();
  EXPECT_EQ(front_->server().InFlight(), 0U);
}

TEST_F(ForwarderTest, HeadIsAnsweredWithoutABody) {
  TestServer back({}, {Answering(Echo, Method::kGet)});
  Forward({back.port()});
  RawClient client(port());
  client.Write("HEAD /x HTTP/1.1\r\nHost: a\r\n\r\n");
  const auto response = client.ReadResponse(true);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.Field("Content-Length"), "6");
  EXPECT_EQ(client.Exchange(Get("/x")).body, "GET /x");
}

}  // namespace
}  // namespace seedcore::net
