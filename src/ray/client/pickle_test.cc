#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

#include "ray/client/pickle_reader.h"
#include "ray/client/pickle_writer.h"
#include "ray/client/remote_error.h"

namespace seedcore::ray {
namespace {

constexpr std::size_t kRoom = 1 << 20;

std::string Pickled(const PyValue& value) {
  const auto pickle = WritePickle(value, kRoom);
  EXPECT_TRUE(pickle);
  return pickle.value_or("");
}

/// Random plain values, biased to the edges of the encodings.
class ValueMaker {
 public:
  explicit ValueMaker(unsigned seed) : engine_(seed) {}

  PyValue Make(int depth = 0) {
    switch (Below(depth < 5 ? 10 : 7)) {
      case 0: return {};
      case 1: return {Below(2) == 1};
      case 2: return {Edge()};
      case 3: return {static_cast<std::int64_t>(engine_())};
      case 4: return {engine_() | std::uint64_t{1} << 63};
      case 5: return {std::ldexp(static_cast<double>(Edge()), static_cast<int>(Below(600)) - 300)};
      case 6: return Below(2) == 1 ? PyValue{Text()} : PyValue{PyValue::Bytes{Bytes()}};
      case 7: return {Items(depth)};
      case 8: return {PyValue::Tuple{Items(depth)}};
      default: return {Dict(depth)};
    }
  }

 private:
  std::uint64_t Below(std::uint64_t limit) { return engine_() % limit; }

  std::int64_t Edge() {
    const std::int64_t power = std::int64_t{1} << Below(63);
    return (Below(2) == 1 ? power : -power) + static_cast<std::int64_t>(Below(3)) - 1;
  }

  std::string Text() {
    static constexpr std::string_view kPieces[] = {"a", "\n", "\\", "ä", "€", "𝄞", std::string_view("\0", 1), "'"};
    std::string text;
    for (std::uint64_t i = Below(300); i > 0; --i) text += kPieces[Below(std::size(kPieces))];
    return text;
  }

  std::string Bytes() {
    std::string bytes(Below(300), '\0');
    for (char& byte : bytes) byte = static_cast<char>(Below(256));
    return bytes;
  }

  PyValue::List Items(int depth) {
    PyValue::List items;
    for (std::uint64_t i = Below(5); i > 0; --i) items.push_back(Make(depth + 1));
    return items;
  }

  PyValue::Dict Dict(int depth) {
    PyValue::Dict dict;
    for (std::uint64_t i = Below(5); i > 0; --i) dict.emplace_back(std::to_string(i) + Text(), Make(depth + 1));
    return dict;
  }

