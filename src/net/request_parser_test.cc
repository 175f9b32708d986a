#include "net/request_parser.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "net/response_parser.h"

namespace seedcore::net {
namespace {

/// The body of the one message in `bytes`, which arrives in pieces of `size`; an error's text when there is none.
template <class Parser, class Body>
std::string ReadInPieces(Parser& parser, const Body& body, std::string_view bytes, std::size_t size) {
  std::string buffer;
  while (!bytes.empty()) {
    buffer.append(bytes.substr(0, size));
    bytes.remove_prefix(std::min(size, bytes.size()));
    for (bool more = false; !more && !buffer.empty();) {
      std::size_t consumed = 0;
      const auto state = parser.Feed(buffer, consumed);
      if (!state) return ToString(state.error());
      buffer.erase(0, consumed);
      if (*state == Parser::State::kDone) return body();
      more = *state == Parser::State::kNeedMore;
    }
  }
  return "incomplete";
}

const std::vector<std::pair<std::string, std::string>>& ChunkedBodies() {
  static const std::vector<std::pair<std::string, std::string>> bodies{
      {"0\r\n\r\n", ""},
      {"0\r\na: b\r\nc: d\r\n\r\n", ""},  // the last chunk comes first, and trailers after it
      {"1\r\nx\r\n0\r\n\r\n", "x"},
      {"3;name=value\r\nabc\r\n10\r\n0123456789abcdef\r\n000\r\n\r\n", "abc0123456789abcdef"}};
  return bodies;
}

TEST(RequestParser, ChunksMeanTheSameHoweverTheyAreCut) {
  for (const auto& [chunks, expected] : ChunkedBodies()) {
    const std::string bytes = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks;
    for (std::size_t size = 1; size <= bytes.size(); ++size) {
      const ServerLimits limits;
      RequestParser parser(limits);
      Request request;
      parser.Start(request);
      EXPECT_EQ(ReadInPieces(parser, [&] { return request.body; }, bytes, size), expected) << chunks << " by " << size;
    }
  }
}

TEST(RequestParser, DataOfAChunkIsNotHeldBack) {
  const ServerLimits limits;
  RequestParser parser(limits);
  Request request;
  parser.Start(request);
  std::string buffer = "POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nab";
  for (int i = 0; i < 3; ++i) {
    std::size_t consumed = 0;
    ASSERT_TRUE(parser.Feed(buffer, consumed));
    buffer.erase(0, consumed);
  }
  EXPECT_EQ(request.body, "ab");
}

TEST(ResponseParser, ChunksMeanTheSameHoweverTheyAreCut) {
  for (const auto& [chunks, expected] : ChunkedBodies()) {
    const std::string bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks;
    for (std::size_t size = 1; size <= bytes.size(); ++size) {
      ResponseParser parser(false, 1024);
      EXPECT_EQ(ReadInPieces(
                    parser, [&] { return parser.response().body; }, bytes, size),
                expected)
          << chunks << " by " << size;
    }
  }
}

}  // namespace
}  // namespace seedcore::net
