#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "base/strings.h"
#include "coordinator/predicate_code.h"

namespace seedcore::coordinator {
namespace {

using NodeIndex = std::uint32_t;

/// A recursive-descent parser that emits the code as it goes. Precedence, loosest first: if-else, or, and, not,
/// comparison, sum, product, sign, power, postfix.
class Parser {
 public:
  Parser(std::vector<Token> tokens, const SymbolTable& symbols, Predicate::Code& code)
      : tokens_(std::move(tokens)), symbols_(symbols), code_(code) {}

  Result<void> Run() {
    if (Now().kind == TokenKind::kEnd) return FailAt(Now().at, "the expression is empty");
    SEEDCORE_RETURN_IF_ERROR(Expression());
    if (Now().kind != TokenKind::kEnd) return Unexpected("the end of the expression");
    return {};
  }

 private:
  /// Counts nesting for as long as it lives.
  struct Nested {
    explicit Nested(std::size_t& depth) : depth_(++depth) {}
    ~Nested() { --depth_; }
    Nested(const Nested&) = delete;
    Nested& operator=(const Nested&) = delete;
    std::size_t& depth_;
  };

  [[nodiscard]] const Token& Now() const { return tokens_[position_]; }
  [[nodiscard]] const Token& After() const { return tokens_[std::min(position_ + 1, tokens_.size() - 1)]; }
  void Skip() {
    if (position_ + 1 < tokens_.size()) ++position_;
  }
  [[nodiscard]] bool Is(std::string_view text) const {
    return (Now().kind == TokenKind::kName || Now().kind == TokenKind::kSymbol) && Now().text == text;
  }
  bool Take(std::string_view text) {
    if (!Is(text)) return false;
    Skip();
    return true;
  }
  std::unexpected<Error> Unexpected(std::string_view expected) {
    const std::string found =
        Now().kind == TokenKind::kEnd ? std::string("the end of the expression") : fmt::format("'{}'", Now().text);
    return FailAt(Now().at, fmt::format("expected {}, found {}", expected, found));
  }
  Result<void> Expect(std::string_view text) {
    if (Take(text)) return {};
    return Unexpected(fmt::format("'{}'", text));
  }
  Result<void> CheckNesting() {
    if (nesting_ <= Predicate::kMaxDepth) return {};
    return FailAt(Now().at, fmt::format("nested more than {} levels deep", Predicate::kMaxDepth));
  }

  Result<NodeIndex> Emit(Op op, SourcePosition at, std::span<const NodeIndex> operands, std::uint32_t payload = 0) {
    if (code_.nodes.size() >= Predicate::kMaxNodes) {
      return FailAt(at, fmt::format("the expression has more than {} parts", Predicate::kMaxNodes));
    }
    std::size_t depth = 1;
    for (const NodeIndex operand : operands) depth = std::max(depth, depths_[operand] + 1);
    if (depth > Predicate::kMaxDepth) {
      return FailAt(at, fmt::format("nested more than {} levels deep", Predicate::kMaxDepth));
    }
    depths_.push_back(depth);
    code_.nodes.push_back({op, payload, static_cast<std::uint32_t>(code_.operands.size()),
                           static_cast<std::uint32_t>(operands.size()), at});
    code_.operands.insert(code_.operands.end(), operands.begin(), operands.end());
    return static_cast<NodeIndex>(code_.nodes.size() - 1);
  }
  Result<NodeIndex> Emit(Op op, SourcePosition at, std::initializer_list<NodeIndex> operands,
                         std::uint32_t payload = 0) {
    return Emit(op, at, std::span(operands.begin(), operands.size()), payload);
  }
  std::uint32_t AddConstant(Value value) {
    code_.constants.push_back(value);
    return static_cast<std::uint32_t>(code_.constants.size() - 1);
  }
  Result<NodeIndex> Constant(SourcePosition at, Value value) { return Emit(Op::kConstant, at, {}, AddConstant(value)); }
  /// The constant a node stands for; null when it is not one.
  [[nodiscard]] const Value* ConstantAt(NodeIndex node) const {
    return code_.nodes[node].op == Op::kConstant ? &code_.constants[code_.nodes[node].payload] : nullptr;
  }