  std::mt19937_64 engine_;
};

TEST(Pickle, ReadsBackWhateverItWrote) {
  for (unsigned seed = 0; seed < 2000; ++seed) {
    const PyValue value = ValueMaker(seed).Make();
    const auto read = ReadPickle(Pickled(value), {});
    ASSERT_TRUE(read) << "seed " << seed << ": " << ToString(read.error());
    EXPECT_EQ(*read, value) << "seed " << seed;
  }
}

TEST(Pickle, SurvivesTheWayOverJson) {
  for (unsigned seed = 0; seed < 500; ++seed) {
    const PyValue value = ValueMaker(seed).Make();
    const auto back = PyFromJson(PyToJson(value));
    ASSERT_TRUE(back) << "seed " << seed << ": " << ToString(back.error());
    EXPECT_EQ(*back, value) << "seed " << seed;
  }
}

TEST(Pickle, EveryPrefixAndEveryFlippedByteIsAnErrorOrAValue) {
  const std::string pickle = Pickled(ValueMaker(11).Make()) + Pickled(ValueMaker(12).Make());
  for (std::size_t length = 0; length < std::min<std::size_t>(pickle.size(), 400); ++length) {
    (void)ReadPickle(std::string_view(pickle).substr(0, length), {});
    std::string damaged = pickle.substr(0, length + 1);
    damaged[length] = static_cast<char>(damaged[length] ^ 0x41);
    (void)ReadPickle(damaged + ".", {});
  }
}

TEST(PickleWriter, WritesTheBytesRayWasTriedWith) {
  const PyValue nothing{PyValue::Tuple{{PyValue{PyValue::Tuple{}}, PyValue{PyValue::Dict{}}}}};
  EXPECT_EQ(Pickled(nothing), std::string("\x80\x02()}t.", 7));
  EXPECT_EQ(Pickled(PyValue{std::int64_t{5}}), std::string("\x80\x02K\x05.", 5));
  EXPECT_EQ(Pickled(PyValue{PyValue::Bytes{"x"}}).substr(0, 2), std::string("\x80\x03", 2)) << "bytes need protocol 3";
}

TEST(PickleWriter, RefusesWhatIsTooDeepOrTooLarge) {
  PyValue deep;
  for (int i = 0; i < 65; ++i) deep = PyValue{PyValue::List{deep}};
  EXPECT_EQ(WritePickle(deep, kRoom).error().code, ErrorCode::kInvalidArgument);
  EXPECT_EQ(WritePickle(PyValue{std::string(100, 'x')}, 50).error().code, ErrorCode::kPayloadTooLarge);
}

TEST(PickleReader, DoesNotLetASmallPickleBecomeAHugeValue) {
  // l = [x, x]; l = [l, l]; ... 40 times: 2^40 values in 200 bytes.
  std::string pickle = "\x80\x04]\x94";
  for (int i = 0; i < 40; ++i)
    pickle += "0](h" + std::string(1, static_cast<char>(i)) + "h" + std::string(1, static_cast<char>(i)) + "e\x94";
  const auto value = ReadPickle(pickle + ".", {});
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::kPayloadTooLarge);
}

TEST(PickleReader, DoesNotLetNamesOfClassesGrow) {
  // DUP and STACK_GLOBAL in turns: were a class taken for text, its name would double each time.
  std::string doubling =
      "\x8c\x01"
      "a";
  for (int i = 0; i < 40; ++i) doubling += "2\x93";
  const auto exception = ReadException(doubling + ".");
  ASSERT_FALSE(exception);
  EXPECT_EQ(exception.error().code, ErrorCode::kMalformed);
}

TEST(PickleReader, CountsTheBytesOfSharedText) {
  std::string pickle = std::string("\x80\x02X\xe8\x03\x00\x00", 7) + std::string(1000, 'x') +
                       std::string(
                           "q\x00"
                           "0](",
                           5);
  for (int i = 0; i < 1000; ++i) pickle += std::string("h\x00", 2);
  const auto value = ReadPickle(pickle + "e.", {.max_bytes = 100'000});
  ASSERT_FALSE(value);
  EXPECT_EQ(value.error().code, ErrorCode::kPayloadTooLarge);
}

TEST(PickleReader, KeepsItsLimits) {
  EXPECT_EQ(ReadPickle(Pickled(PyValue{std::string(100, 'x')}), {.max_bytes = 50}).error().code,
            ErrorCode::kPayloadTooLarge);
  const PyValue many{PyValue::List(100, PyValue{std::int64_t{1}})};
  EXPECT_EQ(ReadPickle(Pickled(many), {.max_nodes = 50}).error().code, ErrorCode::kPayloadTooLarge);
  EXPECT_EQ(ReadPickle("\x80\x04N\x94\x94\x94.", {.max_memo = 2}).error().code, ErrorCode::kPayloadTooLarge);
}

TEST(PyValue, RefusesMarkersWithTheWrongContent) {
  for (const char* text :
       {R"({"$bytes":"a"})", R"({"$bytes":"ab=c"})", R"({"$bytes":1})", R"({"$tuple":1})", R"({"$float":"many"})"}) {
    EXPECT_EQ(PyFromJson(*ParseJson(text)).error().code, ErrorCode::kInvalidArgument) << text;
  }
}

TEST(PyValue, ReadsWhatJsonLacksFromMarkers) {
  const auto value =
      PyFromJson(*ParseJson(R"([{"$bytes":"AP8="},{"$tuple":[1]},{"$float":"-inf"},{"$bytes":"AP8=","x":1}])"));
  ASSERT_TRUE(value);
  const auto& items = std::get<PyValue::List>(value->data);
  EXPECT_EQ(items[0], PyValue{PyValue::Bytes{std::string("\x00\xff", 2)}});
  EXPECT_EQ(items[1], PyValue{PyValue::Tuple{{PyValue{std::int64_t{1}}}}});
  EXPECT_EQ(items[2], PyValue{-std::numeric_limits<double>::infinity()});
  EXPECT_TRUE(std::holds_alternative<PyValue::Dict>(items[3].data)) << "a marker stands alone";
}

}  // namespace
}  // namespace seedcore::ray
