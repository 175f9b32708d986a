#include "store/postgres/params.h"

#include <array>
#include <bit>
#include <cstring>

namespace seedcore::store::postgres {
namespace {

/// PostgreSQL counts microseconds from 2000-01-01.
constexpr std::int64_t kEpochMicros = 946'684'800'000'000;

template <std::unsigned_integral T>
void AppendBigEndian(std::string& out, T value) {
  if constexpr (std::endian::native == std::endian::little) value = std::byteswap(value);
  std::array<char, sizeof(T)> bytes{};
  std::memcpy(bytes.data(), &value, sizeof(T));
  out.append(bytes.data(), bytes.size());
}

std::uint64_t ReadBigEndian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<unsigned char>(c);
  return value;
}

unsigned HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  return static_cast<unsigned>((c | 0x20) - 'a') + 10U;
}

}  // namespace

void AppendBinary(std::string& out, bool value) { out += value ? '\1' : '\0'; }
void AppendBinary(std::string& out, int value) { AppendBigEndian(out, static_cast<std::uint32_t>(value)); }
void AppendBinary(std::string& out, std::int64_t value) { AppendBigEndian(out, static_cast<std::uint64_t>(value)); }
void AppendBinary(std::string& out, double value) { AppendBigEndian(out, std::bit_cast<std::uint64_t>(value)); }
void AppendBinary(std::string& out, WallTime value) { AppendBinary(out, ToUnixMicros(value) - kEpochMicros); }
void AppendBinary(std::string& out, std::chrono::milliseconds value) { AppendBinary(out, std::int64_t{value.count()}); }
void AppendBinary(std::string& out, std::string_view value) { out += value; }

void AppendBinary(std::string& out, Uuid value) {
  unsigned high = 0;
  bool second = false;
  std::array<char, 16> bytes{};
  std::size_t count = 0;
  for (const char c : value.text) {
    if (c == '-') continue;
    if (second && count < bytes.size()) {
      bytes[count++] = static_cast<char>(static_cast<unsigned char>(high << 4 | HexDigit(c)));
    } else {
      high = HexDigit(c);
    }
    second = !second;
  }
  out.append(bytes.data(), count);
}

void Array::Add(std::nullopt_t) {
  AppendBigEndian(elements_, std::uint32_t{0xFFFFFFFF});
  has_null_ = true;
  ++count_;
}

std::size_t Array::BeginElement() {
  elements_.append(4, '\0');
  return elements_.size();
}

void Array::EndElement(std::size_t at) {
  auto length = static_cast<std::uint32_t>(elements_.size() - at);
  for (std::size_t i = 1; i <= 4; ++i, length >>= 8U) elements_[at - i] = static_cast<char>(length & 0xFFU);
  ++count_;
}

std::string Array::Encode() const {
  std::string out;
  out.reserve(20 + elements_.size());
  AppendBigEndian(out, std::uint32_t{count_ > 0 ? 1U : 0U});  // dimensions
  AppendBigEndian(out, std::uint32_t{has_null_ ? 1U : 0U});
  AppendBigEndian(out, static_cast<std::uint32_t>(element_));
  if (count_ == 0) return out;
  AppendBigEndian(out, static_cast<std::uint32_t>(count_));
  AppendBigEndian(out, std::uint32_t{1});  // the first index
  return out += elements_;
}

std::int64_t ReadInteger(std::string_view bytes) {
  const std::uint64_t value = ReadBigEndian(bytes);
  if (bytes.size() == 2) return static_cast<std::int16_t>(value);
  if (bytes.size() == 4) return static_cast<std::int32_t>(value);
  return static_cast<std::int64_t>(value);
}

double ReadDouble(std::string_view bytes) { return std::bit_cast<double>(ReadBigEndian(bytes)); }

WallTime ReadTime(std::string_view bytes) { return FromUnixMicros(ReadInteger(bytes) + kEpochMicros); }

std::string ReadUuid(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out += '-';
    const auto byte = static_cast<unsigned char>(bytes[i]);
    out += kDigits[byte >> 4];
    out += kDigits[byte & 15];
  }
  return out;
}

std::vector<std::string> ReadTextArray(std::string_view bytes) {
  constexpr std::size_t kHeader = 20;
  std::vector<std::string> out;
  for (std::size_t at = kHeader; at + 4 <= bytes.size();) {
    const auto length = static_cast<std::size_t>(ReadBigEndian(bytes.substr(at, 4)));
    at += 4;
    if (length > bytes.size() - at) break;  // NULL, or damaged
    out.emplace_back(bytes.substr(at, length));
    at += length;
  }
  return out;
}

std::vector<float> ReadFloatArray(std::string_view bytes) {
  constexpr std::size_t kHeader = 20;
  constexpr std::size_t kElement = 8;  // length and number
  std::vector<float> out;
  if (bytes.size() <= kHeader) return out;
  out.reserve((bytes.size() - kHeader) / kElement);
  for (std::size_t at = kHeader; at + kElement <= bytes.size(); at += kElement) {
    out.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(ReadBigEndian(bytes.substr(at + 4, 4)))));
  }
  return out;
}

}  // namespace seedcore::store::postgres
