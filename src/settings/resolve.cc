#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <unistd.h>

#include <fmt/format.h>

#include "base/strings.h"
#include "settings/catalog.h"
#include "settings/file.h"
#include "settings/redact.h"
#include "settings/settings.h"

namespace seedcore::settings {
namespace {

std::string DidYouMean(std::string_view name, const std::vector<std::string_view>& known, std::string_view before,
                       std::string_view after) {
  const auto nearest = NearestName(name, known);
  return nearest ? fmt::format("; did you mean {}{}{}?", before, *nearest, after) : std::string{};
}

/// How a value may be shown in an error message.
std::string Shown(const Setting& setting, const std::string& value) {
  constexpr std::size_t kLongest = 80;
  if (setting.secret) return std::string(kRedacted);
  std::string shown = RedactPasswords(value);
  if (shown.size() > kLongest) shown = shown.substr(0, kLongest) + "...";
  std::ranges::replace_if(shown, [](char c) { return static_cast<unsigned char>(c) < ' '; }, ' ');
  return fmt::format("\"{}\"", shown);
}

Result<void> Apply(const Setting& setting, const RawValue& raw, SourceKind kind, std::string source,
                   Settings& settings) {
  if (const Result<void> read = setting.read(raw, settings); !read) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{}: {}, got {}", source, read.error().message, Shown(setting, raw.text)), setting.name);
  }
  settings.sources[setting.name] = {kind, std::move(source)};
  return {};
}

Result<void> ApplyFile(const Sources::File& file, Settings& settings) {
  Result<std::vector<FileEntry>> entries = ParseSettingsFile(file.text);
  if (!entries)
    return Fail(entries.error().code, fmt::format("file {} {}", file.name, entries.error().message), file.name);
  for (const FileEntry& entry : *entries) {
    const auto setting = std::ranges::find(Catalog(), entry.key, &Setting::name);
    std::string source = fmt::format("file {} line {}", file.name, entry.line);
    if (setting == Catalog().end()) {
      std::vector<std::string_view> known;
      for (const Setting& row : Catalog()) known.push_back(row.name);
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("{}: unknown setting `{}`{}", source, entry.key, DidYouMean(entry.key, known, "`", "`")),
                  entry.key);
    }
    SEEDCORE_RETURN_IF_ERROR(Apply(*setting, entry.value, SourceKind::kFile, std::move(source), settings));
  }
  return {};
}

Result<void> ApplyEnvironment(const std::map<std::string, std::string>& environment, Settings& settings) {
  for (const Setting& setting : Catalog()) {
    const std::string* used = nullptr;
    const std::string* used_value = nullptr;
    for (const std::string& variable : setting.environment) {
      const auto found = environment.find(variable);
      if (found == environment.end() || Trim(found->second).empty()) continue;
      if (used == nullptr) {
        used = &variable;
        used_value = &found->second;
      } else if (found->second != *used_value) {
        settings.warnings.push_back(
            fmt::format("{} and {} are both set and differ; {} counts for {}", *used, variable, *used, setting.name));
      }
    }
    if (used == nullptr) continue;
    SEEDCORE_RETURN_IF_ERROR(
        Apply(setting, {*used_value, std::nullopt}, SourceKind::kEnvironment, "environment " + *used, settings));
  }
  return {};
}

/// Kubernetes gives every pod variables about every service of its namespace; those of a service called seedcore-api
/// look like ours.
bool IsServiceLink(std::string_view name, std::string_view value) {
  return name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT") || name.contains("_TCP") ||
         name.contains("_UDP") || (name.ends_with("_PORT") && value.contains("://"));
}

void WarnOfUnknownVariables(const std::map<std::string, std::string>& environment, Settings& settings) {
  std::vector<std::string_view> known(ForeignVariables().begin(), ForeignVariables().end());
  for (const Setting& setting : Catalog())
    known.insert(known.end(), setting.environment.begin(), setting.environment.end());
  for (const auto& [name, value] : environment) {
    if (!name.starts_with("SEEDCORE_") || IsServiceLink(name, value) || std::ranges::find(known, name) != known.end())
      continue;
    settings.warnings.push_back(
        fmt::format("environment {} is not a setting{}", name, DidYouMean(name, known, "", "")));
  }
}

Result<void> ApplyFlags(const std::map<std::string, std::string>& flags, Settings& settings) {
  for (const auto& [flag, value] : flags) {
    const auto setting = std::ranges::find_if(Catalog(), [&](const Setting& row) { return row.flag == flag; });
    if (setting == Catalog().end() || flag.empty()) {
      std::vector<std::string_view> known;
      for (const Setting& row : Catalog()) {
        if (!row.flag.empty()) known.push_back(row.flag);
      }
      return Fail(ErrorCode::kInvalidArgument,
                  fmt::format("unknown flag --{}{}", flag, DidYouMean(flag, known, "--", "")), flag);
    }
    SEEDCORE_RETURN_IF_ERROR(Apply(*setting, {value, std::nullopt}, SourceKind::kFlag, "flag --" + flag, settings));
  }
  return {};
}

