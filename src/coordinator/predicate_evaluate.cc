#include <fmt/format.h>

#include "coordinator/predicate_code.h"

namespace seedcore::coordinator {
namespace {

class Evaluator {
 public:
  Evaluator(const Predicate::Code& code, std::span<const Value> slots) : code_(code), slots_(slots) {}

  /// The value of the whole expression; false: `error()` says why there is none.
  bool Run(Value& out) { return Run(static_cast<std::uint32_t>(code_.nodes.size() - 1), out); }
  [[nodiscard]] const EvaluationError& error() const { return error_; }

 private:
  [[nodiscard]] std::uint32_t Operand(const Node& node, std::uint32_t i) const {
    return code_.operands[node.first + i];
  }

  bool Check(Fault fault, const Node& node, const Value& left, const Value& right) {
    if (fault == Fault::kNone) [[likely]]
      return true;
    error_ = {fault, left.kind(), right.kind(), node.at};
    return false;
  }

  bool Run(std::uint32_t index, Value& out) {
    const Node& node = code_.nodes[index];
    if (!Check(scratch_.Pay(1), node, Value(), Value())) return false;
    switch (node.op) {
      case Op::kConstant: out = code_.constants[node.payload]; return true;
      case Op::kSlot: out = slots_[node.payload]; return true;
      case Op::kAnd: return RunJunction(node, false, out);
      case Op::kOr: return RunJunction(node, true, out);
      case Op::kNot:
        if (!Run(Operand(node, 0), out)) return false;
        out = Value::Bool(!out.Truthy());
        return true;
      case Op::kCompare: return RunCompare(node, out);
      case Op::kConditional: {
        Value condition;
        if (!Run(Operand(node, 0), condition)) return false;
        return Run(Operand(node, condition.Truthy() ? 1 : 2), out);
      }
      case Op::kNegate:
      case Op::kPlus:
      case Op::kMember: return RunUnary(node, out);
      case Op::kArithmetic:
      case Op::kSubscript: return RunBinary(node, out);
      case Op::kSlice: return RunSlice(node, out);
      case Op::kList:
      case Op::kTuple:
      case Op::kDict: return RunSequence(node, out);
    }
    return false;
  }

  /// As in Python the value is that of the operand that decided.
  bool RunJunction(const Node& node, bool decisive, Value& out) {
    for (std::uint32_t i = 0; i < node.count; ++i) {
      if (!Run(Operand(node, i), out)) return false;
      if (out.Truthy() == decisive) return true;
    }
    return true;
  }

  bool RunCompare(const Node& node, Value& out) {
    Value left;
    if (!Run(Operand(node, 0), left)) return false;
    for (std::uint32_t i = 1; i < node.count; ++i) {
      Value right;
      if (!Run(Operand(node, i), right)) return false;
      bool holds = false;
      const CompareOp op = code_.compare_ops[node.payload + i - 1];
      if (!Check(Compare(op, left, right, scratch_, holds), node, left, right)) return false;
      out = Value::Bool(holds);
      if (!holds) return true;
      left = right;
    }
    return true;
  }

  bool RunUnary(const Node& node, Value& out) {
    Value operand;
    if (!Run(Operand(node, 0), operand)) return false;
    Fault fault = Fault::kNone;
    if (node.op == Op::kNegate) {
      fault = Negate(operand, out);
    } else if (node.op == Op::kPlus) {
      fault = Plus(operand, out);
    } else {
      fault = Member(operand, code_.constants[node.payload].text(), scratch_, out);
    }
    return Check(fault, node, operand, operand);
  }

  bool RunBinary(const Node& node, Value& out) {
    Value left;
    Value right;
    if (!Run(Operand(node, 0), left) || !Run(Operand(node, 1), right)) return false;
    const Fault fault = node.op == Op::kSubscript
                            ? Subscript(left, right, scratch_, out)
                            : Arithmetic(static_cast<BinaryOp>(node.payload), left, right, scratch_, out);
    return Check(fault, node, left, right);
  }

  bool RunSlice(const Node& node, Value& out) {
    Value value;
    Value low;
    Value high;
    Value step;
    if (!Run(Operand(node, 0), value) || !Run(Operand(node, 1), low) || !Run(Operand(node, 2), high) ||
        !Run(Operand(node, 3), step)) {
      return false;
    }
    return Check(Slice(value, low, high, step, scratch_, out), node, value, low);
  }

  bool RunSequence(const Node& node, Value& out) {
    std::vector<Value> values(node.count);
    for (std::uint32_t i = 0; i < node.count; ++i) {
      if (!Run(Operand(node, i), values[i])) return false;
    }
    if (node.op == Op::kDict) {
      return Check(MakeDict(std::move(values), scratch_, out), node, Value::Dict({}), Value::Dict({}));
    }
    const auto kept = scratch_.Keep(std::move(values));
    out = node.op == Op::kList ? Value::List(kept) : Value::Tuple(kept);
    return true;
  }

  const Predicate::Code& code_;
  std::span<const Value> slots_;
  Scratch scratch_;
  EvaluationError error_;
};

}  // namespace

std::string EvaluationError::ToString() const {
  std::string operands;
  if (fault == Fault::kTypes) {
    operands = left == right ? fmt::format(" ({})", Describe(left))
                             : fmt::format(" ({} and {})", Describe(left), Describe(right));
  }
  return fmt::format("line {}, column {}: {}{}", at.line, at.column, Describe(fault), operands);
}

std::expected<bool, EvaluationError> Predicate::Evaluate(std::span<const Value> slots) const {
  Evaluator evaluator(*code_, slots);
  Value value;
  if (!evaluator.Run(value)) return std::unexpected(evaluator.error());
  return value.Truthy();
}

std::expected<json::value, EvaluationError> Predicate::EvaluateValue(std::span<const Value> slots) const {
  Evaluator evaluator(*code_, slots);
  Value value;
  if (!evaluator.Run(value)) return std::unexpected(evaluator.error());
  return ToJson(value);
}

}  // namespace seedcore::coordinator
