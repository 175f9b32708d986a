#include <algorithm>
#include <cmath>
#include <limits>

#include "coordinator/predicate_value_internal.h"

namespace seedcore::coordinator {
namespace {

using internal::IsSequence, internal::Open, internal::TextSteps;

Fault IntegerPower(std::int64_t base, std::int64_t exponent, std::int64_t& out) {
  std::int64_t result = 1;
  while (exponent > 0) {
    if ((exponent & 1) != 0 && __builtin_mul_overflow(result, base, &result)) return Fault::kOverflow;
    exponent >>= 1;
    if (exponent > 0 && __builtin_mul_overflow(base, base, &base)) return Fault::kOverflow;
  }
  out = result;
  return Fault::kNone;
}

Fault Power(const Value& left, const Value& right, Value& out) {
  if (left.is_integral() && right.is_integral() && right.integer() >= 0) {
    std::int64_t result = 0;
    const Fault fault = IntegerPower(left.integer(), right.integer(), result);
    if (fault == Fault::kNone) out = Value::Int(result);
    return fault;
  }
  const double base = left.number();
  const double exponent = right.number();
  if (base == 0.0 && exponent < 0.0) return Fault::kDivideByZero;
  if (base < 0.0 && std::isfinite(exponent) && std::floor(exponent) != exponent && std::isfinite(base)) {
    return Fault::kTypes;  // a complex number, which the language does not have
  }
  const double result = std::pow(base, exponent);
  if (std::isinf(result) && std::isfinite(base) && std::isfinite(exponent)) return Fault::kOverflow;
  out = Value::Float(result);
  return Fault::kNone;
}

Fault IntegerDivision(BinaryOp op, std::int64_t a, std::int64_t b, Value& out) {
  if (b == 0) return Fault::kDivideByZero;
  if (op == BinaryOp::kDivide) {
    out = Value::Float(static_cast<double>(a) / static_cast<double>(b));
    return Fault::kNone;
  }
  if (b == -1) {  // the one quotient that can overflow
    if (op == BinaryOp::kFloorDivide && a == std::numeric_limits<std::int64_t>::min()) return Fault::kOverflow;
    out = Value::Int(op == BinaryOp::kFloorDivide ? -a : 0);
    return Fault::kNone;
  }
  // Python rounds the quotient down, and the remainder has the sign of the divisor.
  const std::int64_t remainder = a % b;
  const bool adjust = remainder != 0 && (remainder < 0) != (b < 0);
  out = Value::Int(op == BinaryOp::kFloorDivide ? a / b - (adjust ? 1 : 0) : remainder + (adjust ? b : 0));
  return Fault::kNone;
}

Fault FloatDivision(BinaryOp op, double a, double b, Value& out) {
  if (b == 0.0) return Fault::kDivideByZero;
  if (op == BinaryOp::kDivide) {
    out = Value::Float(a / b);
    return Fault::kNone;
  }
  double remainder = std::fmod(a, b);
  double quotient = (a - remainder) / b;
  if (remainder != 0.0) {
    if ((b < 0.0) != (remainder < 0.0)) {
      remainder += b;
      quotient -= 1.0;
    }
  } else {
    remainder = std::copysign(0.0, b);
  }
  double floored = std::floor(quotient);
  if (quotient - floored > 0.5) floored += 1.0;  // the division above may have rounded just below an integer
  if (quotient == 0.0) floored = std::copysign(0.0, a / b);
  out = Value::Float(op == BinaryOp::kModulo ? remainder : floored);
  return Fault::kNone;
}

Fault NumberArithmetic(BinaryOp op, const Value& left, const Value& right, Value& out) {
  if (op == BinaryOp::kPower) return Power(left, right, out);
  const bool division = op == BinaryOp::kDivide || op == BinaryOp::kFloorDivide || op == BinaryOp::kModulo;
  if (left.is_integral() && right.is_integral()) {
    const std::int64_t a = left.integer();
    const std::int64_t b = right.integer();
    if (division) return IntegerDivision(op, a, b, out);
    std::int64_t result = 0;
    const bool overflow = op == BinaryOp::kAdd        ? __builtin_add_overflow(a, b, &result)
                          : op == BinaryOp::kSubtract ? __builtin_sub_overflow(a, b, &result)
                                                      : __builtin_mul_overflow(a, b, &result);
    if (overflow) return Fault::kOverflow;
    out = Value::Int(result);
    return Fault::kNone;
  }
  const double a = left.number();
  const double b = right.number();
  if (division) return FloatDivision(op, a, b, out);
  out = Value::Float(op == BinaryOp::kAdd ? a + b : op == BinaryOp::kSubtract ? a - b : a * b);
  return Fault::kNone;
}

Fault Concatenate(Value left, Value right, Scratch& scratch, Value& out) {
  if (left.kind() == ValueKind::kString && right.kind() == ValueKind::kString) {
    const std::size_t size = left.text().size() + right.text().size();
    if (size > Scratch::kMaxText) return Fault::kTooLarge;
    if (const Fault fault = scratch.Pay(TextSteps(size)); fault != Fault::kNone) return fault;
    std::string text(left.text());
    text += right.text();
    out = Value::String(scratch.Keep(std::move(text)));
    return Fault::kNone;
  }
  if (const Fault fault = Open(left, scratch); fault != Fault::kNone) return fault;
  if (const Fault fault = Open(right, scratch); fault != Fault::kNone) return fault;
  if (!IsSequence(left.kind()) || left.kind() != right.kind()) return Fault::kTypes;
  const std::size_t size = left.elements().size() + right.elements().size();
  if (size > Scratch::kMaxElements) return Fault::kTooLarge;
  if (const Fault fault = scratch.Pay(size); fault != Fault::kNone) return fault;
  std::vector<Value> elements(left.elements().begin(), left.elements().end());
  elements.insert(elements.end(), right.elements().begin(), right.elements().end());
  const auto kept = scratch.Keep(std::move(elements));
  out = left.kind() == ValueKind::kList ? Value::List(kept) : Value::Tuple(kept);
  return Fault::kNone;
}

Fault Repeat(Value sequence, std::int64_t times, Scratch& scratch, Value& out) {
  if (const Fault fault = Open(sequence, scratch); fault != Fault::kNone) return fault;
  const auto count = static_cast<std::size_t>(std::max<std::int64_t>(times, 0));
  if (sequence.kind() == ValueKind::kString) {
    const std::string_view unit = sequence.text();
    if (!unit.empty() && count > Scratch::kMaxText / unit.size()) return Fault::kTooLarge;
    if (const Fault fault = scratch.Pay(TextSteps(unit.size() * count)); fault != Fault::kNone) return fault;
    std::string text;
    for (std::size_t i = 0; !unit.empty() && i < count; ++i) text += unit;
    out = Value::String(scratch.Keep(std::move(text)));
    return Fault::kNone;
  }
  if (!IsSequence(sequence.kind())) return Fault::kTypes;
  const auto unit = sequence.elements();
  if (!unit.empty() && count > Scratch::kMaxElements / unit.size()) return Fault::kTooLarge;
  if (const Fault fault = scratch.Pay(unit.empty() ? 1 : unit.size() * count); fault != Fault::kNone) return fault;
  std::vector<Value> elements;
  for (std::size_t i = 0; !unit.empty() && i < count; ++i) elements.insert(elements.end(), unit.begin(), unit.end());
  const auto kept = scratch.Keep(std::move(elements));
  out = sequence.kind() == ValueKind::kList ? Value::List(kept) : Value::Tuple(kept);
  return Fault::kNone;
}

}  // namespace

Fault Arithmetic(BinaryOp op, const Value& left, const Value& right, Scratch& scratch, Value& out) {
  if (left.is_number() && right.is_number()) return NumberArithmetic(op, left, right, out);
  if (op == BinaryOp::kAdd) return Concatenate(left, right, scratch, out);
  if (op == BinaryOp::kMultiply) {
    if (right.is_integral()) return Repeat(left, right.integer(), scratch, out);
    if (left.is_integral()) return Repeat(right, left.integer(), scratch, out);
  }
  return Fault::kTypes;
}

Fault Negate(const Value& operand, Value& out) {
  if (operand.is_integral()) return NumberArithmetic(BinaryOp::kSubtract, Value::Int(0), operand, out);
  if (operand.kind() != ValueKind::kFloat) return Fault::kTypes;
  out = Value::Float(-operand.number());
  return Fault::kNone;
}

Fault Plus(const Value& operand, Value& out) {
  if (!operand.is_number()) return Fault::kTypes;
  out = operand.is_integral() ? Value::Int(operand.integer()) : operand;
  return Fault::kNone;
}

}  // namespace seedcore::coordinator
