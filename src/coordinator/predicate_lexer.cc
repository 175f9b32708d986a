#include "coordinator/predicate_lexer.h"

#include <array>
#include <charconv>

#include <fmt/format.h>

namespace seedcore::coordinator {
namespace {

constexpr std::array<std::string_view, 27> kSymbols = {"**", "//", "==", "!=", "<=", ">=", "<", ">", "+",
                                                       "-",  "*",  "/",  "%",  "(",  ")",  "[", "]", "{",
                                                       "}",  ",",  ":",  ".",  "=",  "!",  "|", "&", "^"};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsNameStart(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || static_cast<unsigned char>(c) >= 0x80U;
}
bool IsNamePart(char c) { return IsNameStart(c) || IsDigit(c); }

/// Length of the UTF-8 sequence at the front of `text`; 0 when it is not one.
std::size_t SequenceLength(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0x80                   ? 1
                             : lead >= 0xC2 && lead < 0xE0 ? 2
                             : (lead & 0xF0) == 0xE0       ? 3
                             : lead >= 0xF0 && lead < 0xF5 ? 4
                                                           : 0;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) return 0;
  }
  return length;
}

void AppendUtf8(std::string& out, std::uint32_t point) {
  if (point < 0x80) {
    out += static_cast<char>(point);
  } else if (point < 0x800) {
    out += static_cast<char>(0xC0U | (point >> 6U));
    out += static_cast<char>(0x80U | (point & 0x3FU));
  } else {
    out += static_cast<char>(0xE0U | (point >> 12U));
    out += static_cast<char>(0x80U | ((point >> 6U) & 0x3FU));
    out += static_cast<char>(0x80U | (point & 0x3FU));
  }
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  Result<std::vector<Token>> Run() {
    std::vector<Token> tokens;
    while (true) {
      SkipSpace();
      Token token;
      token.at = at_;
      if (offset_ == source_.size()) {
        tokens.push_back(std::move(token));
        return tokens;
      }
      SEEDCORE_RETURN_IF_ERROR(Next(token));
      tokens.push_back(std::move(token));
    }
  }

 private:
  [[nodiscard]] char Peek(std::size_t ahead = 0) const {
    return offset_ + ahead < source_.size() ? source_[offset_ + ahead] : '\0';
  }

  void Advance(std::size_t bytes) {
    for (const char c : source_.substr(offset_, bytes)) {
      if (c == '\n') {
        ++at_.line;
        at_.column = 1;
      } else if ((static_cast<unsigned char>(c) & 0xC0U) != 0x80U) {
        ++at_.column;
      }
    }
    offset_ += bytes;
  }

  void SkipSpace() {
    while (offset_ < source_.size() && std::string_view(" \t\r\n").contains(source_[offset_])) Advance(1);
  }

  Result<void> Next(Token& token) {
    const char c = Peek();
    if (IsDigit(c) || (c == '.' && IsDigit(Peek(1)))) return Number(token);
    if (IsNameStart(c)) return Name(token);
    if (c == '"' || c == '\'') return String(token);
    for (const std::string_view symbol : kSymbols) {
      if (!source_.substr(offset_).starts_with(symbol)) continue;
      token.kind = TokenKind::kSymbol;
      token.text = source_.substr(offset_, symbol.size());
      Advance(symbol.size());
      return {};
    }
    return FailAt(token.at, c > ' ' && c < 0x7F ? fmt::format("unexpected character '{}'", c)
                                                : std::string("unexpected control character"));
  }

  Result<void> Name(Token& token) {
    std::size_t length = 0;
    while (IsNamePart(Peek(length))) {
      const std::size_t sequence = SequenceLength(source_.substr(offset_ + length));
      if (sequence == 0) return FailAt(token.at, "the expression is not valid UTF-8");
      length += sequence;
    }
    token.kind = TokenKind::kName;
    token.text = source_.substr(offset_, length);
    Advance(length);
    return {};
  }

  Result<void> Number(Token& token) {
    std::size_t length = 0;
    const auto digits = [&] {
      while (IsDigit(Peek(length))) ++length;
    };
    digits();
    bool is_float = false;
    if (Peek(length) == '.') {
      is_float = true;
      ++length;
      digits();
    }
    if (Peek(length) == 'e' || Peek(length) == 'E') {
      const std::size_t sign = Peek(length + 1) == '+' || Peek(length + 1) == '-' ? 1 : 0;
      if (IsDigit(Peek(length + 1 + sign))) {
        is_float = true;
        length += 1 + sign;
        digits();
      }
    }
    token.text = source_.substr(offset_, length);
    if (IsNamePart(Peek(length))) return FailAt(token.at, fmt::format("'{}' runs into a name", token.text));
    const char* begin = token.text.data();
    const char* end = begin + token.text.size();
    std::errc error{};
    if (is_float) {
      token.kind = TokenKind::kFloat;
      error = std::from_chars(begin, end, token.number).ec;
    } else {
      if (token.text.size() > 1 && token.text[0] == '0') return FailAt(token.at, "a number must not begin with 0");
      token.kind = TokenKind::kInteger;
      error = std::from_chars(begin, end, token.integer).ec;
    }
    if (error != std::errc{}) return FailAt(token.at, fmt::format("the number '{}' is out of range", token.text));
    Advance(length);
    return {};
  }

  Result<void> String(Token& token) {
    const std::size_t begin = offset_;
    const char quote = Peek();
    Advance(1);
    while (Peek() != quote) {
      if (offset_ == source_.size() || Peek() == '\n') return FailAt(token.at, "the text has no closing quote");
      if (Peek() == '\\') {
        SEEDCORE_RETURN_IF_ERROR(Escape(token.string));
        continue;
      }
      const std::size_t length = SequenceLength(source_.substr(offset_));
      if (length == 0) return FailAt(at_, "the expression is not valid UTF-8");
      token.string += source_.substr(offset_, length);
      Advance(length);
    }
    Advance(1);
    token.kind = TokenKind::kString;
    token.text = source_.substr(begin, offset_ - begin);
    return {};
  }

  Result<void> Escape(std::string& out) {
    const SourcePosition at = at_;
    const char c = Peek(1);
    constexpr std::string_view kPlain = "\\'\"ntr";
    constexpr std::string_view kMeaning = "\\'\"\n\t\r";
    if (const std::size_t found = kPlain.find(c); c != '\0' && found != std::string_view::npos) {
      out += kMeaning[found];
      Advance(2);
      return {};
    }
    if (c == 'x' || c == 'u') {
      const std::size_t digits = c == 'x' ? 2 : 4;
      const std::string_view text = source_.substr(std::min(offset_ + 2, source_.size()), digits);
      std::uint32_t point = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), point, 16);
      if (error == std::errc{} && end == text.data() + digits && (point < 0xD800 || point > 0xDFFF)) {
        AppendUtf8(out, point);
        Advance(2 + digits);
        return {};
      }
    }
    return FailAt(at, R"(unknown escape; known are \\ \' \" \n \t \r \xHH \uHHHH)");
  }

  std::string_view source_;
  std::size_t offset_ = 0;
  SourcePosition at_;
};

}  // namespace

std::unexpected<Error> FailAt(SourcePosition at, std::string_view message) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("line {}, column {}: {}", at.line, at.column, message));
}

Result<std::vector<Token>> Tokenize(std::string_view source) { return Lexer(source).Run(); }

}  // namespace seedcore::coordinator