  Result<NodeIndex> Expression() {
    const Nested nested(nesting_);
    SEEDCORE_RETURN_IF_ERROR(CheckNesting());
    SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex value, Or());
    const SourcePosition at = Now().at;
    if (!Take("if")) return value;
    SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex condition, Or());
    SEEDCORE_RETURN_IF_ERROR(Expect("else"));
    SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex otherwise, Expression());
    return Emit(Op::kConditional, at, {condition, value, otherwise});
  }

  Result<NodeIndex> Or() { return Junction(Op::kOr, "or", &Parser::And); }
  Result<NodeIndex> And() { return Junction(Op::kAnd, "and", &Parser::Not); }

  Result<NodeIndex> Junction(Op op, std::string_view word, Result<NodeIndex> (Parser::*part)()) {
    const SourcePosition at = Now().at;
    SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex first, (this->*part)());
    if (!Is(word)) return first;
    std::vector<NodeIndex> parts = {first};
    while (Take(word)) {
      SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex next, (this->*part)());
      parts.push_back(next);
    }
    return Emit(op, at, parts);
  }

  Result<NodeIndex> Not() {
    const SourcePosition at = Now().at;
    if (!Take("not")) return Comparison();
    const Nested nested(nesting_);
    SEEDCORE_RETURN_IF_ERROR(CheckNesting());
    SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex operand, Not());
    return Emit(Op::kNot, at, {operand});
  }

  std::optional<CompareOp> TakeCompareOp() {
    constexpr std::array<std::pair<std::string_view, CompareOp>, 6> kPlain = {{{"==", CompareOp::kEq},
                                                                               {"!=", CompareOp::kNe},
                                                                               {"<", CompareOp::kLt},
                                                                               {"<=", CompareOp::kLe},
                                                                               {">", CompareOp::kGt},
                                                                               {">=", CompareOp::kGe}}};
    for (const auto& [text, op] : kPlain) {
      if (Take(text)) return op;
    }
    if (Take("in")) return CompareOp::kIn;
    if (Take("is")) return Take("not") ? CompareOp::kIsNot : CompareOp::kIs;
    if (Is("not") && After().kind == TokenKind::kName && After().text == "in") {
      Skip();
      Skip();
      return CompareOp::kNotIn;
    }
    return std::nullopt;
  }

  Result<NodeIndex> Comparison() {
    SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex first, Sum());
    SourcePosition at = Now().at;
    std::vector<NodeIndex> operands = {first};
    std::vector<CompareOp> ops;
    while (const auto op = TakeCompareOp()) {
      SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex next, Sum());
      operands.push_back(next);
      ops.push_back(*op);
    }
    if (ops.empty()) return first;
    const auto payload = static_cast<std::uint32_t>(code_.compare_ops.size());
    code_.compare_ops.insert(code_.compare_ops.end(), ops.begin(), ops.end());
    return Emit(Op::kCompare, at, operands, payload);
  }

  using OpName = std::pair<std::string_view, BinaryOp>;

  Result<NodeIndex> Sum() {
    static constexpr std::array<OpName, 2> kOps = {{{"+", BinaryOp::kAdd}, {"-", BinaryOp::kSubtract}}};
    return LeftAssociative(kOps, &Parser::Product);
  }
  Result<NodeIndex> Product() {
    static constexpr std::array<OpName, 4> kOps = {{{"*", BinaryOp::kMultiply},
                                                    {"/", BinaryOp::kDivide},
                                                    {"//", BinaryOp::kFloorDivide},
                                                    {"%", BinaryOp::kModulo}}};
    return LeftAssociative(kOps, &Parser::Sign);
  }

  Result<NodeIndex> LeftAssociative(std::span<const OpName> ops, Result<NodeIndex> (Parser::*part)()) {
    SEEDCORE_ASSIGN_OR_RETURN(NodeIndex left, (this->*part)());
    while (true) {
      const SourcePosition at = Now().at;
      const auto op = std::ranges::find_if(ops, [&](const OpName& candidate) { return Take(candidate.first); });
      if (op == ops.end()) return left;
      SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex right, (this->*part)());
      SEEDCORE_ASSIGN_OR_RETURN(left, Emit(Op::kArithmetic, at, {left, right}, static_cast<std::uint32_t>(op->second)));
    }
  }

  Result<NodeIndex> Sign() {
    const SourcePosition at = Now().at;
    const bool minus = Is("-");
    if (!minus && !Is("+")) return Power();
    Skip();
    const Nested nested(nesting_);
    SEEDCORE_RETURN_IF_ERROR(CheckNesting());
    SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex operand, Sign());
    return Emit(minus ? Op::kNegate : Op::kPlus, at, {operand});
  }

  Result<NodeIndex> Power() {
    SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex base, Postfix());
    const SourcePosition at = Now().at;
    if (!Take("**")) return base;
    const Nested nested(nesting_);
    SEEDCORE_RETURN_IF_ERROR(CheckNesting());
    SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex exponent, Sign());
    return Emit(Op::kArithmetic, at, {base, exponent}, static_cast<std::uint32_t>(BinaryOp::kPower));
  }

  Result<NodeIndex> Postfix() {
    SEEDCORE_ASSIGN_OR_RETURN(NodeIndex value, Atom());
    while (true) {
      const SourcePosition at = Now().at;
      if (Is("(")) return FailAt(at, "the language has no calls");
      if (Take(".")) {
        if (Now().kind != TokenKind::kName) return Unexpected("a name after '.'");
        const std::uint32_t key = AddConstant(Value::String(code_.storage.Keep(std::string(Now().text))));
        Skip();
        SEEDCORE_ASSIGN_OR_RETURN(value, Emit(Op::kMember, at, {value}, key));
      } else if (Take("[")) {
        SEEDCORE_ASSIGN_OR_RETURN(value, SubscriptOrSlice(value, at));
      } else {
        return value;
      }
    }
  }

  Result<NodeIndex> SubscriptOrSlice(NodeIndex value, SourcePosition at) {
    std::vector<NodeIndex> operands = {value};
    bool slice = false;
    for (int part = 0; part < 3; ++part) {
      if (Is(":") || Is("]")) {
        if (part == 0 && Is("]")) return Unexpected("an index");
        SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex missing, Constant(at, Value()));
        operands.push_back(missing);
      } else {
        SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex bound, Expression());
        operands.push_back(bound);
      }
      if (part < 2 && Take(":")) {
        slice = true;
      } else if (!slice) {
        SEEDCORE_RETURN_IF_ERROR(Expect("]"));
        return Emit(Op::kSubscript, at, operands);
      }
    }
    SEEDCORE_RETURN_IF_ERROR(Expect("]"));
    return Emit(Op::kSlice, at, operands);
  }

  Result<NodeIndex> Atom() {
    const Token& token = Now();
    const SourcePosition at = token.at;
    switch (token.kind) {
      case TokenKind::kInteger: Skip(); return Constant(at, Value::Int(token.integer));
      case TokenKind::kFloat: Skip(); return Constant(at, Value::Float(token.number));
      case TokenKind::kString: Skip(); return Constant(at, Value::String(code_.storage.Keep(token.string)));
      case TokenKind::kName: return Name();
      default: break;
    }
    if (Take("(")) return Parenthesis(at);
    if (Take("[")) {
      SEEDCORE_ASSIGN_OR_RETURN(const std::vector<NodeIndex> elements, Elements("]"));
      return Sequence(Op::kList, at, elements);
    }
    if (Take("{")) return Dict(at);
    return Unexpected("a value");
  }

  Result<NodeIndex> Name() {
    const SourcePosition at = Now().at;
    const std::string_view word = Now().text;
    if (word == "True" || word == "true") return Skip(), Constant(at, Value::Bool(true));
    if (word == "False" || word == "false") return Skip(), Constant(at, Value::Bool(false));
    if (word == "None" || word == "null") return Skip(), Constant(at, Value());
    constexpr std::array<std::string_view, 7> kWords = {"and", "or", "not", "in", "is", "if", "else"};
    if (std::ranges::find(kWords, word) != kWords.end()) return Unexpected("a value");

    std::string name(word);
    Skip();
    while (!symbols_.Find(name)) {
      if (!symbols_.IsGroup(name)) return FailAt(at, symbols_.UnknownName(name));
      if (Is(".") && After().kind == TokenKind::kName) {
        Skip();
        name += fmt::format(".{}", Now().text);
        Skip();
      } else if (Is("[") && After().kind == TokenKind::kString) {
        Skip();
        name += fmt::format(".{}", Now().string);
        Skip();
        SEEDCORE_RETURN_IF_ERROR(Expect("]"));
      } else {
        return FailAt(at, fmt::format("'{}' is a group of values; name one of them, as in '{}'", name,
                                      *std::ranges::find_if(symbols_.names(), [&](const std::string& known) {
                                        return known.starts_with(name + ".");
                                      })));
      }
    }
    return Emit(Op::kSlot, at, {}, *symbols_.Find(name));
  }

  Result<NodeIndex> Parenthesis(SourcePosition at) {
    if (Take(")")) return Sequence(Op::kTuple, at, {});
    SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex first, Expression());
    if (Take(")")) return first;
    SEEDCORE_RETURN_IF_ERROR(Expect(","));
    SEEDCORE_ASSIGN_OR_RETURN(std::vector<NodeIndex> elements, Elements(")"));
    elements.insert(elements.begin(), first);
    return Sequence(Op::kTuple, at, elements);
  }

  /// The expressions up to `close`, which is consumed. A comma may follow the last.
  Result<std::vector<NodeIndex>> Elements(std::string_view close) {
    std::vector<NodeIndex> elements;
    while (!Take(close)) {
      SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex element, Expression());
      elements.push_back(element);
      if (!Take(",") && !Is(close)) return Unexpected(fmt::format("',' or '{}'", close));
    }
    return elements;
  }

  Result<NodeIndex> Dict(SourcePosition at) {
    std::vector<NodeIndex> flat;
    while (!Take("}")) {
      SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex key, Expression());
      SEEDCORE_RETURN_IF_ERROR(Expect(":"));
      SEEDCORE_ASSIGN_OR_RETURN(const NodeIndex value, Expression());
      flat.push_back(key);
      flat.push_back(value);
      if (!Take(",") && !Is("}")) return Unexpected("',' or '}'");
    }
    return Sequence(Op::kDict, at, flat);
  }

  /// A list, tuple or dict; built now when every part is constant, so that `x in [...]` costs nothing later.
  Result<NodeIndex> Sequence(Op op, SourcePosition at, std::span<const NodeIndex> elements) {
    std::vector<Value> values;
    for (const NodeIndex element : elements) {
      const Value* constant = ConstantAt(element);
      if (constant == nullptr) return Emit(op, at, elements);
      values.push_back(*constant);
    }
    Value value;
    if (op == Op::kDict) {
      if (const Fault fault = MakeDict(std::move(values), code_.storage, value); fault != Fault::kNone) {
        return FailAt(at, Describe(fault));
      }
    } else {
      const auto kept = code_.storage.Keep(std::move(values));
      value = op == Op::kList ? Value::List(kept) : Value::Tuple(kept);
    }
    return Constant(at, value);
  }

  const std::vector<Token> tokens_;
  const SymbolTable& symbols_;
  Predicate::Code& code_;
  std::size_t position_ = 0;
  std::size_t nesting_ = 0;
  std::vector<std::size_t> depths_;  // of each node
};

}  // namespace

