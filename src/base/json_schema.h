#pragma once

#include <array>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/json_binding.h"

/// Structs with kFields (json_binding.h) described as JSON Schema.
namespace seedcore::binding {

/// Unqualified name of T, from the compiler's own spelling of it.
template <class T>
constexpr std::string_view TypeName() {
  constexpr std::string_view pretty = __PRETTY_FUNCTION__;
  constexpr std::string_view marker = "T = ";
  constexpr std::size_t begin = pretty.find(marker) + marker.size();
  constexpr std::size_t end = pretty.find_first_of(";]", begin);
  constexpr std::string_view full = pretty.substr(begin, end - begin);
  constexpr std::size_t colon = full.rfind("::");
  return colon == std::string_view::npos ? full : full.substr(colon + 2);
}

/// JSON Schema (2020-12, as OpenAPI 3.1 uses it) of T; named structs go to `definitions`.
template <class T>
json::object Schema(json::object& definitions);

/// A field as its schema needs it. What is the same for every struct is compiled once, in json_schema.cc.
struct DescribedField {
  std::string_view name;
  std::string_view doc;
  bool is_required = false;
  json::object (*schema)(json::object& definitions) = nullptr;
};

json::object TypeSchema(std::string_view type, std::string_view format = {});
json::object NullableSchema(json::object schema);
json::object ArraySchema(json::object items);
json::object MapSchema(json::object values);
json::object EnumSchema(const std::vector<std::string_view>& names);
/// Adds the struct `name` to `definitions` unless it is there. Returns the reference to it.
json::object StructSchema(std::string_view name, std::span<const DescribedField> fields, bool ignores_unknown,
                          json::object& definitions);

template <class T>
json::object StructSchemaOf(json::object& definitions) {
  const auto described = T::kFields.Apply([](const auto&... field) {
    return std::array<DescribedField, sizeof...(field)>{
        DescribedField{field.name, field.doc, field.kind == FieldKind::kRequired,
                       &Schema<std::remove_cvref_t<decltype(std::declval<T>().*(field.member))>>}...};
  });
  return StructSchema(TypeName<T>(), described, IgnoresUnknownFields<T>, definitions);
}

template <class T>
json::object Schema(json::object& definitions) {
  if constexpr (std::same_as<T, bool>) {
    return TypeSchema("boolean");
  } else if constexpr (std::integral<T>) {
    return TypeSchema("integer");
  } else if constexpr (std::same_as<T, double>) {
    return TypeSchema("number");
  } else if constexpr (std::same_as<T, std::string>) {
    return TypeSchema("string");
  } else if constexpr (std::same_as<T, WallTime>) {
    return TypeSchema("string", "date-time");
  } else if constexpr (std::same_as<T, json::value>) {
    return {};
  } else if constexpr (std::same_as<T, json::object>) {
    return TypeSchema("object");
  } else if constexpr (IsOptional<T>::value) {
    return NullableSchema(Schema<typename T::value_type>(definitions));
  } else if constexpr (IsVector<T>::value) {
    return ArraySchema(Schema<typename T::value_type>(definitions));
  } else if constexpr (IsStringMap<T>::value) {
    return MapSchema(Schema<typename T::mapped_type>(definitions));
  } else if constexpr (NamedEnum<T>) {
    std::vector<std::string_view> names;
    for (const auto& [enumerator, name] : EnumNames(T{})) names.push_back(name);
    return EnumSchema(names);
  } else {
    return StructSchemaOf<T>(definitions);
  }
}

}  // namespace seedcore::binding
