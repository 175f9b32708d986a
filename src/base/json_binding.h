#pragma once

#include <algorithm>
#include <concepts>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/env.h"
#include "base/json.h"
#include "base/strings.h"

/// Structs to JSON and back, by field. A struct lists its fields once:
///
///     struct DriftRequest {
///       json::object task;
///       std::string text;
///       static constexpr auto kFields = Fields(Required("task", &DriftRequest::task, "The task to score"),
///                                              Optional("text", &DriftRequest::text, "Text to use instead"));
///     };
///
/// and can then be read (errors name the JSON path), written, and described as JSON Schema (json_schema.h). Supported
/// members: bool, integers (range-checked), double, std::string, WallTime (RFC 3339), json::value and json::object
/// (free-form), std::optional, std::vector, std::map<std::string, T>, enums with EnumNames(), and structs with kFields.
/// A struct may have `Result<void> Validate() const` for what types alone cannot say; its error path is relative to the
/// struct. Unknown members are errors, with the nearest known name: a misspelt option must not be silently ignored. The
/// exception is what a foreign server answers, which may grow members without asking us: such a struct says `static
/// constexpr bool kIgnoresUnknownFields = true;` beside its fields.
namespace seedcore {

enum class FieldKind {
  kRequired,  ///< must be present
  kOptional,  ///< keeps its default when absent or null; an empty std::optional is written as null
  kSparse,    ///< as kOptional, but an empty std::optional, vector or map is left out when written
};

template <class Struct, class Member>
struct Field {
  std::string_view name;
  Member Struct::* member;
  std::string_view doc;
  FieldKind kind = FieldKind::kRequired;
};

template <class Struct, class Member>
constexpr auto Required(std::string_view name, Member Struct::* member, std::string_view doc) {
  return Field<Struct, Member>{name, member, doc, FieldKind::kRequired};
}
template <class Struct, class Member>
constexpr auto Optional(std::string_view name, Member Struct::* member, std::string_view doc) {
  return Field<Struct, Member>{name, member, doc, FieldKind::kOptional};
}
template <class Struct, class Member>
constexpr auto Sparse(std::string_view name, Member Struct::* member, std::string_view doc) {
  return Field<Struct, Member>{name, member, doc, FieldKind::kSparse};
}
/// The fields of a struct: `T::kFields.Apply(visit)` calls visit(field...) and returns what it returns. A closure holds
/// them, since a std::tuple of so many types, in a header that everybody includes, takes the compiler seconds.
template <std::size_t count, class Closure>
class FieldList {
 public:
  static constexpr std::size_t kCount = count;

  explicit constexpr FieldList(Closure apply) : apply_(apply) {}
  template <class Visit>
  constexpr decltype(auto) Apply(Visit&& visit) const {
    return apply_(visit);
  }

 private:
  Closure apply_;
};

template <class... F>
constexpr auto Fields(F... fields) {
  const auto apply = [fields...](auto& visit) -> decltype(auto) { return visit(fields...); };
  return FieldList<sizeof...(F), std::remove_const_t<decltype(apply)>>(apply);
}

template <class T>
concept HasFields = requires { T::kFields; };

/// Structs that skip members they do not list.
template <class T>
concept IgnoresUnknownFields = HasFields<T> && requires { requires T::kIgnoresUnknownFields; };

/// An enum takes part by an overload of `EnumNames`, found by argument-dependent look-up, that returns a range of pairs
/// of enumerator and name.
template <class T>
concept NamedEnum = std::is_enum_v<T> && requires { EnumNames(T{}); };

template <NamedEnum E>
[[nodiscard]] constexpr std::string_view EnumToString(E value) {
  for (const auto& [enumerator, name] : EnumNames(E{})) {
    if (enumerator == value) return name;
  }
  return "?";
}

template <NamedEnum E>
[[nodiscard]] constexpr std::optional<E> EnumFromString(std::string_view text) {
  for (const auto& [enumerator, name] : EnumNames(E{})) {
    if (name == text) return enumerator;
  }
  return std::nullopt;
}

namespace binding {

template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};
template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsStringMap : std::false_type {};
template <class T>
struct IsStringMap<std::map<std::string, T>> : std::true_type {};

template <class T>
constexpr bool kUnsupported = false;

/// What is wrong, and where below the value being read. The path is put together on the way out, so that a good
/// document pays nothing for it.
struct ReadError {
  std::string message;
  std::string path;

