#pragma once

#include <chrono>
#include <compare>
#include <cstdint>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"

/// The types a setting may have, and their texts. Each type is one overload of ParseValue, FormatValue and TypeName.
namespace seedcore::settings {

struct HostPort {
  std::string host;  ///< name or address, an IPv6 one without brackets
  std::uint16_t port = 0;
  friend bool operator==(const HostPort&, const HostPort&) = default;
};

struct ByteSize {
  std::uint64_t bytes = 0;
  friend auto operator<=>(const ByteSize&, const ByteSize&) = default;
};

/// A value as a source gives it: one text, or the items of a YAML sequence.
struct RawValue {
  std::string text;
  std::optional<std::vector<std::string>> items;
};

/// What a value may be. Durations are in seconds here, sizes in bytes.
struct Limits {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  std::vector<std::string_view> choices;       ///< of a text; empty: any
  std::chrono::milliseconds bare_unit{1'000};  ///< what a number without a unit means in a duration
};

/// Fails with a message that says what was expected, range included, without repeating the value.
[[nodiscard]] Result<void> ParseValue(const RawValue& raw, const Limits& limits, bool& out);
[[nodiscard]] Result<void> ParseValue(const RawValue& raw, const Limits& limits, int& out);
[[nodiscard]] Result<void> ParseValue(const RawValue& raw, const Limits& limits, double& out);
/// "250ms", "1.5s", "5m", "2h", "7d", or a number of `bare_unit`.
[[nodiscard]] Result<void> ParseValue(const RawValue& raw, const Limits& limits, std::chrono::milliseconds& out);
/// "64KiB", "8MB", "1GiB", or a number of bytes.
[[nodiscard]] Result<void> ParseValue(const RawValue& raw, const Limits& limits, ByteSize& out);
[[nodiscard]] Result<void> ParseValue(const RawValue& raw, const Limits& limits, std::string& out);
/// Items of a sequence, or a text split at commas.
[[nodiscard]] Result<void> ParseValue(const RawValue& raw, const Limits& limits, std::vector<std::string>& out);
/// "127.0.0.1:8000", "[::1]:8000", "localhost:0".
[[nodiscard]] Result<void> ParseValue(const RawValue& raw, const Limits& limits, HostPort& out);
[[nodiscard]] Result<void> ParseValue(const RawValue& raw, const Limits& limits, std::filesystem::path& out);
[[nodiscard]] Result<void> ParseValue(const RawValue& raw, const Limits& limits, log::Level& out);
[[nodiscard]] Result<void> ParseValue(const RawValue& raw, const Limits& limits, log::Format& out);

/// A text that ParseValue reads back as the same value.
[[nodiscard]] std::string FormatValue(bool value);
[[nodiscard]] std::string FormatValue(int value);
[[nodiscard]] std::string FormatValue(double value);
[[nodiscard]] std::string FormatValue(std::chrono::milliseconds value);
[[nodiscard]] std::string FormatValue(ByteSize value);
[[nodiscard]] std::string FormatValue(const std::string& value);
[[nodiscard]] std::string FormatValue(const std::vector<std::string>& value);
[[nodiscard]] std::string FormatValue(const HostPort& value);
[[nodiscard]] std::string FormatValue(const std::filesystem::path& value);
[[nodiscard]] std::string FormatValue(log::Level value);
[[nodiscard]] std::string FormatValue(log::Format value);

/// "bool", "int", "duration", ... and the range for people, empty when everything is allowed.
struct TypeInfo {
  std::string_view type;
  std::string range;
};
[[nodiscard]] TypeInfo Describe(const Limits& limits, bool);
[[nodiscard]] TypeInfo Describe(const Limits& limits, int);
[[nodiscard]] TypeInfo Describe(const Limits& limits, double);
[[nodiscard]] TypeInfo Describe(const Limits& limits, std::chrono::milliseconds);
[[nodiscard]] TypeInfo Describe(const Limits& limits, ByteSize);
[[nodiscard]] TypeInfo Describe(const Limits& limits, const std::string&);
[[nodiscard]] TypeInfo Describe(const Limits& limits, const std::vector<std::string>&);
[[nodiscard]] TypeInfo Describe(const Limits& limits, const HostPort&);
[[nodiscard]] TypeInfo Describe(const Limits& limits, const std::filesystem::path&);
[[nodiscard]] TypeInfo Describe(const Limits& limits, log::Level);
[[nodiscard]] TypeInfo Describe(const Limits& limits, log::Format);

/// Whether only this machine can reach the address: 127.0.0.0/8, ::1, localhost.
[[nodiscard]] bool IsLoopback(const HostPort& address);

}  // namespace seedcore::settings
