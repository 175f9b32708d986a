#include "coordinator/plan_inputs.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>

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

/// Whether the reference names this step, or something in its output.
bool IsAt(std::string_view reference, std::string_view id) {
  return reference.starts_with(id) && (reference.size() == id.size() || reference[id.size()] == '.');
}

std::unexpected<Error> RefuseReference(std::string_view reference, std::string_view why) {
  return Fail(ErrorCode::kInvalidArgument, fmt::format("the reference ${{{}}} {}", reference.substr(0, 100), why));
}
constexpr std::string_view kNamesNoStep = "names no step that this one depends on";

Result<const json::value*> Find(std::string_view reference, const json::object& inputs) {
  // Step ids may hold dots: the longest one that fits is meant.
  const json::value* value = nullptr;
  std::size_t used = 0;
  for (const auto& input : inputs) {
    const std::string_view id = input.key();
    if (IsAt(reference, id) && id.size() >= used) {
      value = &input.value();
      used = id.size();
    }
  }
  if (value == nullptr) return RefuseReference(reference, kNamesNoStep);
  std::string_view rest = reference.substr(used);
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.find('.'), rest.size());
    value = Member(*value, rest.substr(0, end));
    if (value == nullptr) return RefuseReference(reference, "names nothing in the output of that step");
    rest.remove_prefix(end);
  }
  return value;
}

/// The first one in a text.
struct Reference {
  std::size_t open = 0;   ///< where it begins
  std::size_t close = 0;  ///< its last byte
  std::string_view name;
};
std::optional<Reference> NextReference(std::string_view text) {
  const std::size_t open = text.find(kOpen);
  if (open == std::string_view::npos) return std::nullopt;
  const std::size_t close = text.find('}', open);
  if (close == std::string_view::npos) return std::nullopt;
  return Reference{open, close, text.substr(open + kOpen.size(), close - open - kOpen.size())};
}

Result<json::value> ResolveText(std::string_view text, const json::object& inputs) {
  std::string out;
  std::string_view rest = text;
  while (true) {
    const auto reference = NextReference(rest);
    if (!reference) {
      out += rest;
      return json::string(out);
    }
    SEEDCORE_ASSIGN_OR_RETURN(const json::value* value, Find(reference->name, inputs));
    const bool is_whole = rest.size() == text.size() && reference->open == 0 && reference->close + 1 == text.size();
    if (is_whole) return *value;
    out += rest.substr(0, reference->open);
    out += value->is_string() ? std::string(value->get_string()) : WriteJson(*value);
    if (out.size() > kMaxText) return Fail(ErrorCode::kPayloadTooLarge, "references make the text too large");
    rest.remove_prefix(reference->close + 1);
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

Result<void> CheckReferences(const json::value& params, std::span<const std::string> steps) {
  if (const json::string* text = params.if_string()) {
    std::string_view rest = *text;
    while (const auto reference = NextReference(rest)) {
      const bool known = std::ranges::any_of(steps, [&](const auto& id) { return IsAt(reference->name, id); });
      if (!known) return RefuseReference(reference->name, kNamesNoStep);
      rest.remove_prefix(reference->close + 1);
    }
  } else if (const json::object* object = params.if_object()) {
    for (const auto& member : *object) SEEDCORE_RETURN_IF_ERROR(CheckReferences(member.value(), steps));
  } else if (const json::array* array = params.if_array()) {
    for (const json::value& element : *array) SEEDCORE_RETURN_IF_ERROR(CheckReferences(element, steps));
  }
  return {};
}

}  // namespace seedcore::coordinator
