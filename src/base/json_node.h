#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace seedcore {

/// Texts up to this size are read the fast way; what it takes, some ten times the text, is kept per thread.
inline constexpr std::size_t kMaxFastJson = 64 * 1024;

/// A place in a JSON text that simdjson has read and checked: a view, for a struct to be read from without a tree in
/// between (json_fast.h). It only knows good documents; who wants to hear what is wrong with one asks ParseJson.
/// Methods that return bool say whether the value is of that kind, and fits.
class JsonNode {
 public:
  /// What `text` holds, valid until this thread reads the next one. Less strict than ParseJson in nothing; stricter:
  /// false for what does not begin with '{', is longer than kMaxFastJson, or is nested about as deep as is allowed.
  [[nodiscard]] static bool ReadDocument(std::string_view text, JsonNode& out);

  [[nodiscard]] bool IsNull() const;
  [[nodiscard]] bool Read(bool& out) const;
  /// Of any number.
  [[nodiscard]] bool Read(double& out) const;
  /// Of a number without fraction and exponent.
  [[nodiscard]] bool Read(std::int64_t& out) const;
  [[nodiscard]] bool Read(std::uint64_t& out) const;
  [[nodiscard]] bool Read(std::string_view& out) const;
  [[nodiscard]] bool Read(std::vector<double>& out) const;
  /// False also for objects that name a member twice: which one counts is for ParseJson to say.
  [[nodiscard]] bool Read(json::value& out) const;

  /// Calls `visit(JsonNode element)` for each element, until it returns false; false then, and for all but arrays.
  template <class Visit>
  [[nodiscard]] bool ForEachElement(Visit visit) const {
    return Elements([](void* v, const JsonNode& node) { return (*static_cast<Visit*>(v))(node); }, &visit);
  }
  /// The same for objects, with `visit(std::string_view key, JsonNode value)`.
  template <class Visit>
  [[nodiscard]] bool ForEachMember(Visit visit) const {
    return Members(
        [](void* v, std::string_view key, const JsonNode& node) { return (*static_cast<Visit*>(v))(key, node); },
        &visit);
  }

 private:
  struct Access;  // to simdjson's own view, which the bytes below are
  bool Elements(bool (*visit)(void*, const JsonNode&), void* context) const;
  bool Members(bool (*visit)(void*, std::string_view, const JsonNode&), void* context) const;

  alignas(void*) std::array<std::byte, 2 * sizeof(void*)> view_{};
};

}  // namespace seedcore