void WarnOfLaterSettings(Settings& settings) {
  for (const Setting& setting : Catalog()) {
    const Source& source = settings.sources[setting.name];
    // One environment usually serves a whole deployment, so what it holds in advance is no slip; a flag or a file is
    // meant.
    if (setting.later && (source.kind == SourceKind::kFlag || source.kind == SourceKind::kFile)) {
      settings.warnings.push_back(fmt::format("{}: {} has no effect in this version", source.text, setting.name));
    }
  }
}

std::optional<std::string> Home(const std::map<std::string, std::string>& environment) {
  const auto home = environment.find("HOME");
  if (home == environment.end() || home->second.empty()) return std::nullopt;
  return home->second;
}

Result<void> ExpandHome(const std::map<std::string, std::string>& environment, std::string_view name,
                        std::filesystem::path& path) {
  const std::string text = path.string();
  if (text != "~" && !text.starts_with("~/")) return {};
  const auto home = Home(environment);
  if (!home) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("{}: {} needs HOME, which is not set", name, text),
                std::string(name));
  }
  path = *home + text.substr(1);
  return {};
}

/// What no setting can say alone.
Result<void> CheckTogether(const Settings& settings) {
  const auto contradiction = [&](std::string_view a, std::string_view b, std::string_view message) {
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("{} ({}) and {} ({}): {}", a, settings.sources.find(a)->second.text, b,
                            settings.sources.find(b)->second.text, message),
                std::string(a));
  };
  const QueueSettings& queue = settings.queue;
  if (queue.retry_base > queue.retry_max) {
    return contradiction("queue.retry_base", "queue.retry_max", "the first wait is longer than the longest");
  }
  if (settings.cognitive.fast_timeout > settings.cognitive.deep_timeout) {
    return contradiction("cognitive.fast_timeout", "cognitive.deep_timeout", "fast may not take longer than deep");
  }
  const ServerSettings& server = settings.server;
  if (server.listen == server.api_listen && server.listen.port != 0) {
    return contradiction("server.listen", "server.api_listen", "two servers can't listen on one address");
  }
  if (server.api_tokens.empty() && !server.insecure_no_auth) {
    for (const auto& [name, address] :
         {std::pair{"server.listen", server.listen}, {"server.api_listen", server.api_listen}}) {
      if (IsLoopback(address)) continue;
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("{}: {} can be reached from other machines: set SEEDCORE_API_TOKENS, or --insecure-no-auth",
                      settings.sources.find(name)->second.text, FormatValue(address)),
          name);
    }
  }
  return {};
}

}  // namespace

Result<Settings> Resolve(const Sources& sources) {
  Settings settings;
  for (const Setting& setting : Catalog()) settings.sources[setting.name] = {};
  const auto data_home = sources.environment.find("XDG_DATA_HOME");
  if (data_home != sources.environment.end() && data_home->second.starts_with('/')) {
    settings.store.data_dir = data_home->second + "/seedcore";
  }
  if (sources.file) SEEDCORE_RETURN_IF_ERROR(ApplyFile(*sources.file, settings));
  SEEDCORE_RETURN_IF_ERROR(ApplyEnvironment(sources.environment, settings));
  SEEDCORE_RETURN_IF_ERROR(ApplyFlags(sources.flags, settings));
  SEEDCORE_RETURN_IF_ERROR(ExpandHome(sources.environment, "store.data_dir", settings.store.data_dir));
  SEEDCORE_RETURN_IF_ERROR(
      ExpandHome(sources.environment, "coordinator.predicates_path", settings.coordinator.predicates_path));
  SEEDCORE_RETURN_IF_ERROR(ExpandHome(sources.environment, "organism.config_path", settings.organism.config_path));
  SEEDCORE_RETURN_IF_ERROR(ExpandHome(sources.environment, "ml.model_dir", settings.ml.model_dir));
  WarnOfUnknownVariables(sources.environment, settings);
  WarnOfLaterSettings(settings);
  SEEDCORE_RETURN_IF_ERROR(CheckTogether(settings));
  return settings;
}

Result<Settings> Load(const std::map<std::string, std::string>& flags, const std::string& config_file) {
  Sources sources;
  sources.flags = flags;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) sources.environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  const auto named = sources.environment.find(kConfigVariable);
  const bool by_variable = config_file.empty() && named != sources.environment.end();
  const std::string path = by_variable ? named->second : config_file;
  if (!path.empty()) {
    std::ifstream file(path, std::ios::binary);
    std::string text{std::istreambuf_iterator<char>(file), {}};
    if (!file || file.bad()) {
      const std::string source = by_variable ? fmt::format("environment {}", kConfigVariable) : "flag --config";
      return Fail(ErrorCode::kNotFound, fmt::format("{}: can't read {}", source, path), path);
    }
    sources.file = Sources::File{path, std::move(text)};
  }
  return Resolve(sources);
}

}  // namespace seedcore::settings