  bool Set(std::string text) {
    message = std::move(text);
    return false;
  }
  bool Expected(std::string_view what, const json::value& got) {
    return Set("expected " + std::string(what) + ", got " + DescribeJson(got));
  }
  void PrependName(std::string_view name) {
    if (!path.empty() && path.front() != '[') path.insert(0, ".");
    path.insert(0, name);
  }
  void PrependIndex(std::size_t index) {
    if (!path.empty() && path.front() != '[') path.insert(0, ".");
    path.insert(0, "[" + std::to_string(index) + "]");
  }
};

// The non-template halves, compiled once in json_binding.cc.
bool ReadBool(const json::value& in, bool& out, ReadError& error);
bool ReadDouble(const json::value& in, double& out, ReadError& error);
bool ReadString(const json::value& in, std::string& out, ReadError& error);
bool ReadTime(const json::value& in, WallTime& out, ReadError& error);
bool ReadInteger(const json::value& in, std::int64_t min, std::uint64_t max, std::int64_t& out_signed,
                 std::uint64_t& out_unsigned, ReadError& error);
bool UnknownName(std::string_view name, const std::vector<std::string_view>& known, ReadError& error);
bool UnknownEnum(const json::value& in, const std::vector<std::string_view>& known, ReadError& error);

template <class T>
bool Read(const json::value& in, T& out, ReadError& error);

template <class T>
bool ReadFields(const json::object& in, T& out, ReadError& error) {
  std::size_t found = 0;
  const auto read_one = [&](const auto& field) {
    const json::value* value = in.if_contains(field.name);
    if (value != nullptr) ++found;
    const bool absent = value == nullptr || (value->is_null() && field.kind != FieldKind::kRequired);
    if (absent) {
      if (field.kind != FieldKind::kRequired) return true;
      error.Set("required, but missing");
    } else if (Read(*value, out.*(field.member), error)) {
      return true;
    }
    error.PrependName(field.name);
    return false;
  };
  if (!T::kFields.Apply([&](const auto&... field) { return (read_one(field) && ...); })) return false;
  if (IgnoresUnknownFields<T> || found == in.size()) return true;

  std::vector<std::string_view> known;
  T::kFields.Apply([&](const auto&... field) { (known.push_back(field.name), ...); });
  for (const auto& member : in) {
    if (std::ranges::find(known, std::string_view(member.key())) == known.end()) {
      return UnknownName(member.key(), known, error);
    }
  }
  return true;
}

template <class T>
bool ReadStruct(const json::value& in, T& out, ReadError& error) {
  if (!in.is_object()) return error.Expected("an object", in);
  if (!ReadFields(in.get_object(), out, error)) return false;
  if constexpr (requires { out.Validate(); }) {
    if (auto valid = out.Validate(); !valid) {
      error.path = valid.error().path;
      return error.Set(valid.error().message);
    }
  }
  return true;
}

template <class T>
bool Read(const json::value& in, T& out, ReadError& error) {
  if constexpr (std::same_as<T, bool>) {
    return ReadBool(in, out, error);
  } else if constexpr (std::integral<T>) {
    std::int64_t as_signed = 0;
    std::uint64_t as_unsigned = 0;
    constexpr std::int64_t kMin = std::is_signed_v<T> ? static_cast<std::int64_t>(std::numeric_limits<T>::min()) : 0;
    if (!ReadInteger(in, kMin, static_cast<std::uint64_t>(std::numeric_limits<T>::max()), as_signed, as_unsigned,
                     error)) {
      return false;
    }
    out = std::is_signed_v<T> ? static_cast<T>(as_signed) : static_cast<T>(as_unsigned);
    return true;
  } else if constexpr (std::same_as<T, double>) {
    return ReadDouble(in, out, error);
  } else if constexpr (std::same_as<T, std::string>) {
    return ReadString(in, out, error);
  } else if constexpr (std::same_as<T, WallTime>) {
    return ReadTime(in, out, error);
  } else if constexpr (std::same_as<T, json::value>) {
    out = in;
    return true;
  } else if constexpr (std::same_as<T, json::object>) {
    if (!in.is_object()) return error.Expected("an object", in);
    out = in.get_object();
    return true;
  } else if constexpr (IsOptional<T>::value) {
    if (in.is_null()) {
      out.reset();
      return true;
    }
    return Read(in, out.emplace(), error);
  } else if constexpr (IsVector<T>::value) {
    if (!in.is_array()) return error.Expected("an array", in);
    const json::array& array = in.get_array();
    out.clear();
    out.reserve(array.size());
    for (std::size_t i = 0; i < array.size(); ++i) {
      // A temporary rather than emplace_back(): std::vector<bool> has no references to its elements.
      typename T::value_type element{};
      if (!Read(array[i], element, error)) {
        error.PrependIndex(i);
        return false;
      }
      out.push_back(std::move(element));
    }
    return true;
  } else if constexpr (IsStringMap<T>::value) {
    if (!in.is_object()) return error.Expected("an object", in);
    out.clear();
    for (const auto& member : in.get_object()) {
      if (!Read(member.value(), out[std::string(member.key())], error)) {
        error.PrependName(member.key());
        return false;
      }
    }
    return true;
  } else if constexpr (NamedEnum<T>) {
    if (in.is_string()) {
      if (const auto value = EnumFromString<T>(std::string_view(in.get_string()))) {
        out = *value;
        return true;
      }
    }
    std::vector<std::string_view> known;
    for (const auto& [enumerator, name] : EnumNames(T{})) known.push_back(name);
    return UnknownEnum(in, known, error);
  } else if constexpr (HasFields<T>) {
    return ReadStruct(in, out, error);
  } else {
    static_assert(kUnsupported<T>, "type has no JSON binding");
  }
}

template <class T>
void Write(std::string& out, const T& value);

/// Whether a kSparse field is left out.
template <class T>
bool IsEmpty(const T& value) {
  if constexpr (IsOptional<T>::value) {
    return !value.has_value();
  } else if constexpr (IsVector<T>::value || IsStringMap<T>::value || std::same_as<T, std::string> ||
                       std::same_as<T, json::object>) {
    return value.empty();
  } else if constexpr (std::same_as<T, json::value>) {
    return value.is_null();
  } else {
    return false;
  }
}

/// `name`, a plain identifier of ours, and what stands before and after it.
void WriteName(std::string& out, std::string_view name, bool& first);

template <class T>
void WriteFields(std::string& out, const T& value, bool& first) {
  const auto write_one = [&](const auto& field) {
    const auto& member = value.*(field.member);
    if (field.kind == FieldKind::kSparse && IsEmpty(member)) return;
    WriteName(out, field.name, first);
    Write(out, member);
  };
  T::kFields.Apply([&](const auto&... field) { (write_one(field), ...); });
}

template <class T>
void Write(std::string& out, const T& value) {
  if constexpr (std::same_as<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::integral<T>) {
    out += std::to_string(value);
  } else if constexpr (std::same_as<T, double>) {
    AppendJsonNumber(out, value);
  } else if constexpr (std::same_as<T, std::string>) {
    AppendJsonString(out, value);
  } else if constexpr (std::same_as<T, WallTime>) {
    AppendJsonString(out, ToRfc3339(value));
  } else if constexpr (std::same_as<T, json::value>) {
    AppendJson(out, value);
  } else if constexpr (std::same_as<T, json::object>) {
    AppendJsonObject(out, value);
  } else if constexpr (IsOptional<T>::value) {
    if (value) {
      Write(out, *value);
    } else {
      out += "null";
    }
  } else if constexpr (IsVector<T>::value) {
    out += '[';
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) out += ',';
      Write<typename T::value_type>(out, value[i]);
    }
    out += ']';
  } else if constexpr (IsStringMap<T>::value) {
    out += '{';
    bool first = true;
    for (const auto& [key, element] : value) {
      if (!first) out += ',';
      first = false;
      AppendJsonString(out, key);
      out += ':';
      Write(out, element);
    }
    out += '}';
  } else if constexpr (NamedEnum<T>) {
    AppendJsonString(out, EnumToString(value));
  } else if constexpr (HasFields<T>) {
    out += '{';
    bool first = true;
    WriteFields(out, value, first);
    out += '}';
  } else {
    static_assert(kUnsupported<T>, "type has no JSON binding");
  }
}

}  // namespace binding

/// Reads T from a JSON value; kInvalidArgument with the path of the first thing that is wrong.
template <class T>
[[nodiscard]] Result<T> FromJson(const json::value& value) {
  T out{};
  binding::ReadError error;
  if (binding::Read(value, out, error)) return out;
  return Fail(ErrorCode::kInvalidArgument, std::move(error.message), std::move(error.path));
}

/// ParseJson, then FromJson.
template <class T>
[[nodiscard]] Result<T> FromJsonText(std::string_view text) {
  SEEDCORE_ASSIGN_OR_RETURN(const json::value value, ParseJson(text));
  return FromJson<T>(value);
}

/// The JSON text of `value`.
template <class T>
[[nodiscard]] std::string ToJsonText(const T& value) {
  std::string out;
  binding::Write(out, value);
  return out;
}

/// The JSON value of `value`, for the places that need a document to go on working with.
template <class T>
[[nodiscard]] json::value ToJson(const T& value) {
  auto parsed = ParseJson(ToJsonText(value));
  return parsed ? std::move(*parsed) : json::value();
}

}  // namespace seedcore
