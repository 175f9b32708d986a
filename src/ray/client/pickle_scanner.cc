#include "ray/client/pickle_scanner.h"

#include <charconv>

#include <fmt/format.h>

namespace seedcore::ray {
namespace {

bool AppendUtf8(std::string& out, std::uint32_t code_point) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code_point < 0x80) {
    put(code_point);
  } else if (code_point < 0x800) {
    put(0xc0 | code_point >> 6);
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x10000) {
    if (code_point >= 0xd800 && code_point < 0xe000) return false;
    put(0xe0 | code_point >> 12);
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else if (code_point < 0x110000) {
    put(0xf0 | code_point >> 18);
    put(0x80 | (code_point >> 12 & 0x3f));
    put(0x80 | (code_point >> 6 & 0x3f));
    put(0x80 | (code_point & 0x3f));
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::unexpected<Error> PickleScanner::Damaged(std::string_view what) const {
  return Fail(ErrorCode::kMalformed, fmt::format("pickle: {} at byte {}", what, at_));
}

Result<std::string_view> PickleScanner::Bytes(std::uint64_t count) {
  if (count > Left()) return Damaged("the pickle ends too early");
  const std::string_view bytes = pickle_.substr(at_, count);
  at_ += count;
  return bytes;
}

Result<std::uint64_t> PickleScanner::Number(std::size_t bytes) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::string_view text, Bytes(bytes));
  std::uint64_t number = 0;
  for (std::size_t i = 0; i < bytes; ++i) number |= std::uint64_t{static_cast<std::uint8_t>(text[i])} << (8 * i);
  return number;
}

Result<std::string_view> PickleScanner::Sized(std::size_t width) {
  SEEDCORE_ASSIGN_OR_RETURN(const std::uint64_t size, Number(width));
  return Bytes(size);
}

Result<std::string_view> PickleScanner::Line() {
  const std::size_t end = pickle_.find('\n', at_);
  if (end == std::string_view::npos) return Damaged("a line without an end");
  const std::string_view line = pickle_.substr(at_, end - at_);
  at_ = end + 1;
  return line;
}

Result<std::string> DecodeRawUnicodeEscape(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const bool is_escape = text[at] == '\\' && at + 1 < text.size() && (text[at + 1] == 'u' || text[at + 1] == 'U');
    if (!is_escape) {
      AppendUtf8(out, static_cast<std::uint8_t>(text[at++]));
      continue;
    }
    const std::size_t digits = text[at + 1] == 'u' ? 4 : 8;
    const std::string_view hex = text.substr(at + 2, digits);
    std::uint32_t code_point = 0;
    const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), code_point, 16);
    if (hex.size() != digits || error != std::errc{} || end != hex.data() + digits || !AppendUtf8(out, code_point)) {
      return Fail(ErrorCode::kMalformed, "pickle: a text with a damaged \\u escape");
    }
    at += 2 + digits;
  }
  return out;
}

}  // namespace seedcore::ray
