#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/error.hpp>
#include <boost/json/value_stack.hpp>
#include <fmt/format.h>

#include "base/json.h"

namespace seedcore {
namespace {

using boost::system::error_code;

/// Builds the value. Boost's own builder takes the double that its parser computes, which is off by one unit in the
/// last place for a tenth of all numbers with 16 or 17 digits: what is written would not read back as itself. This one
/// reads the digits again.
class Builder {
 public:
  static constexpr std::size_t max_object_size = json::object::max_size();
  static constexpr std::size_t max_array_size = json::array::max_size();
  static constexpr std::size_t max_key_size = json::string::max_size();
  static constexpr std::size_t max_string_size = json::string::max_size();

  // The scratch buffer is not zeroed for every text. NOLINTNEXTLINE(cppcoreguidelines-pro-type-member-init)
  Builder() : stack_({}, scratch_.data(), scratch_.size()) { stack_.reset(); }

  json::value Release() { return stack_.release(); }
  [[nodiscard]] bool out_of_range() const { return out_of_range_; }

  // What basic_parser calls. The whole text is one buffer, so that no number comes in parts.
  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }
  bool on_object_begin(error_code&) { return true; }
  bool on_object_end(std::size_t size, error_code&) {
    stack_.push_object(size);
    return true;
  }
  bool on_array_begin(error_code&) { return true; }
  bool on_array_end(std::size_t size, error_code&) {
    stack_.push_array(size);
    return true;
  }
  bool on_key_part(json::string_view part, std::size_t, error_code&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_key(json::string_view rest, std::size_t, error_code&) {
    stack_.push_key(rest);
    return true;
  }
  bool on_string_part(json::string_view part, std::size_t, error_code&) {
    stack_.push_chars(part);
    return true;
  }
  bool on_string(json::string_view rest, std::size_t, error_code&) {
    stack_.push_string(rest);
    return true;
  }
  bool on_number_part(json::string_view, error_code&) { return true; }
  bool on_int64(std::int64_t value, json::string_view, error_code&) {
    stack_.push_int64(value);
    return true;
  }
  bool on_uint64(std::uint64_t value, json::string_view, error_code&) {
    stack_.push_uint64(value);
    return true;
  }
  bool on_double(double rough, json::string_view digits, error_code& error) {
    double exact = 0.0;
    const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), exact);
    // Too large, or so small that it is nothing; the rough value tells which.
    if (code == std::errc::result_out_of_range) exact = std::abs(rough) < 1.0 ? 0.0 * rough : HUGE_VAL;
    if (!std::isfinite(exact)) {
      out_of_range_ = true;
      error = json::error::exponent_overflow;
      return false;
    }
    stack_.push_double(exact);
    return true;
  }
  bool on_bool(bool value, error_code&) {
    stack_.push_bool(value);
    return true;
  }
  bool on_null(error_code&) {
    stack_.push_null();
    return true;
  }
  bool on_comment_part(json::string_view, error_code&) { return true; }
  bool on_comment(json::string_view, error_code&) { return true; }

 private:
  std::array<unsigned char, 4096> scratch_;
  json::value_stack stack_;
  bool out_of_range_ = false;
};

/// `text` with the exponents that Boost refuses, those that no int holds, at +-999999999: of a double that is as good,
/// and no byte moves.
std::string ClampExponents(std::string_view text) {
  constexpr std::size_t kDigits = 9;
  std::string clamped(text);
  bool quoted = false;
  for (std::size_t at = 0; at < clamped.size(); ++at) {
    if (quoted && clamped[at] == '\\') {
      ++at;
    } else if (clamped[at] == '"') {
      quoted = !quoted;
    } else if (!quoted && (clamped[at] == 'e' || clamped[at] == 'E')) {
      const std::size_t first = clamped.find_first_not_of("+-0", at + 1);
      const std::size_t end = std::min(clamped.find_first_not_of("0123456789", first), clamped.size());
      if (first >= end || end - first <= kDigits) continue;
      clamped.replace(first, end - kDigits - first, end - kDigits - first, '0');
      clamped.replace(end - kDigits, kDigits, kDigits, '9');
      at = end - 1;
    }
  }
  return clamped;
}

Result<json::value> Parse(std::string_view text, bool clamped) {
  json::parse_options options;
  options.max_depth = kMaxJsonDepth;
  json::basic_parser<Builder> parser(options);
  error_code error;
  const std::size_t consumed = parser.write_some(false, text.data(), text.size(), error);
  if (parser.handler().out_of_range()) {
    return Fail(ErrorCode::kMalformed, "not valid JSON: a number is out of the range of a double");
  }
  if (error == json::error::exponent_overflow && !clamped) return Parse(ClampExponents(text), true);
  if (!error && consumed < text.size()) error = json::error::extra_data;
  if (error) {
    return Fail(ErrorCode::kMalformed, fmt::format("not valid JSON at byte {}: {}", consumed, error.message()));
  }
  return parser.handler().Release();
}

}  // namespace

Result<json::value> ParseJson(std::string_view text) { return Parse(text, false); }

}  // namespace seedcore
