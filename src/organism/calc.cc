#include "organism/calc.h"

#include <algorithm>
#include <numbers>
#include <vector>

#include <fmt/format.h>

#include "base/strings.h"

namespace seedcore::organism {
namespace {

struct Token {
  enum class Kind { kNumber, kName, kSymbol, kEnd } kind = Kind::kEnd;
  std::string_view text;
  std::size_t position = 0;  // from 1
};

bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

std::unexpected<Error> Malformed(std::string_view what, std::size_t position) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("{} at position {}", what, position));
}

std::size_t NumberLength(std::string_view text) {
  std::size_t end = 0;
  const auto digits = [&] {
    const std::size_t start = end;
    while (end < text.size() && IsDigit(text[end])) ++end;
    return end - start;
  };
  std::size_t mantissa = digits();
  if (end < text.size() && text[end] == '.') {
    ++end;
    mantissa += digits();
  }
  if (mantissa == 0) return 0;
  const std::size_t before_exponent = end;
  if (end < text.size() && (text[end] == 'e' || text[end] == 'E')) {
    ++end;
    if (end < text.size() && (text[end] == '+' || text[end] == '-')) ++end;
    if (digits() == 0) end = before_exponent;
  }
  return end;
}

/// Symbols in the order in which they are tried; the typographic signs mean the ASCII ones.
struct Symbol {
  std::string_view written;
  std::string_view meaning;
};
constexpr Symbol kSymbols[] = {{"**", "^"},     {"^", "^"},      {"+", "+"},     {"-", "-"}, {"*", "*"},
                               {"/", "/"},      {"%", "%"},      {"(", "("},     {")", ")"}, {",", ","},
                               {"\u00d7", "*"}, {"\u00f7", "/"}, {"\u2212", "-"}};

Result<std::vector<Token>> Tokenize(std::string_view text) {
  std::vector<Token> tokens;
  std::size_t at = 0;
  while (at < text.size()) {
    const std::string_view rest = text.substr(at);
    if (rest[0] == ' ' || rest[0] == '\t') {
      ++at;
      continue;
    }
    Token token{.text = {}, .position = at + 1};
    std::size_t length = 0;
    if (IsDigit(rest[0]) || rest[0] == '.') {
      length = NumberLength(rest);
      if (length == 0) return Malformed("expected digits", token.position);
      token.kind = Token::Kind::kNumber;
      token.text = rest.substr(0, length);
    } else if (IsLetter(rest[0])) {
      while (length < rest.size() && (IsLetter(rest[length]) || IsDigit(rest[length]))) ++length;
      token.kind = Token::Kind::kName;
      token.text = rest.substr(0, length);
    } else {
      for (const Symbol& symbol : kSymbols) {
        if (!rest.starts_with(symbol.written)) continue;
        token.kind = Token::Kind::kSymbol;
        token.text = symbol.meaning;
        length = symbol.written.size();
        break;
      }
      if (length == 0) return Malformed("a character that has no meaning in arithmetic", token.position);
    }
    at += length;
    tokens.push_back(token);
  }
  tokens.push_back({.kind = Token::Kind::kEnd, .text = "the end", .position = text.size() + 1});
  return tokens;
}

