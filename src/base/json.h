#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/string.hpp>
#include <boost/json/value.hpp>

#include "base/result.h"

namespace seedcore {

namespace json = boost::json;

/// Nesting beyond which a document is refused.
inline constexpr std::size_t kMaxJsonDepth = 64;

/// Parses RFC 8259 JSON: UTF-8 checked, NaN and infinities refused, at most kMaxJsonDepth levels. kMalformed names the
/// byte offset. Numbers that are neither int64, uint64 nor a finite double are refused.
[[nodiscard]] Result<json::value> ParseJson(std::string_view text);

/// Compact JSON, members in their order. A non-finite number, which only a fault of ours can bring here, becomes null.
[[nodiscard]] std::string WriteJson(const json::value& value);
/// The same with two spaces of indentation, for people.
[[nodiscard]] std::string WriteJsonPretty(const json::value& value);
/// The same value always gives the same text: members sorted by key. Used for content hashes.
[[nodiscard]] std::string WriteJsonCanonical(const json::value& value);

void AppendJson(std::string& out, const json::value& value);
void AppendJsonObject(std::string& out, const json::object& object);
/// Quotes and escapes; `text` must be UTF-8, bytes that are not become U+FFFD.
void AppendJsonString(std::string& out, std::string_view text);
/// Shortest text that reads back as the same double; "null" when not finite.
void AppendJsonNumber(std::string& out, double number);

/// "an object", "a string", ... : for messages of the form "expected a string, got 3".
[[nodiscard]] std::string DescribeJson(const json::value& value);
/// The double a JSON number of any of the three kinds stands for. `value.is_number()` must hold.
[[nodiscard]] double JsonToDouble(const json::value& value);

}  // namespace seedcore
