#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace seedcore::coordinator {

/// Where in an expression: both count from 1, columns in code points.
struct SourcePosition {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
};

enum class TokenKind : std::uint8_t { kName, kInteger, kFloat, kString, kSymbol, kEnd };

struct Token {
  TokenKind kind = TokenKind::kEnd;
  std::string_view text;  ///< as written; of a kString with its quotes
  std::string string;     ///< what a kString stands for
  std::int64_t integer = 0;
  double number = 0.0;
  SourcePosition at;
};

/// An error at a place of an expression: "line 1, column 8: ...".
[[nodiscard]] std::unexpected<Error> FailAt(SourcePosition at, std::string_view message);

/// The tokens of an expression, ended by kEnd. White space and line breaks separate tokens and mean nothing else. Names
/// are ASCII letters, digits, '_' and everything beyond ASCII ("ΔE_est"). kInvalidArgument: not UTF-8, or no token of
/// the language.
[[nodiscard]] Result<std::vector<Token>> Tokenize(std::string_view source);

}  // namespace seedcore::coordinator
