#include "net/server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "net/gzip.h"
#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

TEST(Server, AnswersManyRequestsOnOneConnection) {
  TestServer server;
  RawClient client(server.port());
  for (int i = 0; i < 5; ++i) {
    const auto response = client.Exchange(Get("/inline?n=" + std::to_string(i)));
    EXPECT_EQ(response.status, 200);
    EXPECT_EQ(response.body, "GET /inline n=" + std::to_string(i));
  }
}

TEST(Server, RunsHandlersOnTheWorkerPool) {
  TestServer server;
  RawClient client(server.port());
  EXPECT_EQ(client.Exchange(Post("/pool", R"({"a":1})")).body, R"(POST /pool body={"a":1})");
  EXPECT_EQ(client.Exchange(Get("/items/7?b=2&a=%20x")).body, "GET /items/7 a= x b=2 {id}=7");
}

TEST(Server, AnswersPipelinedRequestsInOrder) {
  TestServer server;
  RawClient client(server.port());
  std::string burst;
  for (int i = 0; i < 200; ++i) burst += Get((i % 3 == 0 ? "/pool?i=" : "/inline?i=") + std::to_string(i));
  client.Write(burst);
  for (int i = 0; i < 200; ++i) {
    EXPECT_THAT(client.ReadResponse().body, HasSubstr(" i=" + std::to_string(i)));
  }
}

TEST(Server, ReadsAChunkedBodySentByteByByte) {
  TestServer server;
  RawClient client(server.port());
  const std::string request =
      "POST /pool HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;name=value\r\nabc\r\n2\r\nde\r\n0\r\nTrailer: x\r\n\r\n";
  for (const char c : request) client.Write({&c, 1});
  EXPECT_EQ(client.ReadResponse().body, "POST /pool body=abcde");
  EXPECT_EQ(client.Exchange(Get("/inline")).status, 200);
}

TEST(Server, IgnoresAnEmptyLineBeforeARequest) {
  TestServer server;
  EXPECT_EQ(server.Ask("\r\n" + Get("/inline")).status, 200);
  RawClient client(server.port());
  client.Write("\r");
  EXPECT_EQ(server.Ask(Get("/inline")).status, 200);  // so that the byte above is likely to have been read on its own
  EXPECT_EQ(client.Exchange("\n" + Get("/inline")).status, 200);
}

TEST(Server, ClosesWhenTheClientAsksForIt) {
  TestServer server;
  RawClient client(server.port());
  const auto response = client.Exchange(Get("/inline", "Connection: close\r\n"));
  EXPECT_EQ(response.Field("Connection"), "close");
  EXPECT_TRUE(client.EndsHere());
}

TEST(Server, KeepsAnHttp10ConnectionOnlyOnRequest) {
  TestServer server;
  RawClient keeps(server.port());
  EXPECT_EQ(keeps.Exchange("GET /inline HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").Field("Connection"), "keep-alive");
  EXPECT_EQ(keeps.Exchange("GET /inline HTTP/1.0\r\n\r\n").Field("Connection"), "close");
  EXPECT_TRUE(keeps.EndsHere());
}

TEST(Server, AnswersHeadWithTheLengthAndNoBody) {
  TestServer server;
  RawClient client(server.port());
  client.Write("HEAD /inline HTTP/1.1\r\nHost: a\r\n\r\n" + Get("/pool"));
  const auto head = client.ReadResponse(true);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.Field("Content-Length"), "12");
  EXPECT_EQ(client.ReadResponse().body, "GET /pool");
}

