#include "base/json_node.h"

#include <bit>
#include <memory>
#include <simdjson.h>
#include <utility>

namespace seedcore {

namespace dom = simdjson::dom;

/// simdjson's view of a place is two words, so that it need not be in our header.
struct JsonNode::Access {
  static dom::element Element(const JsonNode& node) { return std::bit_cast<dom::element>(node.view_); }
  static JsonNode Node(const dom::element& element) {
    JsonNode node;
    node.view_ = std::bit_cast<decltype(node.view_)>(element);
    return node;
  }
  static bool ToValue(const dom::element& element, json::value& out);
};

namespace {

/// Levels that are read; a document that has more may be valid all the same, which ParseJson decides.
constexpr std::size_t kFastDepth = kMaxJsonDepth - 4;

template <class T>
bool Get(const dom::element& element, T& out) {
  return element.get<T>().get(out) == simdjson::SUCCESS;
}

}  // namespace

bool JsonNode::ReadDocument(std::string_view text, JsonNode& out) {
  // A typed request is an object. This also keeps byte order marks out, which newer versions of simdjson skip.
  if (!text.starts_with('{') || text.size() > kMaxFastJson) return false;
  thread_local const auto parser = [] {
    auto made = std::make_unique<dom::parser>();
    return made->allocate(kMaxFastJson, kFastDepth) == simdjson::SUCCESS ? std::move(made) : nullptr;
  }();
  if (!parser) return false;
  dom::element root;
  if (parser->parse(text.data(), text.size()).get(root) != simdjson::SUCCESS) return false;
  out = Access::Node(root);
  return true;
}

bool JsonNode::IsNull() const { return Access::Element(*this).is_null(); }

bool JsonNode::Read(bool& out) const { return Get(Access::Element(*this), out); }

bool JsonNode::Read(double& out) const { return Get(Access::Element(*this), out); }

bool JsonNode::Read(std::int64_t& out) const {
  const dom::element element = Access::Element(*this);
  return element.type() != dom::element_type::DOUBLE && Get(element, out);
}

bool JsonNode::Read(std::uint64_t& out) const {
  const dom::element element = Access::Element(*this);
  return element.type() != dom::element_type::DOUBLE && Get(element, out);
}

bool JsonNode::Read(std::string_view& out) const { return Get(Access::Element(*this), out); }

bool JsonNode::Read(std::vector<double>& out) const {
  dom::array array;
  if (!Get(Access::Element(*this), array)) return false;
  out.clear();
  out.reserve(array.size());
  for (const dom::element element : array) {
    double number = 0.0;
    if (!Get(element, number)) return false;
    out.push_back(number);
  }
  return true;
}

bool JsonNode::Read(json::value& out) const { return Access::ToValue(Access::Element(*this), out); }

bool JsonNode::Access::ToValue(const dom::element& element, json::value& out) {
  switch (element.type()) {
    case dom::element_type::NULL_VALUE: out.emplace_null(); return true;
    case dom::element_type::BOOL: return Get(element, out.emplace_bool());
    case dom::element_type::INT64: return Get(element, out.emplace_int64());
    case dom::element_type::UINT64: return Get(element, out.emplace_uint64());
    case dom::element_type::DOUBLE: return Get(element, out.emplace_double());
    case dom::element_type::STRING: {
      std::string_view text;
      if (!Get(element, text)) return false;
      out.emplace_string() = text;
      return true;
    }
    case dom::element_type::ARRAY: {
      dom::array from;
      if (!Get(element, from)) return false;
      json::array& array = out.emplace_array();
      array.reserve(from.size());
      for (const dom::element item : from) {
        if (!ToValue(item, array.emplace_back(nullptr))) return false;
      }
      return true;
    }
    case dom::element_type::OBJECT: {
      dom::object from;
      if (!Get(element, from)) return false;
      json::object& object = out.emplace_object();
      object.reserve(from.size());
      for (const auto& [key, value] : from) {
        const auto [member, is_new] = object.emplace(key, nullptr);
        if (!is_new || !ToValue(value, member->value())) return false;
      }
      return true;
    }
  }
  return false;
}

bool JsonNode::Elements(bool (*visit)(void*, const JsonNode&), void* context) const {
  dom::array array;
  if (!Get(Access::Element(*this), array)) return false;
  for (const dom::element element : array) {
    if (!visit(context, Access::Node(element))) return false;
  }
  return true;
}

bool JsonNode::Members(bool (*visit)(void*, std::string_view, const JsonNode&), void* context) const {
  dom::object object;
  if (!Get(Access::Element(*this), object)) return false;
  for (const auto& [key, value] : object) {
    if (!visit(context, key, Access::Node(value))) return false;
  }
  return true;
}

}  // namespace seedcore
