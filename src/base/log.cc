#include "base/log.h"

#include <memory>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/json.h"
#include "base/strings.h"

namespace seedcore::log {
namespace {

struct State {
  std::shared_ptr<spdlog::logger> logger;
  Format format = Format::kText;
};

State MakeState(Level level, Format format);

State& GlobalState() {
  static State state = MakeState(Level::kInfo, Format::kText);
  return state;
}

spdlog::level::level_enum ToSpdlog(Level level) {
  switch (level) {
    case Level::kDebug: return spdlog::level::debug;
    case Level::kInfo: return spdlog::level::info;
    case Level::kWarning: return spdlog::level::warn;
    case Level::kError: return spdlog::level::err;
  }
  return spdlog::level::info;
}

State MakeState(Level level, Format format) {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("seedcore", std::move(sink));
  logger->set_level(ToSpdlog(level));
  logger->flush_on(spdlog::level::info);
  // The JSON line is closed here because the pattern is where spdlog puts time and level.
  logger->set_pattern(format == Format::kJson ? R"({"ts":"%Y-%m-%dT%H:%M:%S.%fZ","level":"%l",%v})"
                                              : "%Y-%m-%dT%H:%M:%S.%eZ %^%-7l%$ %v",
                      spdlog::pattern_time_type::utc);
  return {std::move(logger), format};
}

bool NeedsQuotes(std::string_view text) {
  return text.empty() || text.find_first_of(" \"=\n\t\r\\") != std::string_view::npos;
}

void AppendValue(std::string& line, const Field& field, Format format) {
  struct Writer {
    std::string& line;
    Format format;
    void operator()(std::string_view v) const {
      if (format == Format::kJson || NeedsQuotes(v)) {
        AppendJsonString(line, v);
      } else {
        line += v;
      }
    }
    void operator()(std::int64_t v) const { line += std::to_string(v); }
    void operator()(double v) const { AppendJsonNumber(line, v); }
    void operator()(bool v) const { line += v ? "true" : "false"; }
  };
  std::visit(Writer{line, format}, field.value);
}

std::string Render(std::string_view message, Fields fields, Format format) {
  std::string line;
  if (format == Format::kJson) {
    line += "\"msg\":";
    AppendJsonString(line, message);
  } else {
    line += message;
  }
  for (const Field& field : fields) {
    if (format == Format::kJson) {
      line += ',';
      AppendJsonString(line, field.key);
      line += ':';
    } else {
      line += ' ';
      line += field.key;
      line += '=';
    }
    AppendValue(line, field, format);
  }
  return line;
}

void Write(Level level, std::string_view message, Fields fields) {
  const State& state = GlobalState();
  const auto spdlog_level = ToSpdlog(level);
  if (!state.logger->should_log(spdlog_level)) return;
  state.logger->log(spdlog_level, spdlog::string_view_t(Render(message, fields, state.format)));
}

}  // namespace

void Configure(Level level, Format format) { GlobalState() = MakeState(level, format); }

Result<Level> ParseLevel(std::string_view name) {
  const std::string lower = ToLower(name);
  if (lower == "debug" || lower == "trace") return Level::kDebug;
  if (lower == "info") return Level::kInfo;
  if (lower == "warning" || lower == "warn") return Level::kWarning;
  if (lower == "error" || lower == "critical") return Level::kError;
  return Fail(ErrorCode::kInvalidArgument, "expected debug, info, warning or error, got '" + std::string(name) + "'");
}

Result<Format> ParseFormat(std::string_view name) {
  const std::string lower = ToLower(name);
  if (lower == "text") return Format::kText;
  if (lower == "json") return Format::kJson;
  return Fail(ErrorCode::kInvalidArgument, "expected text or json, got '" + std::string(name) + "'");
}

bool Enabled(Level level) { return GlobalState().logger->should_log(ToSpdlog(level)); }

void Debug(std::string_view message, Fields fields) { Write(Level::kDebug, message, fields); }
void Info(std::string_view message, Fields fields) { Write(Level::kInfo, message, fields); }
void Warning(std::string_view message, Fields fields) { Write(Level::kWarning, message, fields); }
void Error(std::string_view message, Fields fields) { Write(Level::kError, message, fields); }
void Flush() { GlobalState().logger->flush(); }

}  // namespace seedcore::log
