#include "coordinator/predicate_value.h"

#include <algorithm>
#include <limits>

#include "coordinator/predicate_value_internal.h"

namespace seedcore::coordinator {
namespace {

std::uint32_t Size32(std::size_t size) {
  return static_cast<std::uint32_t>(std::min<std::size_t>(size, std::numeric_limits<std::uint32_t>::max()));
}

}  // namespace

namespace internal {

Fault Open(Value& value, Scratch& scratch) {
  if (value.kind() != ValueKind::kDocument) return Fault::kNone;
  std::vector<Value> elements;
  if (const json::object* object = value.document_object()) {
    if (object->size() > Scratch::kMaxElements) return Fault::kTooLarge;
    if (const Fault fault = scratch.Pay(object->size()); fault != Fault::kNone) return fault;
    elements.reserve(object->size() * 2);
    for (const auto& member : *object) {
      elements.push_back(Value::String(member.key()));
      elements.push_back(Value::Of(member.value()));
    }
    value = Value::Dict(scratch.Keep(std::move(elements)));
    return Fault::kNone;
  }
  const json::array& array = *value.document_array();
  if (array.size() > Scratch::kMaxElements) return Fault::kTooLarge;
  if (const Fault fault = scratch.Pay(array.size()); fault != Fault::kNone) return fault;
  elements.reserve(array.size());
  for (const json::value& element : array) elements.push_back(Value::Of(element));
  value = Value::List(scratch.Keep(std::move(elements)));
  return Fault::kNone;
}

}  // namespace internal

std::string_view Describe(ValueKind kind) {
  switch (kind) {
    case ValueKind::kNull: return "null";
    case ValueKind::kBool: return "a boolean";
    case ValueKind::kInt:
    case ValueKind::kFloat: return "a number";
    case ValueKind::kString: return "a text";
    case ValueKind::kList: return "a list";
    case ValueKind::kTuple: return "a tuple";
    case ValueKind::kDict: return "a dict";
    case ValueKind::kDocument: return "a document";
  }
  return "?";
}

std::string_view Describe(Fault fault) {
  switch (fault) {
    case Fault::kNone: return "no fault";
    case Fault::kTypes: return "the operator is not defined for these operands";
    case Fault::kDivideByZero: return "division by zero";
    case Fault::kOverflow: return "the number is out of range";
    case Fault::kIndex: return "the index is outside the sequence";
    case Fault::kKey: return "the key is not in the dict";
    case Fault::kTooLarge: return "the text or list is too large";
    case Fault::kTooLong: return "the evaluation takes too many steps";
  }
  return "?";
}

Value Value::Bool(bool value) { return {ValueKind::kBool, value ? 1 : 0}; }
Value Value::Int(std::int64_t value) { return {ValueKind::kInt, value}; }

Value Value::Float(double value) {
  Value out;
  out.kind_ = ValueKind::kFloat;
  out.float_ = value;
  return out;
}

Value Value::String(std::string_view value) {
  Value out;
  out.kind_ = ValueKind::kString;
  out.size_ = Size32(value.size());
  out.text_ = value.data();
  return out;
}

Value Value::List(std::span<const Value> elements) {
  Value out;
  out.kind_ = ValueKind::kList;
  out.size_ = Size32(elements.size());
  out.elements_ = elements.data();
  return out;
}

Value Value::Tuple(std::span<const Value> elements) {
  Value out = List(elements);
  out.kind_ = ValueKind::kTuple;
  return out;
}

Value Value::Dict(std::span<const Value> flat) {
  Value out = List(flat);
  out.kind_ = ValueKind::kDict;
  return out;
}

Value Value::Of(const json::value& value) {
  switch (value.kind()) {
    case json::kind::null: return {};
    case json::kind::bool_: return Bool(value.get_bool());
    case json::kind::int64: return Int(value.get_int64());
    case json::kind::uint64:
      return value.get_uint64() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())
                 ? Int(static_cast<std::int64_t>(value.get_uint64()))
                 : Float(static_cast<double>(value.get_uint64()));
    case json::kind::double_: return Float(value.get_double());
    case json::kind::string: return String(value.get_string());
    case json::kind::object: return Of(value.get_object());
    case json::kind::array: break;
  }
  Value out;
  out.kind_ = ValueKind::kDocument;
  out.array_ = &value.get_array();
  return out;
}

Value Value::Of(const json::object& object) {
  Value out;
  out.kind_ = ValueKind::kDocument;
  out.size_ = 1;
  out.object_ = &object;
  return out;
}

bool Value::Truthy() const {
  switch (kind_) {
    case ValueKind::kNull: return false;
    case ValueKind::kBool:
    case ValueKind::kInt: return integer_ != 0;
    case ValueKind::kFloat: return float_ != 0.0;
    case ValueKind::kString:
    case ValueKind::kList:
    case ValueKind::kTuple:
    case ValueKind::kDict: return size_ != 0;
    case ValueKind::kDocument: return size_ == 1 ? !object_->empty() : !array_->empty();
  }
  return false;
}

std::string_view Scratch::Keep(std::string text) {
  return *texts_.emplace_back(std::make_unique<std::string>(std::move(text)));
}

std::span<const Value> Scratch::Keep(std::vector<Value> elements) {
  return *lists_.emplace_back(std::make_unique<std::vector<Value>>(std::move(elements)));
}

namespace {

/// Values share their elements, so that a few steps of evaluation can make one that is endless when written out. What
/// does not fit into `room` bytes is cut off and shown as "...".
class JsonMaker {
 public:
  json::value Make(const Value& value) {
    Take(16);
    switch (value.kind()) {
      case ValueKind::kNull: return nullptr;
      case ValueKind::kBool: return value.boolean();
      case ValueKind::kInt: return value.integer();
      case ValueKind::kFloat: return value.number();
      case ValueKind::kString: return Text(value);
      case ValueKind::kList:
      case ValueKind::kTuple: return Elements(value);
      case ValueKind::kDict: return Members(value);
      case ValueKind::kDocument:
        Take(1024);  // it is copied whole, whatever its size
        if (value.document_object() != nullptr) return *value.document_object();
        return *value.document_array();
    }
    return nullptr;
  }

 private:
  static constexpr const char* kCutOff = "...";

  void Take(std::size_t bytes) { room_ -= std::min(bytes, room_); }

  json::value Text(const Value& value) {
    if (value.text().size() > room_) return kCutOff;
    Take(value.text().size());
    return json::string(value.text());
  }
  json::value Elements(const Value& value) {
    json::array array;
    for (const Value& element : value.elements()) {
      if (room_ == 0) {
        array.push_back(kCutOff);
        break;
      }
      array.push_back(Make(element));
    }
    return array;
  }
  json::value Members(const Value& value) {
    json::object object;
    for (std::size_t i = 0; i + 1 < value.elements().size() && room_ > 0; i += 2) {
      const Value& key = value.elements()[i];
      std::string name = key.kind() == ValueKind::kString ? std::string(key.text()) : WriteJson(Make(key));
      Take(name.size());
      object[name] = Make(value.elements()[i + 1]);
    }
    return object;
  }

  std::size_t room_ = 1 << 20;
};

}  // namespace

json::value ToJson(const Value& value) { return JsonMaker().Make(value); }

}  // namespace seedcore::coordinator
