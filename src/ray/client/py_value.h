#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace seedcore::ray {

/// Nesting of lists, tuples and dicts beyond which a value is neither written nor read.
inline constexpr std::size_t kMaxPyDepth = 64;

/// Plain Python data: what an actor's arguments and results are made of here. Whole numbers go from -2^63 to 2^64 - 1.
/// Text is UTF-8. A value owns everything below it.
struct PyValue {
  struct Bytes {
    std::string data;
    friend bool operator==(const Bytes&, const Bytes&) = default;
  };
  struct Tuple {
    std::vector<PyValue> items;
    friend bool operator==(const Tuple& a, const Tuple& b);
  };
  using List = std::vector<PyValue>;
  /// In insertion order, as Python keeps it; no key twice.
  struct Item;
  using Dict = std::vector<Item>;
  using None = std::monostate;

  /// A uint64 is only used above 2^63 - 1, so that equal numbers are equal values.
  std::variant<None, bool, std::int64_t, std::uint64_t, double, std::string, Bytes, List, Tuple, Dict> data;

  friend bool operator==(const PyValue& a, const PyValue& b);
};

/// One key of a dict, and what it stands for.
struct PyValue::Item {
  std::string key;
  PyValue value;
  friend bool operator==(const Item& a, const Item& b);
};

/// JSON to Python: null, true, 3, 0.5, "text", [..] and {..} become None, True, 3, 0.5, str, list and dict. What JSON
/// lacks is an object with one member: {"$bytes": "BASE64"}, {"$tuple": [..]}, {"$float": "nan" | "inf" | "-inf"}.
/// Such a member with other content is kInvalidArgument; so is nesting beyond kMaxPyDepth.
[[nodiscard]] Result<PyValue> PyFromJson(const json::value& value);

/// The inverse, so that a result can be given back as an argument: tuples, bytes, nan and infinities take the forms
/// above.
[[nodiscard]] json::value PyToJson(const PyValue& value);

}  // namespace seedcore::ray
