#include "settings/value.h"

#include <gtest/gtest.h>

namespace seedcore::settings {
namespace {

using std::chrono::milliseconds;

template <class T>
Result<T> Parse(std::string text, const Limits& limits = {}) {
  T value{};
  if (const auto read = ParseValue({std::move(text), std::nullopt}, limits, value); !read) {
    return std::unexpected(read.error());
  }
  return value;
}

TEST(Value, DurationTakesEveryUnit) {
  EXPECT_EQ(Parse<milliseconds>("250ms"), milliseconds{250});
  EXPECT_EQ(Parse<milliseconds>("1.5s"), milliseconds{1500});
  EXPECT_EQ(Parse<milliseconds>(" 5 m "), milliseconds{300'000});
  EXPECT_EQ(Parse<milliseconds>("2H"), milliseconds{7'200'000});
  EXPECT_EQ(Parse<milliseconds>("7d"), milliseconds{604'800'000});
}

TEST(Value, BareDurationIsInTheUnitOfItsSetting) {
  EXPECT_EQ(Parse<milliseconds>("8.0"), milliseconds{8000});
  EXPECT_EQ(Parse<milliseconds>("1000", {.bare_unit = milliseconds{1}}), milliseconds{1000});
}

TEST(Value, DurationRefusesOtherTexts) {
  for (const char* text : {"", "s", "5 parsecs", "1e999s", "nan", "--5s", "5s5s", "1e15d"}) {
    EXPECT_FALSE(Parse<milliseconds>(text)) << text;
  }
}

TEST(Value, SizeTakesBinaryAndDecimalUnits) {
  EXPECT_EQ(Parse<ByteSize>("64KiB")->bytes, 65'536u);
  EXPECT_EQ(Parse<ByteSize>("8mb")->bytes, 8'000'000u);
  EXPECT_EQ(Parse<ByteSize>("4096")->bytes, 4096u);
  EXPECT_FALSE(Parse<ByteSize>("-1"));
  EXPECT_FALSE(Parse<ByteSize>("1e30"));
}

TEST(Value, WholeNumberRefusesFractionsOverflowAndTrailingText) {
  EXPECT_EQ(Parse<int>("-3"), -3);
  for (const char* text : {"1.5", "99999999999", "3x", "", " "}) EXPECT_FALSE(Parse<int>(text)) << text;
}

TEST(Value, NumberOutsideItsRangeNamesTheRange) {
  const auto parsed = Parse<int>("0", {.min = 1, .max = 16});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message, "expected a whole number, 1 to 16");
}

TEST(Value, DurationOutsideItsRangeNamesTheRangeInUnits) {
  const auto parsed = Parse<milliseconds>("2d", {.min = 1, .max = 3600});
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().message, "expected a duration such as 500ms, 30s, 5m, 2h or 7d, 1s to 1h");
}

TEST(Value, BoolTakesTheUsualWords) {
  for (const char* text : {"true", "1", "Yes", "ON"}) EXPECT_EQ(Parse<bool>(text), true) << text;
  for (const char* text : {"false", "0", "No", "off"}) EXPECT_EQ(Parse<bool>(text), false) << text;
  EXPECT_FALSE(Parse<bool>("maybe"));
}

TEST(Value, HostAndPortNeedBothParts) {
  EXPECT_EQ(Parse<HostPort>("127.0.0.1:8000"), (HostPort{"127.0.0.1", 8000}));
  EXPECT_EQ(Parse<HostPort>("[::1]:0"), (HostPort{"::1", 0}));
  for (const char* text :
       {"8000", ":8000", "localhost", "localhost:", "localhost:99999", "::1:80", "[]:80", "a b:1", "h:-1"}) {
    EXPECT_FALSE(Parse<HostPort>(text)) << text;
  }
}

TEST(Value, OnlyLoopbackAddressesAreLoopback) {
  EXPECT_TRUE(IsLoopback({"127.0.0.1", 1}));
  EXPECT_TRUE(IsLoopback({"::1", 1}));
  EXPECT_TRUE(IsLoopback({"localhost", 1}));
  EXPECT_FALSE(IsLoopback({"0.0.0.0", 1}));
  EXPECT_FALSE(IsLoopback({"127.example.com", 1}));
}

TEST(Value, ListComesFromCommasOrFromASequence) {
  EXPECT_EQ(Parse<std::vector<std::string>>("a, b,,c"), (std::vector<std::string>{"a", "b", "c"}));
  std::vector<std::string> items;
  ASSERT_TRUE(ParseValue({"a,b", std::vector<std::string>{"a,b"}}, {}, items));
  EXPECT_EQ(items, std::vector<std::string>{"a,b"});
}

TEST(Value, ChoiceIgnoresCaseAndRefusesOthers) {
  const Limits limits{.choices = {"rules", "openai"}};
  EXPECT_EQ(Parse<std::string>("RULES", limits), "rules");
  EXPECT_EQ(Parse<std::string>("x", limits).error().message, "expected a known name, one of rules, openai");
}

TEST(Value, FormattedDurationsAndSizesReadBackTheSame) {
  for (const int ms : {0, 1, 999, 1000, 1500, 60'000, 90'000, 3'600'000, 86'400'000, 86'400'001}) {
    const milliseconds value{ms};
    EXPECT_EQ(Parse<milliseconds>(FormatValue(value)), value) << FormatValue(value);
  }
  for (const std::uint64_t bytes : {0ull, 1ull, 1000ull, 1024ull, 1025ull, 8'000'000ull, 1ull << 30}) {
    EXPECT_EQ(Parse<ByteSize>(FormatValue(ByteSize{bytes}))->bytes, bytes) << FormatValue(ByteSize{bytes});
  }
}

}  // namespace
}  // namespace seedcore::settings
