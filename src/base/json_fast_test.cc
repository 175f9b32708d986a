#include "base/json_fast.h"

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace seedcore {
namespace {

enum class Shade { kRed, kGreen };
constexpr std::array<std::pair<Shade, std::string_view>, 2> EnumNames(Shade) {
  return {{{Shade::kRed, "red"}, {Shade::kGreen, "green"}}};
}

struct Spot {
  double x = 0.5;
  std::optional<double> y;
  static constexpr auto kFields = Fields(Required("x", &Spot::x, ""), Sparse("y", &Spot::y, ""));
  [[nodiscard]] Result<void> Validate() const {
    if (x > -1000.0) return {};
    return Fail(ErrorCode::kInvalidArgument, "too small", "x");
  }
};

struct Everything {
  bool b = true;
  int i = 7;
  std::uint8_t byte = 9;
  std::uint64_t u = 0;
  double d = 0.0;
  std::string s = "default";
  std::optional<WallTime> t;
  Shade c = Shade::kGreen;
  json::value v;
  json::object f;
  std::vector<double> numbers;
  std::vector<Spot> points;
  std::map<std::string, Spot> named;
  static constexpr auto kFields = Fields(
      Optional("b", &Everything::b, ""), Optional("i", &Everything::i, ""), Optional("byte", &Everything::byte, ""),
      Optional("u", &Everything::u, ""), Optional("d", &Everything::d, ""), Optional("s", &Everything::s, ""),
      Optional("t", &Everything::t, ""), Optional("c", &Everything::c, ""), Optional("v", &Everything::v, ""),
      Optional("f", &Everything::f, ""), Optional("numbers", &Everything::numbers, ""),
      Optional("points", &Everything::points, ""), Optional("named", &Everything::named, ""));
};

/// What reading gives, as text: the struct written again, or the error.
template <class T>
std::string Told(const Result<T>& read) {
  return read ? ToJsonText(*read) : ToString(read.error()) + " at " + read.error().path;
}

void ExpectSame(const std::string& text) {
  EXPECT_EQ(Told(FromJsonTextFast<Everything>(text)), Told(FromJsonText<Everything>(text))) << text;
}

/// Whether the fast way takes the text at all.
bool IsFast(std::string_view text) {
  JsonNode node;
  Everything out;
  return JsonNode::ReadDocument(text, node) && binding::ReadFast(node, out);
}

TEST(JsonFast, ReadsEveryKindOfMemberWithoutHelp) {
  const std::string text =
      R"({"b":false,"i":-3,"byte":255,"u":18446744073709551615,"d":1,"s":"\u00e9\ud83d\ude00\n","t":"2026-01-02T03:04:05Z",)"
      R"("c":"red","v":[1,-2,2.5,"x",null,true,{"k":{}}],"f":{"a":[]},"numbers":[1,2.25,-0.1e-3,18446744073709551615],)"
      R"("points":[{"x":1,"y":null},{"y":2,"x":3}],"named":{"z":{"x":1},"a":{"x":2}}})";
  EXPECT_TRUE(IsFast(text));
  ExpectSame(text);
}

TEST(JsonFast, AnswersLikeTheCarefulReaderForWhateverIsUnusual) {
  const std::vector<std::string> members = {R"("d":-0)",
                                            R"("d":-0.0)",
                                            R"("d":1e400)",
                                            R"("d":-1e400)",
                                            R"("d":1e-400)",
                                            R"("d":4.9e-324)",
                                            R"("d":1999999999990000000000000000000e-46744073709551614)",
                                            R"("d":-0.0001e46744073709551614)",
                                            R"("d":1e-99999999999999999999999)",
                                            R"("d":1e+99999999999999999999999)",
                                            R"("d":0e99999999999999999999999)",
                                            R"("d":1E+2)",
                                            R"("d":0.1000000000000000055511151231257827021181583404541015625)",
                                            R"("d":9007199254740993)",
                                            R"("d":123456789012345678901234567890)",
                                            R"("d":01)",
                                            R"("d":1.)",
                                            R"("d":.5)",
                                            R"("d":+1)",
                                            R"("d":NaN)",
                                            R"("d":Infinity)",
                                            R"("d":"1")",
                                            R"("d":null)",
                                            R"("v":-0)",
                                            R"("v":18446744073709551616)",
                                            R"("v":1e2)",
                                            R"("v":9223372036854775808)",
                                            R"("v":-9223372036854775809)",
                                            R"("i":3.0)",
                                            R"("i":3.5)",
                                            R"("i":2147483648)",
                                            R"("i":-2147483648)",
                                            R"("byte":256)",
                                            R"("byte":-1)",
                                            R"("u":-1)",
                                            R"("u":1e3)",
                                            R"("u":18446744073709551616)",
                                            R"("s":"\ud800")",
                                            R"("s":"\udc00")",
                                            R"("s":"\udc00\ud800")",
                                            R"("s":"\ud800\u0041")",
                                            R"("s":"\u0000")",
                                            R"("s":"\x")",
                                            "\"s\":\"a\nb\"",
                                            "\"s\":\"\x7f\"",
                                            "\"s\":\"\xff\"",
                                            "\"s\":\"\xc0\x80\"",
                                            "\"s\":\"\xed\xa0\x80\"",
                                            R"("c":"blue")",
                                            R"("c":1)",
                                            R"("t":"yesterday")",
                                            R"("unknown":1)",
                                            R"("b":1)",
                                            R"("b":true,"b":false)",
                                            R"("b":1,"b":false)",
                                            R"("v":{"k":1,"k":2})",
                                            R"("f":{"k":[{"a":1,"a":2}]})",
                                            R"("named":{"p":{"x":1,"y":2},"p":{"x":3}})",
                                            R"("named":{"p":{"x":"bad"},"p":{"x":3}})",
                                            R"("named":{"p":{}})",
                                            R"("points":[{"x":-1000}])",
                                            R"("points":[{"x":1,"z":2}])",
                                            R"("points":[1])",
                                            R"("points":{})",
                                            R"("numbers":[1,"2"])",
                                            R"("numbers":[1,])",
                                            R"("numbers":[null])",
                                            R"("f":[])",
                                            R"("f":null)",
                                            R"("b":true,)",
                                            R"("b" true)",
                                            R"(b:true)",
                                            R"("b":tru)",
                                            R"("b":truee)",
                                            R"("\u0062":false)"};
  for (const std::string& member : members) {
    ExpectSame("{" + member + "}");
    ExpectSame("{\"i\":1," + member + "}");
  }
  for (const std::string text : {"", " ", "{", "}", "{}", " {}", "{} ", "{}\n\t\r ", "{}{}", "{}x", "[]", "1", "null",
                                 "\xef\xbb\xbf{}", "{}\xef\xbb\xbf", "{/**/}", "{\"b\":true}//", "\f{}"}) {
    ExpectSame(text);
  }
  ExpectSame(std::string("{}\0", 3));
  ExpectSame(std::string("{\"s\":\"a\0\"}", 10));
}

TEST(JsonFast, DepthEndsWhereItEndsForTheCarefulReader) {
  for (std::size_t depth = 1; depth < kMaxJsonDepth + 4; ++depth) {
    ExpectSame(R"({"v":)" + std::string(depth, '[') + std::string(depth, ']') + "}");
    ExpectSame(R"({"v":)" + std::string(depth, '[') + "1" + std::string(depth, ']') + "}");
  }
  const std::string deep = R"({"v":)" + std::string(200, '[') + std::string(200, ']') + "}";
  EXPECT_FALSE(IsFast(deep));
}

TEST(JsonFast, ALongTextIsReadTheCarefulWay) {
  std::string text = R"({"s":")" + std::string(kMaxFastJson, 'x') + "\"}";
  EXPECT_FALSE(IsFast(text));
  ExpectSame(text);
  text = R"({"s":")" + std::string(kMaxFastJson - 8, 'x') + "\"}";
  ASSERT_EQ(text.size(), kMaxFastJson);
  EXPECT_TRUE(IsFast(text));
  ExpectSame(text);
}

TEST(JsonFast, ReadsNumbersToTheLastBit) {
  std::mt19937_64 random(1);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same numbers every time
  for (int i = 0; i < 20'000; ++i) {
    const auto number = std::bit_cast<double>(random());
    if (!std::isfinite(number)) continue;
    const double tenths = std::round(number * 10.0) / 10.0;
    Everything written;
    written.numbers = {number, std::isfinite(tenths) ? tenths : 0.0};
    const std::string text = ToJsonText(written);
    ASSERT_TRUE(IsFast(text)) << text;
    ASSERT_EQ(FromJsonTextFast<Everything>(text)->numbers, written.numbers) << text;
  }
}

TEST(JsonFast, ASpoiltByteIsJudgedTheSame) {
  const std::string good =
      R"({"i":-3,"s":"a\u00e9","v":[1,-2.5e1,{"k":null}],"numbers":[1,2.25],"points":[{"x":1,"y":null}]})";
  ASSERT_TRUE(IsFast(good));
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = good;
      text[at] = static_cast<char>(byte);
      ASSERT_EQ(Told(FromJsonTextFast<Everything>(text)), Told(FromJsonText<Everything>(text))) << text;
    }
  }
}

}  // namespace
}  // namespace seedcore
