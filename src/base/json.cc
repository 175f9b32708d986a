#include "base/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <vector>

#include "base/shorten.h"

namespace seedcore {
namespace {

constexpr std::string_view kHex = "0123456789abcdef";

/// Length of the valid UTF-8 sequence at `text[i]`, or 0.
std::size_t Utf8SequenceLength(std::string_view text, std::size_t i) {
  const auto byte = [&](std::size_t k) { return static_cast<unsigned char>(text[k]); };
  const unsigned char lead = byte(i);
  std::size_t length = 0;
  unsigned char low = 0x80, high = 0xBF;
  if (lead >= 0xC2 && lead <= 0xDF) {
    length = 2;
  } else if (lead >= 0xE0 && lead <= 0xEF) {
    length = 3;
    if (lead == 0xE0) low = 0xA0;   // overlong
    if (lead == 0xED) high = 0x9F;  // surrogates
  } else if (lead >= 0xF0 && lead <= 0xF4) {
    length = 4;
    if (lead == 0xF0) low = 0x90;
    if (lead == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (i + length > text.size() || byte(i + 1) < low || byte(i + 1) > high) return 0;
  for (std::size_t k = i + 2; k < i + length; ++k) {
    if (byte(k) < 0x80 || byte(k) > 0xBF) return 0;
  }
  return length;
}

template <class Integer>
void AppendInteger(std::string& out, Integer value) {
  std::array<char, 24> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  out.append(buffer.data(), end);
}

struct Style {
  bool pretty = false;
  bool sorted = false;
};

void NewLine(std::string& out, int depth) {
  out += '\n';
  out.append(static_cast<std::size_t>(depth) * 2, ' ');
}

void Append(std::string& out, const json::value& value, Style style, int depth);

void AppendMember(std::string& out, const json::key_value_pair& member, Style style, int depth) {
  AppendJsonString(out, member.key());
  out += style.pretty ? ": " : ":";
  Append(out, member.value(), style, depth);
}

void AppendObject(std::string& out, const json::object& object, Style style, int depth) {
  out += '{';
  std::vector<const json::key_value_pair*> members;
  members.reserve(object.size());
  for (const auto& member : object) members.push_back(&member);
  if (style.sorted) std::ranges::sort(members, {}, [](const auto* member) { return std::string_view(member->key()); });
  bool first = true;
  for (const auto* member : members) {
    if (!first) out += ',';
    first = false;
    if (style.pretty) NewLine(out, depth + 1);
    AppendMember(out, *member, style, depth + 1);
  }
  if (style.pretty && !first) NewLine(out, depth);
  out += '}';
}

void AppendArray(std::string& out, const json::array& array, Style style, int depth) {
  // A vector of numbers on one line reads better than one number per line.
  const bool one_line = std::ranges::all_of(array, [](const json::value& v) { return v.is_primitive(); });
  out += '[';
  bool first = true;
  for (const json::value& element : array) {
    if (!first) out += style.pretty && one_line ? ", " : ",";
    first = false;
    if (style.pretty && !one_line) NewLine(out, depth + 1);
    Append(out, element, style, depth + 1);
  }
  if (style.pretty && !one_line && !first) NewLine(out, depth);
  out += ']';
}

void Append(std::string& out, const json::value& value, Style style, int depth) {
  switch (value.kind()) {
    case json::kind::null: out += "null"; break;
    case json::kind::bool_: out += value.get_bool() ? "true" : "false"; break;
    case json::kind::int64: AppendInteger(out, value.get_int64()); break;
    case json::kind::uint64: AppendInteger(out, value.get_uint64()); break;
    case json::kind::double_: AppendJsonNumber(out, value.get_double()); break;
    case json::kind::string: AppendJsonString(out, value.get_string()); break;
    case json::kind::array: AppendArray(out, value.get_array(), style, depth); break;
    case json::kind::object: AppendObject(out, value.get_object(), style, depth); break;
  }
}

}  // namespace

void AppendJson(std::string& out, const json::value& value) { Append(out, value, {}, 0); }
void AppendJsonObject(std::string& out, const json::object& object) { AppendObject(out, object, {}, 0); }

std::string WriteJson(const json::value& value) {
  std::string out;
  Append(out, value, {}, 0);
  return out;
}

std::string WriteJsonPretty(const json::value& value) {
  std::string out;
  Append(out, value, {.pretty = true}, 0);
  return out;
}

std::string WriteJsonCanonical(const json::value& value) {
  std::string out;
  Append(out, value, {.sorted = true}, 0);
  return out;
}

void AppendJsonString(std::string& out, std::string_view text) {
  out += '"';
  std::size_t clean = 0;  // start of the run that needs no escape and has not been copied yet
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c < 0x80 && c != '"' && c != '\\') {
      ++i;
      continue;
    }
    if (c >= 0x80) {
      if (const std::size_t length = Utf8SequenceLength(text, i); length > 0) {
        i += length;
        continue;
      }
    }
    out.append(text, clean, i - clean);
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (c >= 0x80) {
          out += "\xEF\xBF\xBD";
        } else {
          out += "\\u00";
          out += kHex[c >> 4];
          out += kHex[c & 0x0F];
        }
    }
    clean = ++i;
  }
  out.append(text, clean, text.size() - clean);
  out += '"';
}

void AppendJsonNumber(std::string& out, double number) {
  if (!std::isfinite(number)) {
    out += "null";
    return;
  }
  std::array<char, 32> buffer;
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), number);
  const std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
  out += text;
  // A double stays a double for the reader: 3.0, not 3.
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

std::string DescribeJson(const json::value& value) {
  constexpr std::size_t kMaxShown = 40;
  switch (value.kind()) {
    case json::kind::array: return "an array";
    case json::kind::object: return "an object";
    default: break;
  }
  return Shortened(WriteJson(value), kMaxShown);
}

double JsonToDouble(const json::value& value) {
  if (value.is_int64()) return static_cast<double>(value.get_int64());
  if (value.is_uint64()) return static_cast<double>(value.get_uint64());
  return value.get_double();
}

}  // namespace seedcore
