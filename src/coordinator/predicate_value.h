#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

/// Values of the predicate language and the arithmetic on them. The semantics are those of Python expressions, with
/// 64-bit integers whose overflow is an error. Pure; nothing here throws.
namespace seedcore::coordinator {

/// What a value is. A list and a tuple look alike but are never equal; a document is JSON that has not been needed as a
/// list or dict yet.
enum class ValueKind : std::uint8_t { kNull, kBool, kInt, kFloat, kString, kList, kTuple, kDict, kDocument };

/// "null", "a number", ... : for messages.
[[nodiscard]] std::string_view Describe(ValueKind kind);

/// One value, cheap to copy. Text, elements and documents are views: their owner is the compiled predicate, the Scratch
/// of the evaluation, or the caller's task, and all of them outlive it.
class Value {
 public:
  constexpr Value() : integer_(0) {}
  [[nodiscard]] static Value Bool(bool value);
  [[nodiscard]] static Value Int(std::int64_t value);
  [[nodiscard]] static Value Float(double value);
  [[nodiscard]] static Value String(std::string_view value);
  [[nodiscard]] static Value List(std::span<const Value> elements);
  [[nodiscard]] static Value Tuple(std::span<const Value> elements);
  /// `flat`: key, value, key, value, ... with no key twice.
  [[nodiscard]] static Value Dict(std::span<const Value> flat);
  /// Scalars are copied, text is viewed, arrays and objects become a document.
  [[nodiscard]] static Value Of(const json::value& value);
  /// An object as a document without a json::value around it.
  [[nodiscard]] static Value Of(const json::object& object);

  [[nodiscard]] ValueKind kind() const { return kind_; }
  [[nodiscard]] bool is_null() const { return kind_ == ValueKind::kNull; }
  [[nodiscard]] bool is_number() const {
    return kind_ == ValueKind::kInt || kind_ == ValueKind::kFloat || kind_ == ValueKind::kBool;
  }
  [[nodiscard]] bool is_integral() const { return kind_ == ValueKind::kInt || kind_ == ValueKind::kBool; }

  [[nodiscard]] bool boolean() const { return integer_ != 0; }
  /// Of an int or a bool.
  [[nodiscard]] std::int64_t integer() const { return integer_; }
  /// Of any number.
  [[nodiscard]] double number() const { return kind_ == ValueKind::kFloat ? float_ : static_cast<double>(integer_); }
  [[nodiscard]] std::string_view text() const { return {text_, size_}; }
  /// Elements of a list or tuple; keys and values of a dict in turn.
  [[nodiscard]] std::span<const Value> elements() const { return {elements_, size_}; }
  /// Null when the document is an array.
  [[nodiscard]] const json::object* document_object() const { return size_ == 1 ? object_ : nullptr; }
  [[nodiscard]] const json::array* document_array() const { return size_ == 0 ? array_ : nullptr; }

  /// Python truth: null, false, zero and everything empty are false.
  [[nodiscard]] bool Truthy() const;

 private:
  Value(ValueKind kind, std::int64_t integer) : kind_(kind), integer_(integer) {}

  ValueKind kind_ = ValueKind::kNull;
  std::uint32_t size_ = 0;  // of text and elements; for a document 1 for an object, 0 for an array
  union {
    std::int64_t integer_;
    double float_;
    const char* text_;
    const Value* elements_;
    const json::object* object_;
    const json::array* array_;
  };
};

/// Why an evaluation gave no value.
enum class Fault : std::uint8_t {
  kNone,
  kTypes,  ///< the operator is not defined for these kinds
  kDivideByZero,
  kOverflow,  ///< outside 64-bit integers, or a power beyond the range of a double
  kIndex,     ///< a subscript outside the sequence
  kKey,       ///< a subscript that is not in the dict
  kTooLarge,  ///< a text or list beyond the limits below
  kTooLong,   ///< the step budget is used up
};

[[nodiscard]] std::string_view Describe(Fault fault);

/// Temporaries and budget of one evaluation. Every operation pays for the elements and bytes it touches, so an
/// expression can neither hang nor grow.
class Scratch {
 public:
  static constexpr std::uint32_t kSteps = 20'000;     ///< operations and elements touched
  static constexpr std::size_t kMaxText = 64 * 1024;  ///< bytes of a text an expression makes
  static constexpr std::size_t kMaxElements = 4096;   ///< of a list an expression makes

  /// Pays for `steps`; kTooLong when there are not that many left.
  [[nodiscard]] Fault Pay(std::size_t steps) {
    if (steps > left_) return Fault::kTooLong;
    left_ -= static_cast<std::uint32_t>(steps);
    return Fault::kNone;
  }
  [[nodiscard]] std::string_view Keep(std::string text);
  [[nodiscard]] std::span<const Value> Keep(std::vector<Value> elements);

 private:
  std::uint32_t left_ = kSteps;
  std::vector<std::unique_ptr<std::string>> texts_;
  std::vector<std::unique_ptr<std::vector<Value>>> lists_;
};

enum class BinaryOp : std::uint8_t { kAdd, kSubtract, kMultiply, kDivide, kFloorDivide, kModulo, kPower };
enum class CompareOp : std::uint8_t { kEq, kNe, kLt, kLe, kGt, kGe, kIs, kIsNot, kIn, kNotIn };

/// `out` is written only when the answer is Fault::kNone; the same holds below.
[[nodiscard]] Fault Arithmetic(BinaryOp op, const Value& left, const Value& right, Scratch& scratch, Value& out);
[[nodiscard]] Fault Negate(const Value& operand, Value& out);
[[nodiscard]] Fault Plus(const Value& operand, Value& out);
/// `is` compares kind and value: there are no identities here, and `x is None` is what it is for.
[[nodiscard]] Fault Compare(CompareOp op, const Value& left, const Value& right, Scratch& scratch, bool& out);

/// `value.key`: null when the key is missing or `value` is itself null.
[[nodiscard]] Fault Member(const Value& value, std::string_view key, Scratch& scratch, Value& out);
/// `value[index]`; negative indexes count from the end; text is counted in code points.
[[nodiscard]] Fault Subscript(const Value& value, const Value& index, Scratch& scratch, Value& out);
/// `value[low:high:step]`; each bound may be null.
[[nodiscard]] Fault Slice(const Value& value, const Value& low, const Value& high, const Value& step, Scratch& scratch,
                          Value& out);
/// A dict of `flat` keys and values; a later key replaces an earlier one. kTypes: a key that is a list or dict.
[[nodiscard]] Fault MakeDict(std::vector<Value> flat, Scratch& scratch, Value& out);

/// For tests and messages. Tuples become arrays; what is longer than about a megabyte is cut off.
[[nodiscard]] json::value ToJson(const Value& value);

}  // namespace seedcore::coordinator
