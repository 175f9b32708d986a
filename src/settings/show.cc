#include "settings/show.h"

#include <algorithm>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "settings/catalog.h"
#include "settings/redact.h"

namespace seedcore::settings {
namespace {

std::string Redacted(const Setting& setting, std::string value) {
  if (value.empty()) return value;
  return setting.secret ? std::string(kRedacted) : RedactPasswords(value);
}

std::string Section(const Setting& setting) { return setting.name.substr(0, setting.name.find('.')); }

}  // namespace

std::vector<ShownSetting> ConfigShow(const Settings& settings) {
  std::vector<ShownSetting> rows;
  for (const Setting& setting : Catalog()) {
    rows.push_back({.name = setting.name,
                    .value = Redacted(setting, setting.write(settings)),
                    .source = settings.sources.find(setting.name)->second.text,
                    .note = setting.later ? "not used in this version" : ""});
  }
  return rows;
}

std::string ConfigShowText(const Settings& settings) {
  const std::vector<ShownSetting> rows = ConfigShow(settings);
  std::size_t name_width = 0;
  std::size_t value_width = 0;
  constexpr std::size_t kWidestValue = 40;
  for (const ShownSetting& row : rows) {
    name_width = std::max(name_width, row.name.size());
    value_width = std::max(value_width, std::min(row.value.size(), kWidestValue));
  }
  std::string text;
  for (const ShownSetting& row : rows) {
    text += fmt::format("{:{}}  {:{}}  {}{}\n", row.name, name_width, row.value.empty() ? "-" : row.value, value_width,
                        row.source, row.note.empty() ? "" : fmt::format(" ({})", row.note));
  }
  return text;
}

json::value ConfigShowJson(const Settings& settings) {
  return json::object{{"settings", ToJson(ConfigShow(settings))}, {"warnings", ToJson(settings.warnings)}};
}

std::string SettingsMarkdown() {
  std::string text =
      "# Settings\n\n"
      "This page is made from the catalog in `src/settings/catalog.cc`.\n\n"
      "A flag wins over an environment variable, that wins over the file given by `--config FILE` or `SEEDCORE_CONFIG` "
      "(YAML), and that over the default.\n`seedcore config show` prints every value and where it came from. An "
      "environment variable that is set "
      "but "
      "empty counts as not set.\nWhere several variables are named, the first that is set counts. A duration is a "
      "number with "
      "`ms`, `s`, `m`, `h` or `d`; without a\nunit it is in seconds, unless the row says otherwise. A size takes "
      "`KiB`, `MiB`, "
      "`GiB`, `KB`, `MB` or `GB`. Lists are separated by commas,\nor are YAML sequences. *Later*: read and shown, but "
      "without effect in this version.\n\n"
      "```yaml\n# seedcore.yaml\nserver:\n  listen: 127.0.0.1:8000\nqueue:\n  lease: 30s\n  concurrency: 16\n```\n";
  const Settings defaults;
  std::string section;
  for (const Setting& setting : Catalog()) {
    if (Section(setting) != section) {
      section = Section(setting);
      text += fmt::format(
          "\n## {}\n\n| Setting | Type | Default | Environment | Flag | Meaning |\n|---|---|---|---|---|---|\n",
          section);
    }
    const std::string value = setting.write(defaults);
    text +=
        fmt::format("| `{}` | {}{} | {} | {} | {} | {}{}{} |\n", setting.name, setting.type,
                    setting.secret ? ", secret" : "", value.empty() ? "none" : fmt::format("`{}`", value),
                    fmt::format("`{}`", fmt::join(setting.environment, "`, `")),
                    setting.flag.empty() ? "none" : fmt::format("`--{}`", setting.flag), setting.meaning,
                    setting.range.empty() ? "" : fmt::format("; {}", setting.range), setting.later ? ". *Later*" : "");
  }
  text +=
      "\n## Variables that are no settings\n\n"
      "| Variable | Read by | Meaning |\n|---|---|---|\n"
      "| `SEEDCORE_CONFIG` | all | the settings file, where no flag names one |\n"
      "| `SEEDCORE_NS`, `RAY_*`, `SERVE_GATEWAY`, `KUBERAY_*`, `FQ_RAY_IP`, `KUBERNETES_SERVICE_HOST` | everything "
      "that looks for Ray | [ray-connection.md](ray-connection.md); tokens and TLS: [ray-client.md](ray-client.md) |\n"
      "| `RAY_TMPDIR`, `TMPDIR` | the same | where Ray keeps its files, and with them the name of this host's cluster; "
      "`/tmp` |\n"
      "| `SEEDCORE_RAY_CONNECT_TIMEOUT_S` | `ensure_ray_initialized`, bootstrap | how long a cluster is waited for |\n"
      "| `BOOTSTRAP_MODE` and more | bootstrap | [ray-bootstrap.md](ray-bootstrap.md) |\n"
      "| `RAY_SERVE_*`, `GRPC_ENABLE_FORK_SUPPORT` | Ray itself, before `ray start` | [serve.md](serve.md) |\n"
      "| `GRPC_VERBOSITY` | `ray://` | set: what gRPC logs is shown |\n"
      "| `NO_COLOR` | command | set: no colors |\n"
      "| `HOME` | all | `~` in paths; Ray's token in `~/.ray/auth_token` |\n"
      "\nOf the earlier system, known and without effect: `SEEDCORE_API_ADDRESS`, `SEEDCORE_MODEL_PATH`, "
      "`SEEDCORE_ENERGY_URL`,\n`SEEDCORE_BOOTSTRAP_OPTIONAL`, `SEEDCORE_ROLLING_INIT`. Made by Kubernetes for every "
      "Service: `SEEDCORE_SVC_HEAD_SVC_*`, `SEEDCORE_HEAD_SVC_*`.\n";
  return text;
}

}  // namespace seedcore::settings
