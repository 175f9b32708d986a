#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace seedcore::ray {

/// Reads the arguments of pickle opcodes. Every read is checked against what is left; kMalformed names the byte.
class PickleScanner {
 public:
  explicit PickleScanner(std::string_view pickle) : pickle_(pickle) {}

  [[nodiscard]] bool AtEnd() const { return at_ == pickle_.size(); }
  [[nodiscard]] std::size_t Position() const { return at_; }
  [[nodiscard]] std::size_t Left() const { return pickle_.size() - at_; }

  [[nodiscard]] Result<std::string_view> Bytes(std::uint64_t count);
  /// Unsigned, little-endian, of 1 to 8 bytes.
  [[nodiscard]] Result<std::uint64_t> Number(std::size_t bytes);
  /// A length of `width` bytes, then that much content.
  [[nodiscard]] Result<std::string_view> Sized(std::size_t width);
  /// Up to the next line feed, which is consumed and not returned.
  [[nodiscard]] Result<std::string_view> Line();

  [[nodiscard]] std::unexpected<Error> Damaged(std::string_view what) const;

 private:
  std::string_view pickle_;
  std::size_t at_ = 0;
};

/// Protocol 0's text: Latin-1 with \uXXXX and \UXXXXXXXX. Returns UTF-8.
[[nodiscard]] Result<std::string> DecodeRawUnicodeEscape(std::string_view text);

}  // namespace seedcore::ray