/// Recursive descent, one method per precedence level.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}

  Result<Number> Run() {
    SEEDCORE_ASSIGN_OR_RETURN(Number value, Sum());
    if (Peek().kind != Token::Kind::kEnd) return Unexpected("an operator");
    return value;
  }
  [[nodiscard]] bool Computed() const { return computed_; }

 private:
  const Token& Peek() const { return tokens_[next_]; }
  bool Accept(std::string_view symbol) {
    if (Peek().kind != Token::Kind::kSymbol || Peek().text != symbol) return false;
    ++next_;
    return true;
  }
  std::unexpected<Error> Unexpected(std::string_view wanted) const {
    return Malformed(fmt::format("expected {}, got {}", wanted, Peek().text), Peek().position);
  }
  /// Adds where in the expression an arithmetic failure happened.
  Result<Number> At(std::size_t position, Result<Number> value) {
    computed_ = true;
    if (!value) value.error().message += fmt::format(" at position {}", position);
    return value;
  }

  Result<Number> Sum() {
    SEEDCORE_ASSIGN_OR_RETURN(Number value, Product());
    while (true) {
      const std::size_t position = Peek().position;
      if (Accept("+")) {
        SEEDCORE_ASSIGN_OR_RETURN(const Number right, Product());
        SEEDCORE_ASSIGN_OR_RETURN(value, At(position, Add(value, right)));
      } else if (Accept("-")) {
        SEEDCORE_ASSIGN_OR_RETURN(const Number right, Product());
        SEEDCORE_ASSIGN_OR_RETURN(value, At(position, Subtract(value, right)));
      } else {
        return value;
      }
    }
  }

  Result<Number> Product() {
    SEEDCORE_ASSIGN_OR_RETURN(Number value, Unary());
    while (true) {
      const std::size_t position = Peek().position;
      if (Accept("*")) {
        SEEDCORE_ASSIGN_OR_RETURN(const Number right, Unary());
        SEEDCORE_ASSIGN_OR_RETURN(value, At(position, Multiply(value, right)));
      } else if (Accept("/")) {
        SEEDCORE_ASSIGN_OR_RETURN(const Number right, Unary());
        SEEDCORE_ASSIGN_OR_RETURN(value, At(position, Divide(value, right)));
      } else if (Accept("%")) {
        SEEDCORE_ASSIGN_OR_RETURN(const Number right, Unary());
        SEEDCORE_ASSIGN_OR_RETURN(value, At(position, Modulo(value, right)));
      } else {
        return value;
      }
    }
  }

  Result<Number> Unary() {
    // Every nesting (parentheses, signs, exponents, arguments) passes here, so one counter bounds the stack.
    if (depth_ == kMaxExpressionDepth) {
      return Malformed(fmt::format("nested deeper than {}", kMaxExpressionDepth), Peek().position);
    }
    ++depth_;
    auto value = UnaryWithinDepth();
    --depth_;
    return value;
  }

  Result<Number> UnaryWithinDepth() {
    if (Accept("+")) return Unary();
    if (Accept("-")) {
      SEEDCORE_ASSIGN_OR_RETURN(const Number value, Unary());
      return value.Negated();
    }
    SEEDCORE_ASSIGN_OR_RETURN(const Number base, Primary());
    const std::size_t position = Peek().position;
    if (!Accept("^")) return base;
    SEEDCORE_ASSIGN_OR_RETURN(const Number exponent, Unary());
    return At(position, Power(base, exponent));
  }

  Result<Number> Primary() {
    const Token token = Peek();
    if (token.kind == Token::Kind::kNumber) {
      ++next_;
      return Number::Parse(token.text);
    }
    if (token.kind == Token::Kind::kName) {
      ++next_;
      return Named(token);
    }
    if (!Accept("(")) return Unexpected("a number, a function or (");
    SEEDCORE_ASSIGN_OR_RETURN(const Number value, Sum());
    if (!Accept(")")) return Unexpected(")");
    return value;
  }

  Result<Number> Named(const Token& name) {
    const std::string lower = ToLower(name.text);
    if (lower == "pi") {
      computed_ = true;
      return Number::Approximate(std::numbers::pi);
    }
    constexpr std::string_view kNames[] = {"sqrt", "abs", "min", "max", "round", "floor", "ceil", "pi"};
    if (std::ranges::find(kNames, lower) == std::end(kNames)) {
      return Malformed(fmt::format("'{}' is no function (sqrt, abs, min, max, round, floor, ceil, pi)", name.text),
                       name.position);
    }
    SEEDCORE_ASSIGN_OR_RETURN(const auto arguments, Arguments());
    const bool many = lower == "min" || lower == "max";
    if (!many && arguments.size() != 1) {
      return Malformed(fmt::format("{} takes one argument, got {}", lower, arguments.size()), name.position);
    }
    return At(name.position, Call(lower, arguments));
  }

  Result<std::vector<Number>> Arguments() {
    if (!Accept("(")) return Unexpected("(");
    std::vector<Number> arguments;
    do {
      SEEDCORE_ASSIGN_OR_RETURN(const Number argument, Sum());
      arguments.push_back(argument);
    } while (Accept(","));
    if (!Accept(")")) return Unexpected(", or )");
    return arguments;
  }

  static Result<Number> Call(std::string_view function, const std::vector<Number>& arguments) {
    const Number& first = arguments.front();
    if (function == "sqrt") return SquareRoot(first);
    if (function == "abs") return first.Abs();
    if (function == "round") return Round(first);
    if (function == "floor") return Floor(first);
    if (function == "min") return *std::ranges::min_element(arguments, Less);
    if (function == "max") return *std::ranges::max_element(arguments, Less);
    SEEDCORE_ASSIGN_OR_RETURN(const Number floor, Floor(first.Negated()));
    return floor.Negated();
  }

  std::vector<Token> tokens_;
  std::size_t next_ = 0;
  int depth_ = 0;
  bool computed_ = false;
};

Result<Parser> MakeParser(std::string_view expression) {
  if (Trim(expression).empty()) return Fail(ErrorCode::kInvalidArgument, "the expression is empty");
  if (expression.size() > kMaxExpressionBytes) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the expression is longer than {} bytes", kMaxExpressionBytes));
  }
  SEEDCORE_ASSIGN_OR_RETURN(auto tokens, Tokenize(expression));
  return Parser(std::move(tokens));
}

}  // namespace

Result<Number> Evaluate(std::string_view expression) {
  SEEDCORE_ASSIGN_OR_RETURN(Parser parser, MakeParser(expression));
  return parser.Run();
}

bool IsComputation(std::string_view text) {
  auto parser = MakeParser(text);
  if (!parser) return false;
  const auto value = parser->Run();
  // Division by zero and the like come from a well-formed expression.
  return value ? parser->Computed() : value.error().code == ErrorCode::kNonRetryable;
}

}  // namespace seedcore::organism
