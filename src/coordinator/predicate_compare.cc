#include <algorithm>
#include <cmath>

#include "coordinator/predicate_value_internal.h"

namespace seedcore::coordinator {
namespace {

using internal::Equal, internal::FindKey, internal::IsSequence, internal::Open, internal::TextSteps;

enum class Order : std::uint8_t { kLess, kEqual, kGreater, kNone };  // kNone: a NaN is involved

template <class T>
Order OrderOf(const T& a, const T& b) {
  if (a < b) return Order::kLess;
  if (b < a) return Order::kGreater;
  return a == b ? Order::kEqual : Order::kNone;
}

/// Exact: an int64 is not rounded to a double first, so 2**53 + 1 > 2.0**53 holds.
Order OrderIntFloat(std::int64_t a, double b) {
  if (std::isnan(b)) return Order::kNone;
  if (b >= 0x1p63) return Order::kLess;
  if (b < -0x1p63) return Order::kGreater;
  const double whole = std::floor(b);
  const Order order = OrderOf(a, static_cast<std::int64_t>(whole));
  return order == Order::kEqual && b > whole ? Order::kLess : order;
}

Order OrderNumbers(const Value& a, const Value& b) {
  if (a.is_integral() && b.is_integral()) return OrderOf(a.integer(), b.integer());
  if (a.is_integral()) return OrderIntFloat(a.integer(), b.number());
  if (b.is_integral()) {
    switch (OrderIntFloat(b.integer(), a.number())) {
      case Order::kLess: return Order::kGreater;
      case Order::kGreater: return Order::kLess;
      case Order::kEqual: return Order::kEqual;
      case Order::kNone: return Order::kNone;
    }
  }
  return OrderOf(a.number(), b.number());
}

Fault EqualElements(std::span<const Value> a, std::span<const Value> b, Scratch& scratch, bool& out) {
  out = a.size() == b.size();
  for (std::size_t i = 0; out && i < a.size(); ++i) {
    if (const Fault fault = Equal(a[i], b[i], scratch, out); fault != Fault::kNone) return fault;
  }
  return Fault::kNone;
}

Fault EqualDicts(std::span<const Value> a, std::span<const Value> b, Scratch& scratch, bool& out) {
  out = a.size() == b.size();
  for (std::size_t i = 0; out && i + 1 < a.size(); i += 2) {
    const Value* other = nullptr;
    if (const Fault fault = FindKey(b, a[i], scratch, other); fault != Fault::kNone) return fault;
    out = other != nullptr;
    if (!out) break;
    if (const Fault fault = Equal(a[i + 1], *other, scratch, out); fault != Fault::kNone) return fault;
  }
  return Fault::kNone;
}

Fault OrderValues(Value a, Value b, Scratch& scratch, Order& out) {
  if (const Fault fault = scratch.Pay(1); fault != Fault::kNone) return fault;
  if (a.is_number() && b.is_number()) {
    out = OrderNumbers(a, b);
    return Fault::kNone;
  }
  if (const Fault fault = Open(a, scratch); fault != Fault::kNone) return fault;
  if (const Fault fault = Open(b, scratch); fault != Fault::kNone) return fault;
  if (a.kind() != b.kind()) return Fault::kTypes;
  if (a.kind() == ValueKind::kString) {
    out = OrderOf(a.text(), b.text());  // the order of UTF-8 bytes is that of code points
    return scratch.Pay(a.text().size() / 64);
  }
  if (!IsSequence(a.kind())) return Fault::kTypes;
  const auto left = a.elements();
  const auto right = b.elements();
  for (std::size_t i = 0; i < std::min(left.size(), right.size()); ++i) {
    bool same = false;
    if (const Fault fault = Equal(left[i], right[i], scratch, same); fault != Fault::kNone) return fault;
    if (!same) return OrderValues(left[i], right[i], scratch, out);
  }
  out = OrderOf(left.size(), right.size());
  return Fault::kNone;
}

Fault Contains(Value container, const Value& item, Scratch& scratch, bool& out) {
  if (container.kind() == ValueKind::kString) {
    if (item.kind() != ValueKind::kString) return Fault::kTypes;
    // The worst case of the library's search is the product of the lengths.
    const std::size_t cost = TextSteps(container.text().size()) * TextSteps(item.text().size());
    if (const Fault fault = scratch.Pay(cost); fault != Fault::kNone) return fault;
    out = container.text().find(item.text()) != std::string_view::npos;
    return Fault::kNone;
  }
  if (const Fault fault = Open(container, scratch); fault != Fault::kNone) return fault;
  if (container.kind() == ValueKind::kDict) {
    if (item.kind() == ValueKind::kList || item.kind() == ValueKind::kDict) return Fault::kTypes;
    const Value* found = nullptr;
    const Fault fault = FindKey(container.elements(), item, scratch, found);
    out = found != nullptr;
    return fault;
  }
  if (!IsSequence(container.kind())) return Fault::kTypes;
  out = false;
  for (const Value& element : container.elements()) {
    if (const Fault fault = Equal(element, item, scratch, out); fault != Fault::kNone || out) return fault;
  }
  return Fault::kNone;
}

}  // namespace

namespace internal {

Fault FindKey(std::span<const Value> flat, const Value& key, Scratch& scratch, const Value*& found) {
  found = nullptr;
  for (std::size_t i = 0; i + 1 < flat.size(); i += 2) {
    bool same = false;
    if (const Fault fault = Equal(flat[i], key, scratch, same); fault != Fault::kNone) return fault;
    if (same) {
      found = &flat[i + 1];
      return Fault::kNone;
    }
  }
  return Fault::kNone;
}

Fault Equal(Value a, Value b, Scratch& scratch, bool& out) {
  if (const Fault fault = scratch.Pay(1); fault != Fault::kNone) return fault;
  if (a.is_number() && b.is_number()) {
    out = OrderNumbers(a, b) == Order::kEqual;
    return Fault::kNone;
  }
  if (const Fault fault = Open(a, scratch); fault != Fault::kNone) return fault;
  if (const Fault fault = Open(b, scratch); fault != Fault::kNone) return fault;
  out = a.kind() == b.kind();
  if (!out) return Fault::kNone;
  switch (a.kind()) {
    case ValueKind::kString: out = a.text() == b.text(); return scratch.Pay(a.text().size() / 64);
    case ValueKind::kList:
    case ValueKind::kTuple: return EqualElements(a.elements(), b.elements(), scratch, out);
    case ValueKind::kDict: return EqualDicts(a.elements(), b.elements(), scratch, out);
    default: return Fault::kNone;  // null; numbers were handled above
  }
}

}  // namespace internal

Fault Compare(CompareOp op, const Value& left, const Value& right, Scratch& scratch, bool& out) {
  switch (op) {
    case CompareOp::kEq:
    case CompareOp::kNe: {
      const Fault fault = Equal(left, right, scratch, out);
      if (op == CompareOp::kNe) out = !out;
      return fault;
    }
    case CompareOp::kIs:
    case CompareOp::kIsNot: {
      bool same = left.kind() == right.kind();
      const Fault fault = same ? Equal(left, right, scratch, same) : Fault::kNone;
      out = same == (op == CompareOp::kIs);
      return fault;
    }
    case CompareOp::kIn:
    case CompareOp::kNotIn: {
      const Fault fault = Contains(right, left, scratch, out);
      if (op == CompareOp::kNotIn) out = !out;
      return fault;
    }
    default: break;
  }
  Order order = Order::kNone;
  if (const Fault fault = OrderValues(left, right, scratch, order); fault != Fault::kNone) return fault;
  switch (op) {
    case CompareOp::kLt: out = order == Order::kLess; break;
    case CompareOp::kLe: out = order == Order::kLess || order == Order::kEqual; break;
    case CompareOp::kGt: out = order == Order::kGreater; break;
    default: out = order == Order::kGreater || order == Order::kEqual; break;
  }
  return Fault::kNone;
}

}  // namespace seedcore::coordinator
