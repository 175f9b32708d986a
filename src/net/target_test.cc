#include "net/target.h"

#include <gtest/gtest.h>

namespace seedcore::net {
namespace {

std::string Path(std::string_view text) {
  Target target;
  const auto parsed = ParseTarget(text, target);
  return parsed ? target.path : "refused: " + parsed.error().message;
}

TEST(Target, DecodesThePath) {
  EXPECT_EQ(Path("/"), "/");
  EXPECT_EQ(Path("/a/b"), "/a/b");
  EXPECT_EQ(Path("/a%20b/%E2%82%AC"), "/a b/\xE2\x82\xAC");
  EXPECT_EQ(Path("/a+b"), "/a+b");
}

TEST(Target, DropsRepeatedAndTrailingSlashes) {
  EXPECT_EQ(Path("//a///b/"), "/a/b");
  EXPECT_EQ(Path("//"), "/");
}

TEST(Target, RefusesWhatReadersDisagreeAbout) {
  for (const std::string_view text : {"",          "a",     "*",      "http://host/a", "/a/../b", "/a/./b",    "/..",
                                      "/%2e%2e/a", "/.%2E", "/a%2fb", "/a%5Cb",        "/a%00b",  "/a%0d%0ab", "/a%",
                                      "/a%4",      "/a%zz", "/a#b",   "/%ff",          "/%c0%af", "/%ed%a0%80"}) {
    EXPECT_TRUE(Path(text).starts_with("refused")) << text;
  }
  EXPECT_TRUE(Path(std::string_view("/a\0b", 4)).starts_with("refused"));
  EXPECT_EQ(Path("/..."), "/...");
}

TEST(Target, DecodesTheQuery) {
  Target target;
  ASSERT_TRUE(ParseTarget("/p?a=1&b=two+words&a=%32&empty=&flag&&eq=a=b&line=%0A", target));
  const std::multimap<std::string, std::string> expected{{"a", "1"},   {"a", "2"},    {"b", "two words"}, {"empty", ""},
                                                         {"flag", ""}, {"eq", "a=b"}, {"line", "\n"}};
  EXPECT_EQ(target.query, expected);
}

TEST(Target, RefusesBadQueries) {
  Target target;
  EXPECT_FALSE(ParseTarget("/p?a=%", target));
  EXPECT_FALSE(ParseTarget("/p?a=%00", target));
  EXPECT_FALSE(ParseTarget("/p?a=%ff", target));
  std::string many = "/p?";
  for (int i = 0; i < 300; ++i) many += "a=1&";
  EXPECT_FALSE(ParseTarget(many, target));
}

TEST(Target, PercentEncodingRoundTrips) {
  std::string text;
  for (int c = 1; c < 128; ++c) {
    if (c != '/' && c != '\\' && c >= 0x20 && c != 0x7f) text += static_cast<char>(c);
  }
  EXPECT_EQ(Path("/" + PercentEncode(text)), "/" + text);
}

TEST(HostPorts, ParseAndPrint) {
  EXPECT_EQ(ParseHostPort("127.0.0.1:8000"), (HostPort{"127.0.0.1", 8000}));
  EXPECT_EQ(ParseHostPort("[::1]:0"), (HostPort{"::1", 0}));
  EXPECT_EQ(ParseHostPort(":80"), (HostPort{"127.0.0.1", 80}));
  EXPECT_EQ((HostPort{"::1", 8}).ToString(), "[::1]:8");
  for (const std::string_view bad : {"", "host", "host:", "host:x", "host:65536", "host:-1", "::1:80", "h:80x"}) {
    EXPECT_FALSE(ParseHostPort(bad)) << bad;
  }
}

TEST(BaseUrls, ParseHttpAndHttps) {
  EXPECT_EQ(ParseBaseUrl("http://h:81/api/"), (BaseUrl{{"h", 81}, false, "/api"}));
  EXPECT_EQ(ParseBaseUrl("h"), (BaseUrl{{"h", 80}, false, ""}));
  EXPECT_EQ(ParseBaseUrl("http://[::1]/x"), (BaseUrl{{"::1", 80}, false, "/x"}));
  EXPECT_EQ(ParseBaseUrl("https://h/x"), (BaseUrl{{"h", 443}, true, "/x"}));
  EXPECT_EQ(ParseBaseUrl("https://h:80"), (BaseUrl{{"h", 80}, true, ""}));
  for (const std::string_view bad :
       {"", "http://", "https://", "ftp://h", "http://u@h", "http://h/a b", "http://h?x"}) {
    EXPECT_FALSE(ParseBaseUrl(bad)) << bad;
  }
}

TEST(Utf8, IsStrict) {
  EXPECT_TRUE(IsUtf8("a\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"));
  for (const std::string_view bad : {"\x80", "\xC3", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80",
                                     "\xF0\x8F\xBF\xBF", "\xFF", "\xE2\x82"}) {
    EXPECT_FALSE(IsUtf8(bad));
  }
}

}  // namespace
}  // namespace seedcore::net
