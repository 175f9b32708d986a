#include "ray/client/base64.h"

#include <array>
#include <cstdint>
#include <optional>

namespace seedcore::ray {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr char kPad = '=';

std::optional<std::uint32_t> DigitOf(char letter) {
  const std::size_t digit = kAlphabet.find(letter);
  if (digit == std::string_view::npos) return std::nullopt;
  return static_cast<std::uint32_t>(digit);
}

}  // namespace

std::string EncodeBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    const std::string_view group = bytes.substr(at, 3);
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 3; ++i) {
      bits = bits << 8 | (i < group.size() ? static_cast<std::uint8_t>(group[i]) : 0U);
    }
    for (std::size_t i = 0; i < 4; ++i) {
      text.push_back(i <= group.size() ? kAlphabet[bits >> (18 - 6 * i) & 63U] : kPad);
    }
  }
  return text;
}

Result<std::string> DecodeBase64(std::string_view text) {
  const auto bad = [] { return Fail(ErrorCode::kInvalidArgument, "expected base64 with padding"); };
  if (text.size() % 4 != 0) return bad();
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t at = 0; at < text.size(); at += 4) {
    std::string_view group = text.substr(at, 4);
    if (at + 4 == text.size()) group = group.substr(0, group.find(kPad));
    if (group.size() < 2) return bad();
    if (text.substr(at, 4).find_first_not_of(kPad, group.size()) != std::string_view::npos) return bad();
    std::uint32_t bits = 0;
    for (const char letter : group) {
      const auto digit = DigitOf(letter);
      if (!digit) return bad();
      bits = bits << 6 | *digit;
    }
    bits <<= 6 * (4 - group.size());
    for (std::size_t i = 0; i + 1 < group.size(); ++i) {
      bytes.push_back(static_cast<char>(bits >> (16 - 8 * i) & 0xffU));
    }
  }
  return bytes;
}

}  // namespace seedcore::ray
