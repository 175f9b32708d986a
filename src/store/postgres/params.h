#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/env.h"

/// Values in PostgreSQL's binary format. The C++ type decides the SQL type: bool boolean, int integer, std::int64_t and
/// milliseconds bigint, double double precision, WallTime timestamptz, Uuid uuid, text for text, json and enums.
namespace seedcore::store::postgres {

/// 16 bytes, from the text form.
struct Uuid {
  std::string_view text;  ///< canonical; checked by the caller
};

/// Wire types of array elements.
enum class Oid : std::uint32_t {
  kBool = 16,
  kInt8 = 20,
  kInt4 = 23,
  kText = 25,
  kJson = 114,
  kFloat8 = 701,
  kTimestamptz = 1184,
  kUuid = 2950
};

void AppendBinary(std::string& out, bool value);
void AppendBinary(std::string& out, int value);
void AppendBinary(std::string& out, std::int64_t value);
void AppendBinary(std::string& out, double value);
void AppendBinary(std::string& out, WallTime value);
void AppendBinary(std::string& out, std::chrono::milliseconds value);
void AppendBinary(std::string& out, std::string_view value);
void AppendBinary(std::string& out, Uuid value);

/// An array parameter, filled element by element.
class Array {
 public:
  explicit Array(Oid element) : element_(element) {}

  template <class T>
  void Add(const T& value) {
    const std::size_t at = BeginElement();
    if constexpr (std::convertible_to<const T&, std::string_view>) {
      AppendBinary(elements_, std::string_view(value));
    } else {
      AppendBinary(elements_, value);
    }
    EndElement(at);
  }
  template <class T>
  void Add(const std::optional<T>& value) {
    if (value) {
      Add(*value);
    } else {
      Add(std::nullopt);
    }
  }
  void Add(std::nullopt_t);

  [[nodiscard]] std::string Encode() const;

 private:
  std::size_t BeginElement();
  void EndElement(std::size_t at);

  Oid element_;
  int count_ = 0;
  bool has_null_ = false;
  std::string elements_;
};

/// The parameters of one statement, in order.
class Params {
 public:
  Params() = default;
  template <class... Args>
  explicit Params(std::in_place_t, const Args&... args) {
    values_.reserve(sizeof...(args));
    (Add(args), ...);
  }

  void Add(std::nullopt_t) { values_.emplace_back(std::nullopt); }
  void Add(const Array& array) { values_.emplace_back(array.Encode()); }
  template <class T>
  void Add(const std::optional<T>& value) {
    if (value) {
      Add(*value);
    } else {
      Add(std::nullopt);
    }
  }
  template <class T>
  void Add(const T& value) {
    std::string bytes;
    if constexpr (std::convertible_to<const T&, std::string_view>) {
      AppendBinary(bytes, std::string_view(value));
    } else {
      AppendBinary(bytes, value);
    }
    values_.emplace_back(std::move(bytes));
  }

  [[nodiscard]] std::span<const std::optional<std::string>> values() const { return values_; }

 private:
  std::vector<std::optional<std::string>> values_;
};

template <class... Args>
[[nodiscard]] Params MakeParams(const Args&... args) {
  return Params(std::in_place, args...);
}

/// Reads what AppendBinary writes. Integers of 1 to 8 bytes.
[[nodiscard]] std::int64_t ReadInteger(std::string_view bytes);
[[nodiscard]] double ReadDouble(std::string_view bytes);
[[nodiscard]] WallTime ReadTime(std::string_view bytes);
[[nodiscard]] std::string ReadUuid(std::string_view bytes);
/// A one-dimensional array of text.
[[nodiscard]] std::vector<std::string> ReadTextArray(std::string_view bytes);
/// A one-dimensional array of real.
[[nodiscard]] std::vector<float> ReadFloatArray(std::string_view bytes);

}  // namespace seedcore::store::postgres
