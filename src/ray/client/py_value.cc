#include "ray/client/py_value.h"

#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>

#include "ray/client/base64.h"

namespace seedcore::ray {

// Out of the class, where the type they compare is not complete yet.
bool operator==(const PyValue::Tuple& a, const PyValue::Tuple& b) { return a.items == b.items; }
bool operator==(const PyValue::Item& a, const PyValue::Item& b) { return a.key == b.key && a.value == b.value; }
bool operator==(const PyValue& a, const PyValue& b) { return a.data == b.data; }

namespace {

constexpr std::string_view kBytes = "$bytes";
constexpr std::string_view kTuple = "$tuple";
constexpr std::string_view kFloat = "$float";

Result<PyValue> Convert(const json::value& value, std::size_t depth);

Result<PyValue::List> ConvertItems(const json::array& array, std::size_t depth) {
  PyValue::List items;
  items.reserve(array.size());
  for (const json::value& item : array) {
    SEEDCORE_ASSIGN_OR_RETURN(PyValue converted, Convert(item, depth + 1));
    items.push_back(std::move(converted));
  }
  return items;
}

Result<PyValue> ConvertMarked(std::string_view mark, const json::value& content, std::size_t depth) {
  if (mark == kTuple) {
    if (!content.is_array()) return Fail(ErrorCode::kInvalidArgument, "$tuple: expected an array");
    SEEDCORE_ASSIGN_OR_RETURN(PyValue::List items, ConvertItems(content.get_array(), depth));
    return PyValue{PyValue::Tuple{std::move(items)}};
  }
  if (!content.is_string()) return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: expected a string", mark));
  const std::string_view text = content.get_string();
  if (mark == kBytes) {
    SEEDCORE_ASSIGN_OR_RETURN(std::string bytes, DecodeBase64(text));
    return PyValue{PyValue::Bytes{std::move(bytes)}};
  }
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (text == "nan") return PyValue{std::numeric_limits<double>::quiet_NaN()};
  if (text == "inf") return PyValue{kInfinity};
  if (text == "-inf") return PyValue{-kInfinity};
  return Fail(ErrorCode::kInvalidArgument, fmt::format("$float: expected nan, inf or -inf, got '{}'", text));
}

Result<PyValue> ConvertObject(const json::object& object, std::size_t depth) {
  if (object.size() == 1) {
    const std::string_view key = object.begin()->key();
    if (key == kBytes || key == kTuple || key == kFloat) return ConvertMarked(key, object.begin()->value(), depth);
  }
  PyValue::Dict dict;
  dict.reserve(object.size());
  for (const auto& member : object) {
    SEEDCORE_ASSIGN_OR_RETURN(PyValue converted, Convert(member.value(), depth + 1));
    dict.emplace_back(member.key(), std::move(converted));
  }
  return PyValue{std::move(dict)};
}

Result<PyValue> Convert(const json::value& value, std::size_t depth) {
  if (depth > kMaxPyDepth) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("nested deeper than {} levels", kMaxPyDepth));
  }
  switch (value.kind()) {
    case json::kind::null: return PyValue{};
    case json::kind::bool_: return PyValue{value.get_bool()};
    case json::kind::int64: return PyValue{value.get_int64()};
    case json::kind::uint64: {
      const std::uint64_t number = value.get_uint64();
      if (std::in_range<std::int64_t>(number)) return PyValue{static_cast<std::int64_t>(number)};
      return PyValue{number};
    }
    case json::kind::double_: return PyValue{value.get_double()};
    case json::kind::string: return PyValue{std::string(value.get_string())};
    case json::kind::array: {
      SEEDCORE_ASSIGN_OR_RETURN(PyValue::List items, ConvertItems(value.get_array(), depth));
      return PyValue{std::move(items)};
    }
    case json::kind::object: return ConvertObject(value.get_object(), depth);
  }
  return Fail(ErrorCode::kInternal, "a JSON kind that is not known");
}

struct ToJson {
  static json::array Items(const PyValue::List& items) {
    json::array array;
    array.reserve(items.size());
    for (const PyValue& item : items) array.push_back(PyToJson(item));
    return array;
  }

  json::value operator()(PyValue::None) const { return nullptr; }
  json::value operator()(bool value) const { return value; }
  json::value operator()(std::int64_t value) const { return value; }
  json::value operator()(std::uint64_t value) const { return value; }
  json::value operator()(double value) const {
    if (std::isfinite(value)) return value;
    return json::object{{kFloat, std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf"}};
  }
  json::value operator()(const std::string& value) const { return json::string(value); }
  json::value operator()(const PyValue::Bytes& value) const {
    return json::object{{kBytes, json::string(EncodeBase64(value.data))}};
  }
  json::value operator()(const PyValue::List& value) const { return Items(value); }
  json::value operator()(const PyValue::Tuple& value) const { return json::object{{kTuple, Items(value.items)}}; }
  json::value operator()(const PyValue::Dict& value) const {
    json::object object;
    object.reserve(value.size());
    for (const auto& [key, item] : value) object[key] = PyToJson(item);
    return object;
  }
};

}  // namespace

Result<PyValue> PyFromJson(const json::value& value) { return Convert(value, 0); }

json::value PyToJson(const PyValue& value) { return std::visit(ToJson{}, value.data); }

}  // namespace seedcore::ray
