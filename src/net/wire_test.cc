#include "net/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/json.h"
#include "net/client.h"
#include "net/event_buffer.h"
#include "net/sse_parser.h"

namespace seedcore::net {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Wire, WritesOneResponse) {
  Response response = JsonResponse("{}", 202);
  response.headers.Add("Retry-After", "1");
  std::string out;
  AppendResponse(out, response, {.request_id = "r1"});
  EXPECT_EQ(out,
            "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 2\r\nX-Request-ID: r1\r\n"
            "Retry-After: 1\r\n\r\n{}");
}

TEST(Wire, LetsNoFieldValueStartAnotherField) {
  Response response;
  response.headers.Add("X-Name", std::string("a\r\nSet-Cookie: b\0c", 18));
  std::string out;
  AppendResponse(out, response, {});
  EXPECT_THAT(out, HasSubstr("X-Name: a  Set-Cookie: b c\r\n"));
}

TEST(Wire, IsTheOnlyOneToFrameTheBody) {
  Response response = JsonResponse("12");
  response.headers.Add("content-length", "99");
  response.headers.Add("Transfer-Encoding", "chunked");
  std::string out;
  AppendResponse(out, response, {});
  EXPECT_THAT(out, HasSubstr("Content-Length: 2\r\n"));
  EXPECT_THAT(out, Not(HasSubstr("99")));
  EXPECT_THAT(out, Not(HasSubstr("chunked")));
}

TEST(Wire, WritesNoBodyWhereThereIsNone) {
  std::string head;
  AppendResponse(head, JsonResponse("12345"), {.head = true});
  EXPECT_THAT(head, HasSubstr("Content-Length: 5\r\n"));
  EXPECT_TRUE(head.ends_with("\r\n\r\n"));
  std::string none;
  AppendResponse(none, JsonResponse("ignored", 204), {});
  EXPECT_THAT(none, Not(HasSubstr("Content-Length")));
  EXPECT_TRUE(none.ends_with("\r\n\r\n"));
}

TEST(Wire, FormatsDatesAsHttpWantsThem) {
  EXPECT_EQ(HttpDate(FromUnixMicros(784'111'777'000'000)), "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(ErrorBodies, DecodeToTheErrorTheyWereMadeFrom) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const Error error{static_cast<ErrorCode>(i), "what \"happened\"", "params.x"};
    EXPECT_EQ(DecodeError(ErrorResponse(error)), error);
  }
}

TEST(ErrorBodies, AnythingElseBecomesAnErrorOfItsStatus) {
  for (const char* body :
       {"", "<html>", "[]", R"({"error":"x"})", R"({"error":{"code":7}})", R"({"error":{"code":"new_code"}})"}) {
    Response response;
    response.status = 404;
    response.body = body;
    EXPECT_EQ(DecodeError(response).code, ErrorCode::kNotFound) << body;
  }
}

std::vector<std::string> Parse(std::string_view text, std::size_t piece) {
  SseParser parser;
  std::vector<std::string> events;
  const EventCallback collect = [&](const ServerEvent& e) {
    events.push_back(std::string(e.event) + "|" + std::string(e.data) + "|" + std::string(e.id));
    return true;
  };
  for (std::size_t at = 0; at < text.size(); at += piece) EXPECT_TRUE(parser.Feed(text.substr(at, piece), collect));
  return events;
}

TEST(Sse, WhatIsFormattedParsesBackInPiecesOfAnySize) {
  const std::string text = FormatEvent("task", "a\nb\r\nc\rd", "9") + ": comment\n\n" + FormatEvent("", "", "") +
                           FormatEvent("x\ny", "z", "i\r\nd");
  for (std::size_t piece = 1; piece < text.size(); ++piece) {
    EXPECT_THAT(Parse(text, piece), ElementsAre("task|a\nb\nc\nd|9", "message||9", "x|z|i"));
  }
}

TEST(Sse, UnderstandsEveryLineEnd) {
  const std::string_view text = "data: 1\r\rdata:2\r\n\r\ndata:  3\n\nevent: e\n\ndata: cut";
  for (std::size_t piece = 1; piece < text.size(); ++piece) {
    EXPECT_THAT(Parse(text, piece), ElementsAre("message|1|", "message|2|", "message| 3|"));
  }
}

TEST(Sse, RefusesAnEventThatNeverEnds) {
  SseParser parser;
  const std::string piece = "data: " + std::string(1'000'000, 'x') + "\n";
  Result<bool> fed = true;
  for (int i = 0; i < 10 && fed; ++i) fed = parser.Feed(piece, [](const ServerEvent&) { return true; });
  ASSERT_FALSE(fed);
  EXPECT_EQ(fed.error().code, ErrorCode::kPayloadTooLarge);
}

TEST(EventBuffer, RefusesWhatIsSentToASlowClient) {
  int wakes = 0;
  EventBuffer buffer(100, [&] { ++wakes; });
  EXPECT_TRUE(buffer.Send("e", std::string(50, 'x'), ""));
  EXPECT_FALSE(buffer.Send("e", std::string(50, 'x'), ""));
  EXPECT_TRUE(buffer.Overflowed());
  EXPECT_FALSE(buffer.Send("e", "y", ""));
  EXPECT_EQ(wakes, 2);
  std::string text;
  EXPECT_FALSE(buffer.Take(text));
}

TEST(EventBuffer, TellsASenderWithALotToSayWhenItCanGoOn) {
  EventBuffer buffer(1000, [] {});
  int told = 0;
  buffer.OnRoom([&] { ++told; });
  EXPECT_TRUE(buffer.HasRoom());
  EXPECT_TRUE(buffer.Send("e", std::string(500, 'x'), ""));
  EXPECT_FALSE(buffer.HasRoom());
  std::string text;
  EXPECT_TRUE(buffer.Take(text));
  EXPECT_TRUE(buffer.HasRoom());
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(buffer.Take(text)) << "nothing was sent";
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(buffer.Send("e", "y", ""));
  buffer.Disconnected();
  EXPECT_FALSE(buffer.Take(text));
  EXPECT_EQ(told, 1);
}

TEST(EventBuffer, TellsOnceThatItsClientHasGone) {
  EventBuffer buffer(100, [] {});
  int told = 0;
  buffer.OnClosed([&] { ++told; });
  buffer.Disconnected();
  buffer.Disconnected();
  EXPECT_EQ(told, 1);
  EXPECT_FALSE(buffer.Send("e", "x", ""));
  buffer.OnClosed([&] { ++told; });
  EXPECT_EQ(told, 2);
}

TEST(EventBuffer, DeliversWhatWasSentBeforeTheClose) {
  EventBuffer buffer(100, [] {});
  EXPECT_TRUE(buffer.Send("", "last", ""));
  buffer.Close();
  std::string text;
  EXPECT_TRUE(buffer.Take(text));
  EXPECT_EQ(text, "data: last\n\n");
  EXPECT_FALSE(buffer.Take(text));
}

}  // namespace
}  // namespace seedcore::net
