#include "coordinator/plan_inputs.h"

#include <charconv>
#include <string>

#include <fmt/format.h>

namespace seedcore::coordinator {
namespace {

constexpr std::string_view kOpen = "${";
constexpr std::size_t kMaxText = 1024 * 1024;  // of a text that references make

const json::value* Member(const json::value& value, std::string_view name) {
  if (const json::object* object = value.if_object()) return object->if_contains(name);
  const json::array* array = value.if_array();
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), index);
  if (array == nullptr || error != std::errc{} || end != name.data() + name.size()) return nullptr;
  return array->if_contains(index);
}

Result<const json::value*> Find(std::string_view reference, const json::object& inputs) {
  // Step ids may hold dots: the longest one that fits is meant.
  const json::value* value = nullptr;
  std::size_t used = 0;
  for (const auto& input : inputs) {
    const std::string_view id = input.key();
    const bool fits = reference.starts_with(id) && (reference.size() == id.size() || reference[id.size()] == '.');
    if (fits && id.size() >= used) {
      value = &input.value();
      used = id.size();
    }
  }
  const auto refuse = [&](std::string_view why) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("the reference ${{{}}} {}", reference.substr(0, 100), why));
  };
  if (value == nullptr) return refuse("names no step that this one depends on");
  std::string_view rest = reference.substr(used);
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.find('.'), rest.size());
    value = Member(*value, rest.substr(0, end));
    if (value == nullptr) return refuse("names nothing in the output of that step");
    rest.remove_prefix(end);
  }
  return value;
}

Result<json::value> ResolveText(std::string_view text, const json::object& inputs) {
  std::string out;
  std::string_view rest = text;
  while (true) {
    const std::size_t open = rest.find(kOpen);
    const std::size_t close = open == std::string_view::npos ? open : rest.find('}', open);
    if (close == std::string_view::npos) {
      out += rest;
      return json::string(out);
    }
    SEEDCORE_ASSIGN_OR_RETURN(const json::value* value,
                              Find(rest.substr(open + kOpen.size(), close - open - kOpen.size()), inputs));
    if (rest.size() == text.size() && open == 0 && close + 1 == text.size()) return *value;
    out += rest.substr(0, open);
    out += value->is_string() ? std::string(value->get_string()) : WriteJson(*value);
    if (out.size() > kMaxText) return Fail(ErrorCode::kPayloadTooLarge, "references make the text too large");
    rest.remove_prefix(close + 1);
  }
}

}  // namespace

Result<json::value> ResolveInputs(const json::value& params, const json::object& inputs) {
  if (const json::string* text = params.if_string()) return ResolveText(*text, inputs);
  if (const json::object* object = params.if_object()) {
    json::object out;
    for (const auto& member : *object) {
      SEEDCORE_ASSIGN_OR_RETURN(out[member.key()], ResolveInputs(member.value(), inputs));
    }
    return out;
  }
  if (const json::array* array = params.if_array()) {
    json::array out;
    for (const json::value& element : *array) {
      SEEDCORE_ASSIGN_OR_RETURN(json::value value, ResolveInputs(element, inputs));
      out.push_back(std::move(value));
    }
    return out;
  }
  return params;
}

}  // namespace seedcore::coordinator
