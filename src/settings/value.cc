#include "settings/value.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/strings.h"

namespace seedcore::settings {
namespace {

using std::chrono::milliseconds;

struct Unit {
  std::string_view name;
  double factor;
};
// Largest first, as FormatValue tries them; parsing ignores case.
constexpr std::array<Unit, 5> kDurationUnits{{{"d", 86'400e3}, {"h", 3'600e3}, {"m", 60e3}, {"s", 1e3}, {"ms", 1}}};
constexpr std::array<Unit, 7> kSizeUnits{{{"GiB", 1024.0 * 1024 * 1024},
                                          {"MiB", 1024.0 * 1024},
                                          {"KiB", 1024.0},
                                          {"GB", 1e9},
                                          {"MB", 1e6},
                                          {"KB", 1e3},
                                          {"B", 1}}};

std::optional<double> ParseNumber(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !std::isfinite(number)) return std::nullopt;
  return number;
}

/// The number before the unit times the unit's factor; `bare` when there is no unit.
std::optional<double> ParseWithUnit(std::string_view text, std::span<const Unit> units, double bare) {
  const std::size_t split = text.find_first_not_of("0123456789.+-");
  const std::optional<double> number = ParseNumber(Trim(text.substr(0, split)));
  if (!number) return std::nullopt;
  if (split == std::string_view::npos) return *number * bare;
  const std::string unit = ToLower(Trim(text.substr(split)));
  for (const Unit& known : units) {
    if (unit == ToLower(known.name)) return *number * known.factor;
  }
  return std::nullopt;
}

std::string Range(const Limits& limits, const auto& format) {
  const bool below = std::isfinite(limits.min);
  const bool above = std::isfinite(limits.max);
  if (below && above) return fmt::format("{} to {}", format(limits.min), format(limits.max));
  if (below) return fmt::format("at least {}", format(limits.min));
  if (above) return fmt::format("at most {}", format(limits.max));
  return {};
}

template <class T>
std::unexpected<Error> Expected(std::string_view what, const Limits& limits, const T& type) {
  const std::string range = Describe(limits, type).range;
  return Fail(ErrorCode::kInvalidArgument,
              range.empty() ? fmt::format("expected {}", what) : fmt::format("expected {}, {}", what, range));
}

bool Inside(const Limits& limits, double value) { return value >= limits.min && value <= limits.max; }

std::string FormatWithUnit(double value, std::span<const Unit> units) {
  for (const Unit& unit : units) {
    if (value >= unit.factor && std::fmod(value, unit.factor) == 0) {
      return fmt::format("{:.0f}{}", value / unit.factor, unit.name);
    }
  }
  return fmt::format("{:.0f}{}", value, units.back().name);
}

}  // namespace

Result<void> ParseValue(const RawValue& raw, const Limits& limits, bool& out) {
  const std::string text = ToLower(Trim(raw.text));
  const bool yes = text == "true" || text == "1" || text == "yes" || text == "on";
  const bool no = text == "false" || text == "0" || text == "no" || text == "off";
  if (!yes && !no) return Expected("true or false", limits, out);
  out = yes;
  return {};
}

Result<void> ParseValue(const RawValue& raw, const Limits& limits, int& out) {
  const std::string_view text = Trim(raw.text);
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || !Inside(limits, number)) {
    return Expected("a whole number", limits, out);
  }
  out = number;
  return {};
}

Result<void> ParseValue(const RawValue& raw, const Limits& limits, double& out) {
  const std::optional<double> number = ParseNumber(Trim(raw.text));
  if (!number || !Inside(limits, *number)) return Expected("a number", limits, out);
  out = *number;
  return {};
}

Result<void> ParseValue(const RawValue& raw, const Limits& limits, milliseconds& out) {
  const auto number = ParseWithUnit(Trim(raw.text), kDurationUnits, static_cast<double>(limits.bare_unit.count()));
  constexpr double kLongest = 1e15;  // far beyond any limit, and safe to convert
  if (!number || std::abs(*number) > kLongest || !Inside(limits, *number / 1e3)) {
    return Expected("a duration such as 500ms, 30s, 5m, 2h or 7d", limits, out);
  }
  out = milliseconds{std::llround(*number)};
  return {};
}

Result<void> ParseValue(const RawValue& raw, const Limits& limits, ByteSize& out) {
  const auto number = ParseWithUnit(Trim(raw.text), kSizeUnits, 1);
  constexpr double kLargest = 1e18;
  if (!number || *number < 0 || *number > kLargest || !Inside(limits, *number)) {
    return Expected("a size such as 65536, 64KiB or 8MB", limits, out);
  }
  out.bytes = static_cast<std::uint64_t>(std::llround(*number));
  return {};
}

Result<void> ParseValue(const RawValue& raw, const Limits& limits, std::string& out) {
  if (limits.choices.empty()) {
    out = raw.text;
    return {};
  }
  const std::string lower = ToLower(Trim(raw.text));
  if (std::ranges::find(limits.choices, lower) == limits.choices.end()) return Expected("a known name", limits, out);
  out = lower;
  return {};
}

