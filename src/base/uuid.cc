#include "base/uuid.h"

#include <array>

namespace seedcore {
namespace {

constexpr std::size_t kUuidLength = 36;

bool IsHexDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }
bool IsDashPosition(std::size_t i) { return i == 8 || i == 13 || i == 18 || i == 23; }

}  // namespace

bool IsUuid(std::string_view text) {
  if (text.size() != kUuidLength) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (IsDashPosition(i) ? text[i] != '-' : !IsHexDigit(text[i])) return false;
  }
  return true;
}

std::string MakeUuidV7(std::uint64_t unix_ms, std::uint64_t random_high, std::uint64_t random_low) {
  std::array<std::uint8_t, 16> bytes{};
  for (std::size_t i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(unix_ms >> (8 * (5 - i)));
  bytes[6] = static_cast<std::uint8_t>(0x70 | ((random_high >> 8) & 0x0F));
  bytes[7] = static_cast<std::uint8_t>(random_high);
  for (std::size_t i = 8; i < 16; ++i) bytes[i] = static_cast<std::uint8_t>(random_low >> (8 * (15 - i)));
  bytes[8] = static_cast<std::uint8_t>(0x80 | (bytes[8] & 0x3F));

  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(kUuidLength);
  for (const std::uint8_t byte : bytes) {
    if (IsDashPosition(text.size())) text += '-';
    text += kDigits[byte >> 4];
    text += kDigits[byte & 0x0F];
  }
  return text;
}

}  // namespace seedcore
