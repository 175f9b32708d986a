#include "net/forward_message.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace seedcore::net {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr ForwardedFields kFields{.host = "energy", .token = "of-the-hop", .time_left = std::chrono::milliseconds(250)};

Request SomeRequest(Method method = Method::kPost) {
  Request request;
  request.method = method;
  request.body = "{}";
  request.call.request_id = "r-1";
  return request;
}

std::string Head(const Request& request) { return ForwardedHead(request, "/energy/x?y=%20", kFields); }

TEST(ForwardedHeadTest, TargetIsAsSentAndTheBodyIsFramedByItsLength) {
  const std::string head = Head(SomeRequest());
  EXPECT_TRUE(head.starts_with("POST /energy/x?y=%20 HTTP/1.1\r\nHost: energy\r\n")) << head;
  EXPECT_THAT(head, HasSubstr("\r\nContent-Length: 2\r\n"));
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
}

TEST(ForwardedHeadTest, NoFramingOfTheClientGetsThrough) {
  Request request = SomeRequest();
  request.headers.Add("Transfer-Encoding", "chunked");
  request.headers.Add("Content-Length", "99");
  request.headers.Add("Host", "elsewhere");
  request.headers.Add("Expect", "100-continue");
  const std::string head = Head(request);
  EXPECT_THAT(head, Not(HasSubstr("chunked")));
  EXPECT_THAT(head, Not(HasSubstr("99")));
  EXPECT_THAT(head, Not(HasSubstr("elsewhere")));
  EXPECT_THAT(head, Not(HasSubstr("Expect")));
}

TEST(ForwardedHeadTest, HopByHopFieldsStayBehindWithThoseThatConnectionNames) {
  Request request = SomeRequest();
  request.headers.Add("connection", "close, X-Secret");
  request.headers.Add("X-Secret", "1");
  request.headers.Add("Keep-Alive", "timeout=5");
  request.headers.Add("TE", "trailers");
  request.headers.Add("Upgrade", "websocket");
  request.headers.Add("X-Kept", "yes");
  const std::string head = Head(request);
  for (const char* gone : {"lose", "X-Secret", "Keep-Alive", "TE:", "Upgrade"}) EXPECT_THAT(head, Not(HasSubstr(gone)));
  EXPECT_THAT(head, HasSubstr("\r\nX-Kept: yes\r\n"));
}

TEST(ForwardedHeadTest, CredentialsOfTheClientAreReplacedByThoseOfTheHop) {
  Request request = SomeRequest();
  request.headers.Add("Authorization", "Bearer of-the-client");
  const std::string head = Head(request);
  EXPECT_THAT(head, HasSubstr("\r\nAuthorization: Bearer of-the-hop\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("of-the-client")));
}

TEST(ForwardedHeadTest, RequestIdTraceKeyAndTheTimeThatIsLeftGoAlong) {
  Request request = SomeRequest();
  request.headers.Add("X-Request-ID", "not usable\x01");
  request.headers.Add("Idempotency-Key", "k-1");
  request.headers.Add("X-Request-Timeout-Ms", "60000");
  request.call.trace.trace_id = "0af7651916cd43dd8448eb211c80319c";
  request.call.trace.parent_span_id = "b7ad6b7169203331";
  const std::string head = Head(request);
  EXPECT_THAT(head, HasSubstr("\r\nX-Request-ID: r-1\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nIdempotency-Key: k-1\r\n"));
  EXPECT_THAT(head, HasSubstr("\r\nX-Request-Timeout-Ms: 250\r\n"));
  EXPECT_THAT(head, HasSubstr("0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331"));
  EXPECT_THAT(head, Not(HasSubstr("60000")));
}

TEST(ForwardedHeadTest, AValueCannotStartAFieldOfItsOwn) {
  Request request = SomeRequest();
  request.headers.Add("X-Text", "a\r\nX-Smuggled: 1");
  EXPECT_THAT(Head(request), HasSubstr("\r\nX-Text: a  X-Smuggled: 1\r\n"));
}

TEST(ForwardedHeadTest, HeadIsAskedForAsGetWithoutALength) {
  Request request = SomeRequest(Method::kHead);
  request.body.clear();
  const std::string head = Head(request);
  EXPECT_TRUE(head.starts_with("GET "));
  EXPECT_THAT(head, Not(HasSubstr("Content-Length")));
}

TEST(StripResponseTest, WhatTheAnsweringServerWritesItselfAndWhatIsOfTheHopGoes) {
  Response response;
  for (const auto& [name, value] :
       {std::pair("Connection", "X-Hop"), std::pair("X-Hop", "1"), std::pair("Date", "x"),
        std::pair("Transfer-Encoding", "chunked"), std::pair("Content-Length", "1"), std::pair("Content-Type", "x"),
        std::pair("X-Request-ID", "x"), std::pair("traceparent", "x"), std::pair("Retry-After", "7"),
        std::pair("Content-Encoding", "gzip")}) {
    response.headers.Add(name, value);
  }
  StripResponse(response);
  ASSERT_EQ(response.headers.All().size(), 2U);
  EXPECT_EQ(response.headers.Find("Retry-After"), "7");
  EXPECT_EQ(response.headers.Find("Content-Encoding"), "gzip");
}

TEST(ForwardMessageTest, AForwardedRequestSaysSoOnceWhateverTheClientClaims) {
  Request request;
  EXPECT_FALSE(WasForwarded(request));
  request.headers.Add("x-seedcore-forwarded", "0");
  EXPECT_TRUE(WasForwarded(request));
  const std::string head = ForwardedHead(request, "/x", {.host = "a", .token = "", .time_left = {}});
  EXPECT_THAT(head, HasSubstr("\r\nX-SeedCore-Forwarded: 1\r\n"));
  EXPECT_THAT(head, Not(HasSubstr("x-seedcore-forwarded")));
}

}  // namespace
}  // namespace seedcore::net
