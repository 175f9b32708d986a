#include "net/gzip.h"

#include <gtest/gtest.h>

namespace seedcore::net {
namespace {

TEST(Gzip, RoundTrips) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += std::to_string(i * 7919);
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, std::size_t{16'384}, text.size()}) {
    const std::string part = text.substr(0, size);
    EXPECT_EQ(Gunzip(Gzip(part), part.size()), part);
  }
}

TEST(Gzip, StopsABombAtTheLimit) {
  const std::string bomb = Gzip(std::string(50'000'000, 'x'));
  ASSERT_LT(bomb.size(), 300'000U);
  EXPECT_EQ(Gunzip(bomb, 1'000'000).error().code, ErrorCode::kPayloadTooLarge);
}

TEST(Gzip, TakesTheLimitItself) {
  const std::string text(100'000, 'y');
  EXPECT_TRUE(Gunzip(Gzip(text), text.size()));
  EXPECT_FALSE(Gunzip(Gzip(text), text.size() - 1));
}

TEST(Gzip, ReadsConcatenatedMembers) { EXPECT_EQ(Gunzip(Gzip("one ") + Gzip("two"), 100), "one two"); }

TEST(Gzip, RefusesDamagedAndCutOffData) {
  const std::string text = std::string(1000, 'z') + "end";
  const std::string good = Gzip(text);
  EXPECT_EQ(Gunzip("", 100).error().code, ErrorCode::kMalformed);
  EXPECT_EQ(Gunzip("hello", 100).error().code, ErrorCode::kMalformed);
  for (std::size_t size = 0; size < good.size(); ++size) EXPECT_FALSE(Gunzip(good.substr(0, size), 10'000)) << size;
  for (std::size_t at = 10; at < good.size(); ++at) {
    std::string damaged = good;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x55);
    // Some bits of a deflate stream mean nothing; what is taken in spite of them must be the right text.
    const auto result = Gunzip(damaged, 10'000);
    EXPECT_TRUE(!result || *result == text) << at;
  }
  EXPECT_FALSE(Gunzip(good + "garbage", 10'000));
}

TEST(AcceptEncoding, HonoursQuality) {
  EXPECT_TRUE(AcceptsGzip("gzip"));
  EXPECT_TRUE(AcceptsGzip("deflate, GZIP;q=0.5, br"));
  EXPECT_TRUE(AcceptsGzip("*"));
  EXPECT_FALSE(AcceptsGzip(""));
  EXPECT_FALSE(AcceptsGzip("br"));
  EXPECT_FALSE(AcceptsGzip("gzip;q=0"));
  EXPECT_FALSE(AcceptsGzip("gzip;q=0.000, *"));
  EXPECT_FALSE(AcceptsGzip("gzipped"));
}

TEST(Compression, IsForTextOnly) {
  EXPECT_TRUE(IsCompressible("application/json; charset=utf-8"));
  EXPECT_TRUE(IsCompressible("text/html"));
  EXPECT_FALSE(IsCompressible("image/png"));
  EXPECT_FALSE(IsCompressible("text/event-stream"));
}

}  // namespace
}  // namespace seedcore::net
