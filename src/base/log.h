#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "base/result.h"

/// Structured logs on standard error: one line per event, a fixed message plus fields, as text or JSON. Thread-safe.
namespace seedcore::log {

enum class Level { kDebug, kInfo, kWarning, kError };
enum class Format { kText, kJson };

/// One key and its value. Holds views: only for use inside a log call.
struct Field {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  Field(std::string_view k, std::string_view v) : key(k), value(v) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  template <std::integral T>
    requires(!std::same_as<T, bool>)
  Field(std::string_view k, T v) : key(k), value(static_cast<std::int64_t>(v)) {}
};
using Fields = std::initializer_list<Field>;

/// Sets level and format for the process. Called once at start; before it, text at level info.
void Configure(Level level, Format format);
/// "debug", "info", "warning" ("warn") or "error" ("critical"), any case, as LOG_LEVEL carries it.
[[nodiscard]] Result<Level> ParseLevel(std::string_view name);
[[nodiscard]] Result<Format> ParseFormat(std::string_view name);
[[nodiscard]] bool Enabled(Level level);

void Debug(std::string_view message, Fields fields = {});
void Info(std::string_view message, Fields fields = {});
void Warning(std::string_view message, Fields fields = {});
void Error(std::string_view message, Fields fields = {});
/// Writes out what is buffered; called at shutdown.
void Flush();

}  // namespace seedcore::log