TEST(Server, InvitesTheBodyOfAClientThatExpectsIt) {
  TestServer server;
  RawClient client(server.port());
  client.Write("POST /pool HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadThrough("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(client.Exchange("{}").status, 200);
}

TEST(Server, RefusesAnExpectedBodyBeforeItIsSent) {
  TestServer server;
  RawClient client(server.port());
  client.Write("POST /nowhere HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadResponse().status, 404);
  EXPECT_TRUE(client.EndsHere());
}

TEST(Server, EchoesAUsableRequestIdAndReplacesOthers) {
  TestServer server;
  RawClient client(server.port());
  EXPECT_EQ(client.Exchange(Get("/inline", "X-Request-ID: abc-1.2:3\r\n")).Field("X-Request-ID"), "abc-1.2:3");
  for (const std::string& bad : {std::string("a b"), std::string("<x>"), std::string(200, 'x'), std::string()}) {
    const std::string id = client.Exchange(Get("/inline", "X-Request-ID: " + bad + "\r\n")).Field("X-Request-ID");
    EXPECT_NE(id, bad);
    EXPECT_EQ(id.size(), 36U);
  }
  EXPECT_EQ(client.Exchange(Get("/nowhere", "X-Request-ID: z\r\n")).Field("X-Request-ID"), "z");
}

TEST(Server, ContinuesTheTraceOfItsCaller) {
  TestServer server;
  const std::string parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const std::string answered = server.Ask(Get("/inline", "traceparent: " + parent + "\r\n")).Field("traceparent");
  EXPECT_THAT(answered, StartsWith(parent.substr(0, 36)));
  EXPECT_NE(answered, parent);
}

TEST(Server, RefusesHeadersOfItsOwnThatMakeNoSense) {
  TestServer server;
  for (const char* field : {"X-Request-Timeout-Ms: 0", "X-Request-Timeout-Ms: -5", "X-Request-Timeout-Ms: 1s",
                            "Idempotency-Key:", "Idempotency-Key: \xc3\xa4"}) {
    EXPECT_EQ(server.Ask(Get("/inline", std::string(field) + "\r\n")).status, 400) << field;
  }
}

TEST(Server, TakesOnlyJsonBodies) {
  TestServer server;
  for (const char* type :
       {"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "json"}) {
    const auto response = server.Ask(Post("/pool", "{}", std::string("Content-Type: ") + type + "\r\n"));
    EXPECT_EQ(response.status, 415) << type;
  }
  for (const char* type : {"application/json", "Application/JSON; charset=utf-8", "application/merge-patch+json"}) {
    EXPECT_EQ(server.Ask(Post("/pool", "{}", std::string("Content-Type: ") + type + "\r\n")).status, 200) << type;
  }
  EXPECT_EQ(server.Ask(Post("/pool", "")).status, 200);
  EXPECT_EQ(server.Ask(Post("/pool", "x", "Content-Encoding: br\r\n")).status, 415);
}

TEST(Server, TurnsAnExceptionInto500WithoutItsText) {
  TestServer server;
  const auto response = server.Ask(Get("/throw", "X-Request-ID: r-77\r\n"));
  EXPECT_EQ(response.status, 500);
  EXPECT_THAT(response.body, HasSubstr("r-77"));
  EXPECT_THAT(response.body, Not(HasSubstr("secret")));
}

TEST(Server, AsksForATokenWhereARouteNeedsOne) {
  ServerOptions options;
  options.auth.tokens = {"t1", "t2"};
  TestServer server(options);
  const auto refused = server.Ask(Get("/inline"));
  EXPECT_EQ(refused.status, 401);
  EXPECT_THAT(refused.Field("WWW-Authenticate"), StartsWith("Bearer"));
  EXPECT_EQ(server.Ask(Get("/inline", "Authorization: Bearer wrong\r\n")).status, 401);
  EXPECT_EQ(server.Ask(Get("/inline", "Authorization: Bearer t2\r\n")).status, 200);
  EXPECT_EQ(server.Ask(Get("/open")).status, 200);
}

TEST(Server, CompressesWhatIsLargeForThoseWhoAcceptIt) {
  const std::string text(5000, 'a');
  TestServer server(
      {},
      {{.method = Method::kGet, .pattern = "/large", .handler = [&](const Request&) { return JsonResponse(text); }}});
  const auto packed = server.Ask(Get("/large", "Accept-Encoding: br, gzip\r\n"));
  EXPECT_EQ(packed.Field("Content-Encoding"), "gzip");
  EXPECT_EQ(Gunzip(packed.body, 10'000), text);
  const auto plain = server.Ask(Get("/large"));
  EXPECT_EQ(plain.Field("Content-Encoding"), "");
  EXPECT_EQ(plain.Field("Vary"), "Accept-Encoding");
  EXPECT_EQ(plain.body, text);
  EXPECT_EQ(server.Ask(Get("/inline", "Accept-Encoding: gzip\r\n")).Field("Content-Encoding"), "");
}

TEST(Server, DecompressesRequests) {
  TestServer server;
  EXPECT_EQ(server.Ask(Post("/pool", Gzip(R"({"a":1})"), "Content-Encoding: gzip\r\n")).body,
            R"(POST /pool body={"a":1})");
}

TEST(Server, AnswersOptionsAndCorsForAllowedOriginsOnly) {
  ServerOptions options;
  options.cors_allowed_origins = {"https://good.example"};
  TestServer server(options);
  const std::string preflight = "OPTIONS /pool HTTP/1.1\r\nHost: a\r\nAccess-Control-Request-Method: POST\r\nOrigin: ";
  const auto good = server.Ask(preflight + "https://good.example\r\n\r\n");
  EXPECT_EQ(good.status, 204);
  EXPECT_EQ(good.Field("Access-Control-Allow-Origin"), "https://good.example");
  EXPECT_THAT(good.Field("Access-Control-Allow-Methods"), HasSubstr("POST"));
  const auto bad = server.Ask(preflight + "https://evil.example\r\n\r\n");
  EXPECT_EQ(bad.Field("Access-Control-Allow-Origin"), "");
  EXPECT_EQ(bad.Field("Allow"), "GET, HEAD, POST, OPTIONS");
  const auto get = server.Ask(Get("/pool", "Origin: https://good.example\r\n"));
  EXPECT_EQ(get.Field("Access-Control-Allow-Origin"), "https://good.example");
  EXPECT_EQ(get.Field("Vary"), "Origin");
}

TEST(Server, EndsACallAtTheDeadlineItsClientNames) {
  Gateway gate;
  std::atomic<bool> stopped = false;
  TestServer server({}, {{.method = Method::kGet, .pattern = "/slow", .handler = [&](const Request& request) {
                            gate.Pass();
                            stopped = request.call.stop.stop_requested();
                            gate.Arrived();
                            return JsonResponse("{}");
                          }}});
  const auto response = server.Ask(Get("/slow", "X-Request-Timeout-Ms: 20\r\n"));
  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(response.Field("Connection"), "close");
  gate.Open();
  gate.AwaitArrival();
  EXPECT_TRUE(stopped);
}

TEST(Server, TellsAHandlerThatItsClientHasGone) {
  Gateway gate;
  std::promise<bool> stopped;
  TestServer server({},
                    {{.method = Method::kGet, .pattern = "/slow", .handler = [&](const Request& request) {
                        gate.Arrived();
                        std::mutex mutex;
                        std::condition_variable_any never;
                        std::unique_lock lock(mutex);
                        stopped.set_value(!RealEnv().WaitUntil(lock, never, RealEnv().Now() + std::chrono::seconds(10),
                                                               request.call.stop, [] { return false; }) &&
                                          request.call.stop.stop_requested());
                        return JsonResponse("{}");
                      }}});
  {
    RawClient client(server.port());
    client.Write(Get("/slow"));
    gate.AwaitArrival();
  }
  EXPECT_TRUE(stopped.get_future().get());
}

TEST(Server, ServesSeveralListenersWithTheirOwnRoutes) {
  ServerOptions options;
  options.listen = {"127.0.0.1:0", "127.0.0.1:0"};
  Metrics metrics;
  Server server(options, RealEnv(), metrics);
  ASSERT_TRUE(server.AddRoutes(0, {{.method = Method::kGet, .pattern = "/a", .handler = Echo}}));
  ASSERT_TRUE(server.AddRoutes(1, {{.method = Method::kGet, .pattern = "/b", .handler = Echo}}));
  EXPECT_FALSE(server.AddRoutes(2, {}));
  ASSERT_TRUE(server.Start());
  EXPECT_EQ(RawClient(server.endpoints()[0].port).Exchange(Get("/a")).status, 200);
  EXPECT_EQ(RawClient(server.endpoints()[0].port).Exchange(Get("/b")).status, 404);
  EXPECT_EQ(RawClient(server.endpoints()[1].port).Exchange(Get("/b")).status, 200);
}

TEST(Server, CountsRequestsByRoutePattern) {
  TestServer server;
  (void)server.Ask(Get("/items/1"));
  (void)server.Ask(Get("/items/2"));
  (void)server.Ask(Get("/wp-login.php"));
  const std::string text = server.metrics().Expose();
  EXPECT_THAT(text, HasSubstr(R"(seedcore_http_requests_total{method="GET",route="/items/{id}",status="200"} 2)"));
  EXPECT_THAT(text, HasSubstr(R"(route="unmatched",status="404"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(seedcore_http_request_seconds_count{route="/items/{id}"} 2)"));
  EXPECT_THAT(text, Not(HasSubstr("wp-login")));
}

TEST(ServerStart, RefusesAnAddressThatIsTaken) {
  TestServer first;
  ServerOptions options;
  options.listen = {"127.0.0.1:" + std::to_string(first.port())};
  Metrics metrics;
  Server second(options, RealEnv(), metrics);
  const auto started = second.Start();
  ASSERT_FALSE(started);
  EXPECT_EQ(started.error().code, ErrorCode::kUnavailable);
  EXPECT_THAT(started.error().message, HasSubstr(options.listen[0]));
}

TEST(ServerStart, OnceItIsBoundTheAddressIsTakenAndNobodyIsAnswered) {
  std::atomic<bool> is_complete = false;
  const Handler handler = [&](const Request&) { return Response{.status = is_complete ? 200 : 500}; };
  Metrics metrics;
  Server server({}, RealEnv(), metrics);
  ASSERT_TRUE(server.AddRoutes(0, {{.method = Method::kGet, .pattern = "/a", .handler = handler}}));
  ASSERT_TRUE(server.Bind());

  const HostPort where = server.endpoints().front();
  Server second({.listen = {where.ToString()}}, RealEnv(), metrics);
  EXPECT_EQ(second.Bind().error().code, ErrorCode::kUnavailable);
  RawClient early(where.port);
  ASSERT_TRUE(early.Write(Get("/a")));
  is_complete = true;
  ASSERT_TRUE(server.Start());
  EXPECT_EQ(early.ReadResponse().status, 200);
}

TEST(ServerStart, RefusesToOpenItselfToTheNetworkWithoutTokens) {
  ServerOptions options;
  options.listen = {"0.0.0.0:0"};
  Metrics metrics;
  EXPECT_THAT(Server(options, RealEnv(), metrics).Start().error().message, HasSubstr("SEEDCORE_API_TOKENS"));
  options.auth.tokens = {"t"};
  EXPECT_TRUE(Server(options, RealEnv(), metrics).Start());
}

TEST(ServerStart, RefusesRoutesItCouldNotServe) {
  Metrics metrics;
  Server server({}, RealEnv(), metrics);
  EXPECT_FALSE(server.AddRoutes(0, {{.pattern = "/no-handler"}}));
  EXPECT_FALSE(server.AddRoutes(0, {{.pattern = "bad", .handler = Echo}}));
  ASSERT_TRUE(server.AddRoutes(0, {{.pattern = "/x", .handler = Echo}}));
  EXPECT_EQ(server.AddRoutes(0, {{.pattern = "/x", .handler = Echo}}).error().code, ErrorCode::kConflict);
}

}  // namespace
}  // namespace seedcore::net
