#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/json_binding.h"
#include "base/json_node.h"

/// Structs from JSON text without a tree in between: what requests are read with. Documents that are right are read in
/// a third of the time; whatever is unusual about one (an error, a member named twice, an integer written as 3.0) is
/// left to FromJsonText, so that there is one place that judges and words errors.
namespace seedcore {

namespace binding {

/// False: read it the careful way. `out` is then of no use.
template <class T>
bool ReadFast(const JsonNode& in, T& out);

template <class T>
bool ReadFieldsFast(const JsonNode& in, T& out) {
  constexpr std::size_t kCount = std::remove_cvref_t<decltype(T::kFields)>::kCount;
  static_assert(kCount <= 64, "one bit for each field");
  std::uint64_t seen = 0;
  const auto read_member = [&](std::string_view name, const JsonNode& value) {
    bool read = false;
    std::size_t index = 0;
    const auto is_it = [&](const auto& field) {
      const std::uint64_t bit = std::uint64_t{1} << index++;
      if (field.name != name) return false;
      if ((seen & bit) != 0) return true;
      seen |= bit;
      read = (field.kind != FieldKind::kRequired && value.IsNull()) || ReadFast(value, out.*(field.member));
      return true;
    };
    return T::kFields.Apply([&](const auto&... field) { return (is_it(field) || ...); }) && read;
  };
  if (!in.ForEachMember(read_member)) return false;
  std::size_t index = 0;
  const auto is_there = [&](const auto& field) {
    return ((seen >> index++) & 1) != 0 || field.kind != FieldKind::kRequired;
  };
  return T::kFields.Apply([&](const auto&... field) { return (is_there(field) && ...); });
}

template <std::integral T>
bool ReadIntegerFast(const JsonNode& in, T& out) {
  std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t> number = 0;
  if (!in.Read(number) || !std::in_range<T>(number)) return false;
  out = static_cast<T>(number);
  return true;
}

template <class T>
bool ReadFast(const JsonNode& in, T& out) {
  if constexpr (std::same_as<T, bool> || std::same_as<T, double> || std::same_as<T, std::vector<double>> ||
                std::same_as<T, json::value>) {
    return in.Read(out);
  } else if constexpr (std::integral<T>) {
    return ReadIntegerFast(in, out);
  } else if constexpr (std::same_as<T, std::string>) {
    std::string_view text;
    if (!in.Read(text)) return false;
    out = text;
    return true;
  } else if constexpr (std::same_as<T, json::object>) {
    json::value value;
    if (!in.Read(value) || !value.is_object()) return false;
    out = std::move(value.get_object());
    return true;
  } else if constexpr (IsOptional<T>::value) {
    out.reset();
    return in.IsNull() || ReadFast(in, out.emplace());
  } else if constexpr (IsVector<T>::value) {
    out.clear();
    return in.ForEachElement([&](const JsonNode& node) {
      typename T::value_type element{};
      if (!ReadFast(node, element)) return false;
      out.push_back(std::move(element));
      return true;
    });
  } else if constexpr (IsStringMap<T>::value) {
    out.clear();
    return in.ForEachMember([&](std::string_view key, const JsonNode& value) {
      // At the end, where it belongs when the writer sorts as we do.
      const std::size_t before = out.size();
      const auto place = out.try_emplace(out.end(), std::string(key));
      return out.size() > before && ReadFast(value, place->second);
    });
  } else if constexpr (HasFields<T>) {
    if (!ReadFieldsFast(in, out)) return false;
    if constexpr (requires { out.Validate(); }) return out.Validate().has_value();
    return true;
  } else {
    // Times, enumerations: through the value that FromJson reads.
    json::value value;
    ReadError error;
    return in.Read(value) && Read(value, out, error);
  }
}

}  // namespace binding

/// FromJsonText, with the same answer for every text.
template <HasFields T>
[[nodiscard]] Result<T> FromJsonTextFast(std::string_view text) {
  JsonNode document;
  if (JsonNode::ReadDocument(text, document)) {
    T out{};
    if (binding::ReadFast(document, out)) return out;
  }
  return FromJsonText<T>(text);
}

}  // namespace seedcore
