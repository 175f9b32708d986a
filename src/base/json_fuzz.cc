// Arbitrary bytes through the JSON binding. Build with the `fuzz` preset.
#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "base/json_fast.h"

namespace seedcore {
namespace {

enum class Color { kRed, kGreen };
constexpr std::array<std::pair<Color, std::string_view>, 2> EnumNames(Color) {
  return {{{Color::kRed, "red"}, {Color::kGreen, "green"}}};
}

struct Leaf {
  double d = 0.0;
  std::optional<double> o;
  static constexpr auto kFields = Fields(Required("d", &Leaf::d, "Any number"), Sparse("o", &Leaf::o, "Or none"));
  [[nodiscard]] Result<void> Validate() const {
    if (d > -1000.0) return {};
    return Fail(ErrorCode::kInvalidArgument, "too small", "d");
  }
};

/// Every kind of member there is, under names a fuzzer finds quickly.
struct Tree {
  bool b = false;
  int i = 0;
  std::int64_t l = 0;
  std::uint64_t u = 0;
  std::uint8_t y = 0;
  double d = 0.0;
  std::string s;
  std::optional<WallTime> t;
  Color c = Color::kRed;
  json::value v;
  json::object f;
  std::vector<Leaf> a;
  std::map<std::string, std::vector<int>> m;
  std::optional<Leaf> o;
  static constexpr auto kFields =
      Fields(Optional("b", &Tree::b, ""), Optional("i", &Tree::i, ""), Optional("l", &Tree::l, ""),
             Optional("u", &Tree::u, ""), Optional("y", &Tree::y, ""), Optional("d", &Tree::d, ""),
             Optional("s", &Tree::s, ""), Optional("t", &Tree::t, ""), Optional("c", &Tree::c, ""),
             Optional("v", &Tree::v, ""), Sparse("f", &Tree::f, ""), Sparse("a", &Tree::a, ""),
             Sparse("m", &Tree::m, ""), Sparse("o", &Tree::o, ""));
};

constexpr std::size_t kMaxError = 4096;

void CheckError(const Error& error) {
  SEEDCORE_CHECK(!error.message.empty(), "an error says what is wrong");
  SEEDCORE_CHECK(error.message.size() + error.path.size() < kMaxError, "an error does not repeat the whole input");
}

/// What was read is written and read again: the same value, whichever way it is written.
void CheckText(const json::value& value) {
  const std::string compact = WriteJson(value);
  const auto again = ParseJson(compact);
  SEEDCORE_CHECK(again, "what is written is JSON");
  SEEDCORE_CHECK(WriteJson(*again) == compact, "writing is stable");
  const auto pretty = ParseJson(WriteJsonPretty(value));
  SEEDCORE_CHECK(pretty && *pretty == *again, "indentation changes nothing");
  const auto canonical = ParseJson(WriteJsonCanonical(value));
  SEEDCORE_CHECK(canonical && *canonical == *again, "order changes nothing");
  SEEDCORE_CHECK(!DescribeJson(value).empty(), "every value can be described");
}

template <class T>
void CheckBinding(const json::value& value) {
  const auto bound = FromJson<T>(value);
  if (!bound) return CheckError(bound.error());
  const std::string text = ToJsonText(*bound);
  const auto again = FromJsonText<T>(text);
  SEEDCORE_CHECK(again, "what a struct writes it reads");
  SEEDCORE_CHECK(ToJsonText(*again) == text, "and nothing is lost");
}

/// The fast way and the careful one tell the same.
template <class T>
void CheckFast(std::string_view text) {
  const auto fast = FromJsonTextFast<T>(text);
  const auto careful = FromJsonText<T>(text);
  SEEDCORE_CHECK(fast.has_value() == careful.has_value(), "both take it or refuse it");
  if (fast) {
    SEEDCORE_CHECK(ToJsonText(*fast) == ToJsonText(*careful), "both read the same");
  } else {
    SEEDCORE_CHECK(ToString(fast.error()) == ToString(careful.error()), "both say the same");
  }
}

}  // namespace
}  // namespace seedcore

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace seedcore;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckFast<Tree>(text);
  CheckFast<Leaf>(text);
  const auto value = ParseJson(text);
  if (!value) {
    CheckError(value.error());
    return 0;
  }
  CheckText(*value);
  CheckBinding<Tree>(*value);
  CheckBinding<Leaf>(*value);
  // Strings that were not checked before, as log lines and error texts hold them.
  std::string quoted;
  AppendJsonString(quoted, text);
  SEEDCORE_CHECK(ParseJson(quoted), "any bytes can be quoted");
  return 0;
}