Result<void> ParseValue(const RawValue& raw, const Limits&, std::vector<std::string>& out) {
  out = raw.items ? *raw.items : SplitList(raw.text);
  return {};
}

Result<void> ParseValue(const RawValue& raw, const Limits& limits, HostPort& out) {
  const std::string_view text = Trim(raw.text);
  const std::size_t colon = text.rfind(':');
  const auto fail = [&] { return Expected("HOST:PORT, for example 127.0.0.1:8000 or [::1]:8000", limits, out); };
  if (colon == std::string_view::npos || colon == 0) return fail();
  std::string_view host = text.substr(0, colon);
  const std::string_view digits = text.substr(colon + 1);
  if (host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  } else if (host.contains(':')) {
    return fail();  // a bare IPv6 address: which colon starts the port can't be told
  }
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (host.empty() || host.contains(' ') || error != std::errc{} || end != digits.data() + digits.size()) return fail();
  out = {std::string(host), port};
  return {};
}

Result<void> ParseValue(const RawValue& raw, const Limits&, std::filesystem::path& out) {
  out = std::string(Trim(raw.text));
  return {};
}

Result<void> ParseValue(const RawValue& raw, const Limits& limits, log::Level& out) {
  const Result<log::Level> level = log::ParseLevel(Trim(raw.text));
  if (!level) return Expected("a level", limits, out);
  out = *level;
  return {};
}

Result<void> ParseValue(const RawValue& raw, const Limits& limits, log::Format& out) {
  const Result<log::Format> format = log::ParseFormat(Trim(raw.text));
  if (!format) return Expected("a format", limits, out);
  out = *format;
  return {};
}

std::string FormatValue(bool value) { return value ? "true" : "false"; }
std::string FormatValue(int value) { return fmt::format("{}", value); }
std::string FormatValue(double value) { return fmt::format("{}", value); }
std::string FormatValue(milliseconds value) {
  return FormatWithUnit(static_cast<double>(value.count()), kDurationUnits);
}
std::string FormatValue(ByteSize value) { return FormatWithUnit(static_cast<double>(value.bytes), kSizeUnits); }
std::string FormatValue(const std::string& value) { return value; }
std::string FormatValue(const std::vector<std::string>& value) { return fmt::format("{}", fmt::join(value, ",")); }
std::string FormatValue(const HostPort& value) {
  return value.host.contains(':') ? fmt::format("[{}]:{}", value.host, value.port)
                                  : fmt::format("{}:{}", value.host, value.port);
}
std::string FormatValue(const std::filesystem::path& value) { return value.string(); }
std::string FormatValue(log::Level value) {
  switch (value) {
    case log::Level::kDebug: return "debug";
    case log::Level::kInfo: return "info";
    case log::Level::kWarning: return "warning";
    case log::Level::kError: return "error";
  }
  return "info";
}
std::string FormatValue(log::Format value) { return value == log::Format::kJson ? "json" : "text"; }

TypeInfo Describe(const Limits&, bool) { return {"bool", "true or false"}; }
TypeInfo Describe(const Limits& limits, int) {
  return {"int", Range(limits, [](double v) { return fmt::format("{:.0f}", v); })};
}
TypeInfo Describe(const Limits& limits, double) {
  return {"double", Range(limits, [](double v) { return fmt::format("{}", v); })};
}
TypeInfo Describe(const Limits& limits, milliseconds) {
  return {"duration", Range(limits, [](double s) { return FormatValue(milliseconds{std::llround(s * 1e3)}); })};
}
TypeInfo Describe(const Limits& limits, ByteSize) {
  return {"size", Range(limits, [](double b) { return FormatValue(ByteSize{static_cast<std::uint64_t>(b)}); })};
}
TypeInfo Describe(const Limits& limits, const std::string&) {
  if (limits.choices.empty()) return {"string", ""};
  return {"enum", fmt::format("one of {}", fmt::join(limits.choices, ", "))};
}
TypeInfo Describe(const Limits&, const std::vector<std::string>&) { return {"list", ""}; }
TypeInfo Describe(const Limits&, const HostPort&) { return {"host:port", "port 0 to 65535, 0 takes a free one"}; }
TypeInfo Describe(const Limits&, const std::filesystem::path&) { return {"path", ""}; }
TypeInfo Describe(const Limits&, log::Level) { return {"enum", "one of debug, info, warning, error"}; }
TypeInfo Describe(const Limits&, log::Format) { return {"enum", "one of text, json"}; }

bool IsLoopback(const HostPort& address) {
  const bool ipv4 =
      address.host.find_first_not_of("0123456789.") == std::string::npos;  // not a name like 127.example.com
  return address.host == "localhost" || address.host == "::1" || (ipv4 && address.host.starts_with("127."));
}

}  // namespace seedcore::settings
