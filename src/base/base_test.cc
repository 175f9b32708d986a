#include <bit>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "base/env.h"
#include "base/json_binding.h"
#include "base/json_schema.h"
#include "base/sim_env.h"
#include "base/strings.h"
#include "base/trace.h"
#include "base/uuid.h"

namespace seedcore {
namespace {

TEST(ErrorCodes, EveryCodeRoundTripsThroughItsName) {
  for (int i = 0; i <= static_cast<int>(ErrorCode::kInternal); ++i) {
    const auto code = static_cast<ErrorCode>(i);
    EXPECT_EQ(ErrorCodeFromString(ToString(code)), code);
    EXPECT_GE(HttpStatus(code), 400);
  }
}

TEST(Time, Rfc3339RoundTripsToTheMicrosecond) {
  const auto time = ParseRfc3339("2025-01-31T10:30:00.000123+01:00");
  ASSERT_TRUE(time);
  EXPECT_EQ(ToRfc3339(*time), "2025-01-31T09:30:00.000123Z");
  EXPECT_FALSE(ParseRfc3339("2025-02-30T00:00:00Z"));
  EXPECT_FALSE(ParseRfc3339("2025-01-31"));
  EXPECT_TRUE(ParseRfc3339("2014-07-01 00:00:00"));
}

TEST(Ids, AreVersion7AndSortByTime) {
  SimEnv env;
  const std::string first = env.NewId();
  env.Advance(std::chrono::milliseconds(2));
  const std::string second = env.NewId();
  EXPECT_TRUE(IsUuid(first));
  EXPECT_EQ(first[14], '7');
  EXPECT_LT(first, second);
}

TEST(SimEnv, SleeperWakesWhenTheSimulatedClockReachesItsDeadline) {
  SimEnv env;
  bool woke = false;
  std::jthread sleeper([&](std::stop_token stop) { woke = env.SleepFor(std::chrono::hours(5), stop); });
  env.AwaitWaiters(1);
  env.Advance(std::chrono::hours(5));
  sleeper.join();
  EXPECT_TRUE(woke);
}

TEST(Trace, ParsesOnlyWhatTheSpecificationAllows) {
  const std::string good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
  const auto context = ParseTraceparent(good);
  ASSERT_TRUE(context);
  EXPECT_EQ(context->ToHeader(), good);
  EXPECT_FALSE(ParseTraceparent("00-00000000000000000000000000000000-b7ad6b7169203331-01"));
  EXPECT_FALSE(ParseTraceparent("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01"));
  EXPECT_FALSE(ParseTraceparent(good + "-extra"));
  EXPECT_TRUE(ParseTraceparent("01" + good.substr(2) + "-extra"));
}

TEST(Trace, SpanStoreDropsTheOldestTask) {
  SpanStore store(2, 1);
  store.Add("a", {.name = "1"});
  store.Add("a", {.name = "over the limit"});
  store.Add("b", {.name = "2"});
  store.Add("c", {.name = "3"});
  EXPECT_TRUE(store.ForTask("a").empty());
  EXPECT_EQ(store.ForTask("b").size(), 1U);
  EXPECT_EQ(store.ForTask("c").size(), 1U);
}

TEST(Strings, NearestNameFindsSlipsOfTheKeysOnly) {
  const std::vector<std::string_view> known{"SEEDCORE_DATA_DIR", "SEEDCORE_LISTEN"};
  EXPECT_EQ(NearestName("SEEDCORE_DATADIR", known), "SEEDCORE_DATA_DIR");
  EXPECT_EQ(NearestName("PATH", known), std::nullopt);
}

TEST(Strings, ConstantTimeEqualsComparesWholeTexts) {
  EXPECT_TRUE(ConstantTimeEquals("secret", "secret"));
  EXPECT_FALSE(ConstantTimeEquals("secret", "secreT"));
  EXPECT_FALSE(ConstantTimeEquals("aa", "a"));
  EXPECT_FALSE(ConstantTimeEquals("a", ""));
}

enum class Color { kRed, kGreen };
constexpr std::array<std::pair<Color, std::string_view>, 2> EnumNames(Color) {
  return {{{Color::kRed, "red"}, {Color::kGreen, "green"}}};
}

struct Point {
  double x = 0;
  std::optional<int> y;
  static constexpr auto kFields = Fields(Required("x", &Point::x, "Abscissa"), Optional("y", &Point::y, "Ordinate"));
};

struct Shape {
  std::vector<Point> points;
  std::map<std::string, std::uint8_t> counts;
  Color color = Color::kRed;
  json::value extra;
  static constexpr auto kFields =
      Fields(Required("points", &Shape::points, "Corners"), Sparse("counts", &Shape::counts, "By name"),
             Optional("color", &Shape::color, "Fill"), Optional("extra", &Shape::extra, "Anything"));
};

TEST(JsonBinding, RoundTripsEverySupportedKind) {
  const auto shape = FromJsonText<Shape>(
      R"({"points":[{"x":1.5,"y":2},{"x":3}],"counts":{"a":7},"color":"green","extra":[1,{"b":null}]})");
  ASSERT_TRUE(shape) << ToString(shape.error());
  EXPECT_EQ(
      ToJsonText(*shape),
      R"({"points":[{"x":1.5,"y":2},{"x":3.0,"y":null}],"counts":{"a":7},"color":"green","extra":[1,{"b":null}]})");
}

std::string ErrorOf(std::string_view text) {
  const auto shape = FromJsonText<Shape>(text);
  return shape ? "no error" : ToString(shape.error());
}

TEST(JsonBinding, ErrorsNameThePathAndWhatWasThere) {
  EXPECT_EQ(ErrorOf("{}"), "invalid_argument: required, but missing (points)");
  EXPECT_EQ(ErrorOf(R"({"points":[{"x":1},{"x":"a"}]})"),
            R"(invalid_argument: expected a number, got "a" (points[1].x))");
  EXPECT_EQ(ErrorOf(R"({"points":[],"counts":{"a":256}})"),
            "invalid_argument: expected an integer from 0 to 255, got 256 (counts.a)");
  EXPECT_EQ(ErrorOf(R"({"points":[],"colour":"red"})"),
            "invalid_argument: unknown field; did you mean 'color'? (colour)");
  EXPECT_EQ(ErrorOf(R"({"points":[],"color":"blue"})"),
            R"(invalid_argument: expected one of red, green, got "blue" (color))");
  EXPECT_EQ(ErrorOf(R"([])"), "invalid_argument: expected an object, got an array");
}

struct ForeignPart {
  int size = 0;
  static constexpr bool kIgnoresUnknownFields = true;
  static constexpr auto kFields = Fields(Required("size", &ForeignPart::size, "How large"));
};
struct ForeignAnswer {
  std::vector<ForeignPart> parts;
  Shape own;
  static constexpr bool kIgnoresUnknownFields = true;
  static constexpr auto kFields =
      Fields(Required("parts", &ForeignAnswer::parts, "Theirs"), Optional("own", &ForeignAnswer::own, "Ours"));
};

TEST(JsonBinding, AForeignAnswerMayHaveMembersWeDoNotKnow) {
  const auto answer = FromJsonText<ForeignAnswer>(R"({"new":1,"parts":[{"size":3,"color":[]}]})");
  ASSERT_TRUE(answer) << ToString(answer.error());
  EXPECT_EQ(answer->parts[0].size, 3);
  // What is required stays required, and a strict struct inside of a lenient one stays strict.
  const auto without = FromJsonText<ForeignAnswer>(R"({"parts":[{"color":1}]})");
  ASSERT_FALSE(without);
  EXPECT_EQ(without.error().path, "parts[0].size");
  const auto strict = FromJsonText<ForeignAnswer>(R"({"parts":[],"own":{"points":[],"colour":"red"}})");
  ASSERT_FALSE(strict);
  EXPECT_EQ(strict.error().path, "own.colour");
}

TEST(JsonBinding, ErrorsStayShortWhateverWasSent) {
  const std::string name = "x" + std::string(100'000, 'n');
  EXPECT_LT(ErrorOf("{\"points\":[],\"" + name + "\":1}").size(), 300U);
  std::string umlauts;
  for (int i = 0; i < 1000; ++i) umlauts += "\xC3\xA4";
  const std::string shown = ErrorOf("{\"points\":\"" + umlauts + "\"}");
  EXPECT_LT(shown.size(), 300U);
  EXPECT_TRUE(ParseJson("\"" + shown.substr(shown.find("\xC3"), shown.find("...") - shown.find("\xC3")) + "\""))
      << "cut between characters: " << shown;
}

TEST(Json, RefusesWhatIsNotJson) {
  for (const std::string_view bad : {"", "{", "{\"a\":NaN}", "1e999", "1e99999999999999999999",
                                     "0.01e46744073709551614", "[1,]", "{} x", "\"\xff\"", "Infinity"}) {
    const auto value = ParseJson(bad);
    ASSERT_FALSE(value) << bad;
    EXPECT_EQ(value.error().code, ErrorCode::kMalformed) << bad;
  }
  EXPECT_TRUE(ParseJson(std::string(kMaxJsonDepth - 1, '[') + std::string(kMaxJsonDepth - 1, ']')));
  EXPECT_FALSE(ParseJson(std::string(100'000, '[')));
}

TEST(Json, EveryDoubleReadsBackAsItself) {
  // The first four came back one unit in the last place off.
  std::vector<double> numbers{
      0.24977792341670946,    0.37060545027006253, 1.3927926388013963e-143, 5.409760742964738e+124, 0.1, -0.0, 5e-324,
      1.7976931348623157e308, -9007199254740993.0};
  SimEnv env(17);
  for (int i = 0; i < 10'000; ++i) numbers.push_back(env.RandomUnit());
  for (const double number : numbers) {
    const auto read = ParseJson(WriteJson(json::value(number)));
    ASSERT_TRUE(read && read->is_double()) << number;
    EXPECT_EQ(std::bit_cast<std::uint64_t>(read->get_double()), std::bit_cast<std::uint64_t>(number))
        << fmt::format("{:.17g}", number);
  }
  for (const std::string_view tiny :
       {" 1e-999 ", "1e-99999999999999999999", "100e-46744073709551614", "0e999999999999"}) {
    const auto read = ParseJson(tiny);
    ASSERT_TRUE(read) << tiny;
    EXPECT_EQ(read->get_double(), 0.0) << tiny << ": nothing, as near as a double can say";
  }
}

TEST(Json, WritesNumbersPeopleCanRead) {
  EXPECT_EQ(WriteJson(json::value{0.1, 1e300, 3.0, -7, 18446744073709551615ULL}),
            "[0.1,1e+300,3.0,-7,18446744073709551615]");
  EXPECT_EQ(WriteJson(json::value("a\"\\\n\x01\xC3\xA4")), "\"a\\\"\\\\\\n\\u0001\xC3\xA4\"");
}

TEST(JsonBinding, SchemaDescribesEveryField) {
  json::object definitions;
  const auto reference = binding::Schema<Shape>(definitions);
  EXPECT_EQ(WriteJson(reference), R"({"$ref":"#/components/schemas/Shape"})");
  ASSERT_TRUE(definitions.contains("Point"));
  EXPECT_EQ(WriteJson(definitions["Point"].at("required")), R"(["x"])");
}

}  // namespace
}  // namespace seedcore
