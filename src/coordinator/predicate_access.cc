#include <algorithm>

#include "coordinator/predicate_value_internal.h"

namespace seedcore::coordinator {
namespace {

using internal::FindKey, internal::IsSequence, internal::Open;

/// Offsets at which the code points of `text` begin, and its end.
std::vector<std::uint32_t> CodePoints(std::string_view text) {
  std::vector<std::uint32_t> offsets;
  offsets.reserve(text.size() + 1);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U) offsets.push_back(static_cast<std::uint32_t>(i));
  }
  offsets.push_back(static_cast<std::uint32_t>(text.size()));
  return offsets;
}

/// Paid for, and bounded, before the offsets are made.
Fault OpenText(std::string_view text, Scratch& scratch) {
  if (text.size() > Scratch::kMaxText) return Fault::kTooLarge;
  return scratch.Pay(1 + text.size() / 16);
}

/// One bound of a slice as Python clamps it.
std::int64_t ClampBound(const Value& bound, std::int64_t size, std::int64_t low, std::int64_t high,
                        std::int64_t missing) {
  if (bound.is_null()) return missing;
  std::int64_t index = bound.integer();
  if (index < 0 && __builtin_add_overflow(index, size, &index)) index = low;
  return std::clamp(index, low, high);
}

}  // namespace

Fault Member(const Value& value, std::string_view key, Scratch& scratch, Value& out) {
  if (value.is_null()) {
    out = Value();
    return Fault::kNone;
  }
  if (value.kind() == ValueKind::kDocument && value.document_object() != nullptr) {
    const json::value* found = value.document_object()->if_contains(key);
    out = found == nullptr ? Value() : Value::Of(*found);
    return Fault::kNone;
  }
  if (value.kind() != ValueKind::kDict) return Fault::kTypes;
  const Value* found = nullptr;
  if (const Fault fault = FindKey(value.elements(), Value::String(key), scratch, found); fault != Fault::kNone) {
    return fault;
  }
  out = found == nullptr ? Value() : *found;
  return Fault::kNone;
}

Fault Subscript(const Value& value, const Value& index, Scratch& scratch, Value& out) {
  Value opened = value;
  if (opened.kind() == ValueKind::kDocument && opened.document_object() != nullptr &&
      index.kind() == ValueKind::kString) {
    const json::value* found = opened.document_object()->if_contains(index.text());
    if (found == nullptr) return Fault::kKey;
    out = Value::Of(*found);
    return Fault::kNone;
  }
  if (const Fault fault = Open(opened, scratch); fault != Fault::kNone) return fault;
  if (opened.kind() == ValueKind::kDict) {
    if (index.kind() == ValueKind::kList || index.kind() == ValueKind::kDict) return Fault::kTypes;
    const Value* found = nullptr;
    if (const Fault fault = FindKey(opened.elements(), index, scratch, found); fault != Fault::kNone) return fault;
    if (found == nullptr) return Fault::kKey;
    out = *found;
    return Fault::kNone;
  }
  if (!index.is_integral()) return Fault::kTypes;
  const auto resolve = [&](std::size_t size, std::size_t& at) {
    const auto count = static_cast<std::int64_t>(size);
    const std::int64_t wanted = index.integer();
    if (wanted >= count || wanted < -count) return false;
    at = static_cast<std::size_t>(wanted < 0 ? wanted + count : wanted);
    return true;
  };
  std::size_t at = 0;
  if (opened.kind() == ValueKind::kString) {
    if (const Fault fault = OpenText(opened.text(), scratch); fault != Fault::kNone) return fault;
    const auto points = CodePoints(opened.text());
    if (!resolve(points.size() - 1, at)) return Fault::kIndex;
    out = Value::String(opened.text().substr(points[at], points[at + 1] - points[at]));
    return Fault::kNone;
  }
  if (!IsSequence(opened.kind())) return Fault::kTypes;
  if (!resolve(opened.elements().size(), at)) return Fault::kIndex;
  out = opened.elements()[at];
  return Fault::kNone;
}

Fault Slice(const Value& value, const Value& low, const Value& high, const Value& step, Scratch& scratch, Value& out) {
  for (const Value* bound : {&low, &high, &step}) {
    if (!bound->is_null() && !bound->is_integral()) return Fault::kTypes;
  }
  const std::int64_t stride = step.is_null() ? 1 : step.integer();
  if (stride == 0) return Fault::kTypes;
  Value opened = value;
  if (const Fault fault = Open(opened, scratch); fault != Fault::kNone) return fault;

  std::vector<std::uint32_t> points;
  if (opened.kind() == ValueKind::kString) {
    if (const Fault fault = OpenText(opened.text(), scratch); fault != Fault::kNone) return fault;
    points = CodePoints(opened.text());
  } else if (!IsSequence(opened.kind())) {
    return Fault::kTypes;
  }
  const bool is_text = opened.kind() == ValueKind::kString;
  const auto size = static_cast<std::int64_t>(is_text ? points.size() - 1 : opened.elements().size());
  if (const Fault fault = scratch.Pay(static_cast<std::size_t>(size)); fault != Fault::kNone) return fault;

  const bool forward = stride > 0;
  const std::int64_t first = forward ? 0 : -1;
  const std::int64_t last = forward ? size : size - 1;
  std::int64_t i = ClampBound(low, size, first, last, forward ? 0 : size - 1);
  const std::int64_t end = ClampBound(high, size, first, last, forward ? size : -1);
  std::string text;
  std::vector<Value> elements;
  while (forward ? i < end : i > end) {
    const auto at = static_cast<std::size_t>(i);
    if (is_text) {
      text += opened.text().substr(points[at], points[at + 1] - points[at]);
    } else {
      elements.push_back(opened.elements()[at]);
    }
    if (__builtin_add_overflow(i, stride, &i)) break;
  }
  if (is_text) {
    out = Value::String(scratch.Keep(std::move(text)));
  } else {
    const auto kept = scratch.Keep(std::move(elements));
    out = opened.kind() == ValueKind::kList ? Value::List(kept) : Value::Tuple(kept);
  }
  return Fault::kNone;
}

Fault MakeDict(std::vector<Value> flat, Scratch& scratch, Value& out) {
  std::vector<Value> unique;
  unique.reserve(flat.size());
  for (std::size_t i = 0; i + 1 < flat.size(); i += 2) {
    const ValueKind kind = flat[i].kind();
    if (kind == ValueKind::kList || kind == ValueKind::kDict || kind == ValueKind::kDocument) return Fault::kTypes;
    const Value* found = nullptr;
    if (const Fault fault = FindKey(unique, flat[i], scratch, found); fault != Fault::kNone) return fault;
    if (found != nullptr) {
      unique[static_cast<std::size_t>(found - unique.data())] = flat[i + 1];
    } else {
      unique.push_back(flat[i]);
      unique.push_back(flat[i + 1]);
    }
  }
  out = Value::Dict(scratch.Keep(std::move(unique)));
  return Fault::kNone;
}

}  // namespace seedcore::coordinator
