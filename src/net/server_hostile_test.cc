// What a client must not be able to do to the server: framing attacks, path tricks, limits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "base/sim_env.h"
#include "net/gzip.h"
#include "net/testing.h"

namespace seedcore::net {
namespace {

using namespace seedcore::net::testing;
using namespace std::chrono_literals;
using ::testing::HasSubstr;

/// {"error":{"code","message","path"}} and a request id, as every refusal has to have.
void ExpectError(const RawResponse& response, int status, std::string_view code) {
  EXPECT_EQ(response.status, status) << response.head << response.body;
  const auto body = ParseJson(response.body);
  ASSERT_TRUE(body) << response.body;
  const auto& error = body->as_object().at("error").as_object();
  EXPECT_EQ(std::string_view(error.at("code").as_string()), code) << response.body;
  EXPECT_FALSE(error.at("message").as_string().empty());
  EXPECT_TRUE(error.at("path").is_string());
  EXPECT_FALSE(response.Field("X-Request-ID").empty());
}

class HostileRequest : public ::testing::TestWithParam<std::pair<const char*, std::string>> {};

TEST_P(HostileRequest, IsRefusedAndTheConnectionClosed) {
  TestServer server;
  RawClient client(server.port());
  client.Write(GetParam().second);
  client.HalfClose();
  ExpectError(client.ReadResponse(), 400, "malformed");
  EXPECT_TRUE(client.EndsHere());
  EXPECT_EQ(server.Ask(Get("/inline")).status, 200);
}

std::string Framed(std::string_view fields, std::string_view body = {}) {
  return "POST /pool HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

INSTANTIATE_TEST_SUITE_P(
    Framing, HostileRequest,
    ::testing::Values(
        std::pair{"BothLengths", Framed("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")},
        std::pair{"BothLengthsOtherOrder", Framed("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")},
        std::pair{"TwoDifferentLengths", Framed("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")},
        std::pair{"TwoEqualLengths", Framed("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")},
        std::pair{"LengthList", Framed("Content-Length: 5, 5\r\n", "hello")},
        std::pair{"NegativeLength", Framed("Content-Length: -5\r\n", "hello")},
        std::pair{"SignedLength", Framed("Content-Length: +5\r\n", "hello")},
        std::pair{"HexLength", Framed("Content-Length: 0x5\r\n", "hello")},
        std::pair{"EmptyLength", Framed("Content-Length:\r\n", "hello")},
        std::pair{"OverflowingLength", Framed("Content-Length: 18446744073709551621\r\n", "hello")},
        std::pair{"UnknownTransferCoding", Framed("Transfer-Encoding: gzip\r\n", "hello")},
        std::pair{"TransferCodingList", Framed("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n")},
        std::pair{"TwiceChunked", Framed("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n")},
        std::pair{"TwoTransferCodings",
                  Framed("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n")},
        std::pair{"ChunkedInHttp10",
                  std::string("POST /pool HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")},
        std::pair{"NegativeChunk", Framed("Transfer-Encoding: chunked\r\n", "-1\r\nx\r\n0\r\n\r\n")},
        std::pair{"PrefixedChunk", Framed("Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n")},
        std::pair{"SpaceBeforeChunk", Framed("Transfer-Encoding: chunked\r\n", " 5\r\nhello\r\n0\r\n\r\n")},
        std::pair{"ChunkOverflow", Framed("Transfer-Encoding: chunked\r\n", "fffffffffffffffff\r\nx")},
        std::pair{"ChunkWithoutEnd", Framed("Transfer-Encoding: chunked\r\n", "5\r\nhelloX\r\n0\r\n\r\n")},
        std::pair{"ChunkSizeBareLf", Framed("Transfer-Encoding: chunked\r\n", "5\nhello\r\n0\r\n\r\n")},
        std::pair{"EmptyChunkSize", Framed("Transfer-Encoding: chunked\r\n", "\r\nhello\r\n0\r\n\r\n")},
        std::pair{"EndlessChunkExtension", Framed("Transfer-Encoding: chunked\r\n", "5;" + std::string(40'000, 'x'))},
        std::pair{"EndlessTrailer", Framed("Transfer-Encoding: chunked\r\n", "0\r\nX: " + std::string(40'000, 'x'))}),
    [](const auto& param) { return param.param.first; });

INSTANTIATE_TEST_SUITE_P(
    Header, HostileRequest,
    ::testing::Values(std::pair{"FoldedLine", Framed("X-A: one\r\n two\r\n")},
                      std::pair{"FoldedWithTab", Framed("X-A: one\r\n\ttwo\r\n")},
                      std::pair{"FoldedEmptyValue", Framed("X-A:\r\n two\r\n")},
                      std::pair{"SpaceBeforeColon", Framed("X-A : one\r\n")}, std::pair{"NoColon", Framed("X-A\r\n")},
                      std::pair{"EmptyName", Framed(": one\r\n")},
                      std::pair{"NulInValue", Framed(std::string_view("X-A: o\0ne\r\n", 11))},
                      std::pair{"NulInName", Framed(std::string_view("X-\0A: one\r\n", 11))},
                      std::pair{"ControlInValue", Framed("X-A: o\x01ne\r\n")},
                      std::pair{"BareLfAfterField", std::string("GET /inline HTTP/1.1\r\nHost: a\n\r\n\r\n")},
                      std::pair{"BareLfOnly", std::string("GET /inline HTTP/1.1\nHost: a\n\n")},
                      std::pair{"BareCr", Framed("X-A: o\rne\r\n")},
                      std::pair{"NoHost", std::string("GET /inline HTTP/1.1\r\n\r\n")},
                      std::pair{"TwoHosts", std::string("GET /inline HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")},
                      std::pair{"TooManyFields",
                                [] {
                                  std::string fields;
                                  for (int i = 0; i < 101; ++i) fields += "A: b\r\n";
                                  return Framed(fields);
                                }()},
                      std::pair{"TooLong", Framed("X-A: " + std::string(17'000, 'x') + "\r\n")},
                      std::pair{"TooLongInManyFields",
                                [] {
                                  std::string fields;
                                  for (int i = 0; i < 90; ++i)
                                    fields += "X-" + std::to_string(i) + ": " + std::string(200, 'x') + "\r\n";
                                  return Framed(fields);
                                }()},
                      std::pair{"NotHttp", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")},
                      std::pair{"Garbage", std::string("hello\r\n\r\n")},
                      std::pair{"Http2Preface", std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")},
                      std::pair{"NoVersion", std::string("GET /inline\r\n\r\n")},
                      std::pair{"WrongVersion", std::string("GET /inline HTTP/1.2\r\nHost: a\r\n\r\n")},
                      std::pair{"TwoSpaces", std::string("GET  /inline HTTP/1.1\r\nHost: a\r\n\r\n")},
                      std::pair{"SpaceInTarget", std::string("GET /in line HTTP/1.1\r\nHost: a\r\n\r\n")}),
    [](const auto& param) { return param.param.first; });

TEST(HostileTarget, IsRefusedButTheConnectionStays) {
  TestServer server;
  RawClient client(server.port());
  for (const std::string_view target :
       {"http://evil/inline", "/../inline", "/inline/..", "/a/%2e%2e/inline", "/items/a%2Fb", "/items/a%5cb",
        "/items/%00", "/items/%0d%0aX", "/items/%", "/items/%zz", "/items/%ff", "/inline#x", "/inline?a=%", "inline"}) {
    ExpectError(client.Exchange(Get(target)), 400, "malformed");
  }
  EXPECT_EQ(client.Exchange(Get("//inline/")).status, 200);
}

TEST(HostileTarget, DoesNotEscapeIntoTheErrorBody) {
  TestServer server;
  const auto response = server.Ask(Get("/%22%7D%3Cscript%3E"));
  ExpectError(response, 404, "not_found");
}

TEST(Methods, UnknownOnesGet405WithAllow) {
  TestServer server;
  for (const char* method : {"TRACE", "CONNECT", "FOO", "get", "DELETE", "PUT"}) {
    const auto response = server.Ask(std::string(method) + " /pool HTTP/1.1\r\nHost: a\r\n\r\n");
    ExpectError(response, 405, "method_not_allowed");
    EXPECT_EQ(response.Field("Allow"), "GET, HEAD, POST, OPTIONS");
  }
  ExpectError(server.Ask("FOO /nowhere HTTP/1.1\r\nHost: a\r\n\r\n"), 404, "not_found");
}

TEST(Limits, ABodyOverTheLimitIsRefusedByItsHeader) {
  ServerOptions options;
  options.limits.body_bytes = 1000;
  TestServer server(options);
  RawClient client(server.port());
  client.Write("POST /pool HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
  ExpectError(client.ReadResponse(), 413, "payload_too_large");
  EXPECT_TRUE(client.EndsHere());
  EXPECT_EQ(server.Ask(Post("/pool", std::string(1000, ' '))).status, 200);
}

TEST(Limits, AChunkedBodyOverTheLimitIsRefusedAsItComes) {
  ServerOptions options;
  options.limits.body_bytes = 1000;
  TestServer server(options);
  RawClient client(server.port());
  client.Write(Framed("Transfer-Encoding: chunked\r\n"));
  const std::string chunk = "1f4\r\n" + std::string(500, 'x') + "\r\n";
  client.Write(chunk + chunk + "1\r\nx");
  ExpectError(client.ReadResponse(), 413, "payload_too_large");
}

TEST(Limits, ARefusalReachesAClientThatIsStillSending) {
  ServerOptions options;
  options.limits.body_bytes = 1000;
  TestServer server(options);
  RawClient client(server.port());
  client.Write(Post("/pool", std::string(5'000'000, 'x')));
  ExpectError(client.ReadResponse(), 413, "payload_too_large");
}

TEST(Limits, AGzipBombIsStoppedAtTheBodyLimit) {
  TestServer server;
  const std::string bomb = Gzip(std::string(50'000'000, ' '));
  ExpectError(server.Ask(Post("/pool", bomb, "Content-Encoding: gzip\r\n")), 413, "payload_too_large");
  ExpectError(server.Ask(Post("/inline", bomb, "Content-Encoding: gzip\r\n")), 413, "payload_too_large");
  ExpectError(server.Ask(Post("/pool", "no gzip", "Content-Encoding: gzip\r\n")), 400, "malformed");
}

TEST(Limits, ASlowHeaderTimesOut) {
  SimEnv env;
  TestServer server({}, {}, env);
  RawClient client(server.port());
  EXPECT_EQ(client.Exchange(Get("/inline")).status, 200);
  client.Write("GET /inline HTTP/1.1\r\nHost:");
  // A full request on another connection of each loop shows that the bytes above have been read.
  for (int i = 0; i < 4; ++i) EXPECT_EQ(server.Ask(Get("/inline")).status, 200);
  env.Advance(11s);
  ExpectError(client.ReadResponse(), 408, "request_timeout");
  EXPECT_TRUE(client.EndsHere());
  EXPECT_EQ(server.Rejected("timeout"), 1);
}

TEST(Limits, BytesThatTrickleInDoNotExtendTheHeaderTime) {
  ServerOptions options;
  options.limits.header_read = 50ms;
  TestServer server(options);
  RawClient client(server.port());
  client.Write("GET /inline HTTP/1.1\r\n");
  while (client.Write("A: b\r\n")) {
    pollfd wait{client.fd(), POLLIN, 0};
    if (::poll(&wait, 1, 5) > 0) break;
  }
  ExpectError(client.ReadResponse(), 408, "request_timeout");
}

TEST(Limits, ASlowBodyTimesOut) {
  ServerOptions options;
  options.limits.body_read = 20ms;
  TestServer server(options);
  RawClient client(server.port());
  client.Write("POST /pool HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc");
  ExpectError(client.ReadResponse(), 408, "request_timeout");
}

TEST(Limits, AnIdleConnectionIsClosedWithoutAWord) {
  ServerOptions options;
  options.limits.idle = 20ms;
  TestServer server(options);
  RawClient silent(server.port());
  EXPECT_TRUE(silent.EndsHere());
  RawClient used(server.port());
  EXPECT_EQ(used.Exchange(Get("/inline")).status, 200);
  EXPECT_TRUE(used.EndsHere());
}

TEST(Limits, ConnectionsOverTheLimitAreToldSo) {
  ServerOptions options;
  options.limits.connections = 2;
  TestServer server(options);
  RawClient first(server.port());
  auto second = std::make_unique<RawClient>(server.port());
  EXPECT_EQ(first.Exchange(Get("/inline")).status, 200);
  EXPECT_EQ(second->Exchange(Get("/inline")).status, 200);
  RawClient third(server.port());
  const auto refused = third.ReadResponse();
  ExpectError(refused, 503, "unavailable");
  EXPECT_FALSE(refused.Field("Retry-After").empty());
  EXPECT_TRUE(third.EndsHere());
  EXPECT_EQ(server.Rejected("connections"), 1);
}

TEST(Limits, AClientThatDoesNotReadItsResponseIsCut) {
  ServerOptions options;
  options.limits.write = 30ms;
  TestServer server(options, {{.method = Method::kGet, .pattern = "/large", .handler = [](const Request&) {
                                 return Response{.content_type = "image/png", .body = std::string(30'000'000, 'x')};
                               }}});
  RawClient client(server.port());
  client.Write(Get("/large"));
  // Nothing is read until the server has given up.
  while (server.Rejected("timeout") == 0) {
    pollfd wait{-1, 0, 0};
    ::poll(&wait, 1, 5);
  }
  EXPECT_LT(client.ReadToEnd().size(), 30'000'000U);
}

TEST(Limits, AFullWorkerQueueAnswers503WithRetryAfter) {
  ServerOptions options;
  options.limits.worker_threads = 1;
  options.limits.worker_queue = 1;
  Gateway gate;
  std::atomic<int> entered = 0;
  TestServer server(options, {{.method = Method::kGet, .pattern = "/slow", .handler = [&](const Request&) {
                                 if (entered++ == 0) gate.Arrived();
                                 gate.Pass();
                                 return JsonResponse("{}");
                               }}});
  RawClient running(server.port());
  running.Write(Get("/slow"));
  gate.AwaitArrival();
  RawClient queued(server.port());
  queued.Write(Get("/slow"));
  RawClient other(server.port());
  // One of the two finds the queue full, whichever comes second.
  other.Write(Get("/slow"));
  pollfd either[2] = {{queued.fd(), POLLIN, 0}, {other.fd(), POLLIN, 0}};
  ASSERT_GT(::poll(either, 2, 10'000), 0);
  RawClient& refused = (either[0].revents & POLLIN) != 0 ? queued : other;
  const auto response = refused.ReadResponse();
  ExpectError(response, 503, "unavailable");
  EXPECT_EQ(response.Field("Retry-After"), "1");
  EXPECT_EQ(server.Rejected("worker_queue"), 1);
  gate.Open();
  EXPECT_EQ(running.ReadResponse().status, 200);
  EXPECT_EQ(refused.Exchange(Get("/inline")).status, 200);
}

TEST(Limits, AClientThatVanishesLeavesTheServerWell) {
  TestServer server;
  for (int i = 0; i < 20; ++i) {
    RawClient client(server.port());
    client.Write(i % 2 == 0 ? Get("/pool") : Post("/pool", "{}").substr(0, 60));
    client.Reset();
  }
  EXPECT_EQ(server.Ask(Get("/pool")).status, 200);
}

TEST(Limits, ThousandsOfPipelinedRequestsAreAnsweredInOrder) {
  TestServer server;
  RawClient client(server.port());
  std::string burst;
  constexpr int kRequests = 5000;
  for (int i = 0; i < kRequests; ++i) burst += Get("/inline?i=" + std::to_string(i));
  std::jthread writer([&] { client.Write(burst); });
  for (int i = 0; i < kRequests; ++i) {
    ASSERT_EQ(client.ReadResponse().body, "GET /inline i=" + std::to_string(i));
  }
}

}  // namespace
}  // namespace seedcore::net