SymbolTable::SymbolTable(std::vector<std::string> names) : names_(std::move(names)) {}

std::optional<std::uint32_t> SymbolTable::Find(std::string_view name) const {
  const auto found = std::ranges::find(names_, name);
  if (found == names_.end()) return std::nullopt;
  return static_cast<std::uint32_t>(found - names_.begin());
}

bool SymbolTable::IsGroup(std::string_view prefix) const {
  return std::ranges::any_of(names_, [&](std::string_view name) {
    return name.size() > prefix.size() && name.starts_with(prefix) && name[prefix.size()] == '.';
  });
}

std::string SymbolTable::UnknownName(std::string_view name) const {
  constexpr std::size_t kShown = 80;  // of a name that may be as long as the expression
  const std::vector<std::string_view> known(names_.begin(), names_.end());
  std::string message = fmt::format("unknown name '{}'", name.substr(0, kShown));
  if (const auto nearest = NearestName(name, known)) message += fmt::format("; did you mean '{}'?", *nearest);
  return message;
}

Result<Predicate> Predicate::Compile(std::string_view source, const SymbolTable& symbols) {
  if (source.size() > kMaxSource) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("the expression is {} bytes long; at most {} are allowed", source.size(), kMaxSource));
  }
  SEEDCORE_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source));
  auto code = std::make_shared<Code>();
  code->source = source;
  SEEDCORE_RETURN_IF_ERROR(Parser(std::move(tokens), symbols, *code).Run());
  return Predicate(std::move(code));
}

const std::string& Predicate::source() const { return code_->source; }

}  // namespace seedcore::coordinator
