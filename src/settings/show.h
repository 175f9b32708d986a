#pragma once

#include <string>
#include <vector>

#include "base/json_binding.h"
#include "settings/settings.h"

namespace seedcore::settings {

/// One line of `seedcore config show`. Secrets and passwords are redacted; an empty value stays empty.
struct ShownSetting {
  std::string name;
  std::string value;
  std::string source;
  std::string note;  ///< "not used in this version", or empty
  static constexpr auto kFields = Fields(Required("name", &ShownSetting::name, "Key in the settings file"),
                                         Required("value", &ShownSetting::value, "Value, secrets redacted"),
                                         Required("source", &ShownSetting::source, "Where the value came from"),
                                         Optional("note", &ShownSetting::note, "What else to know"));
};

/// Every setting, in the order of the catalog.
[[nodiscard]] std::vector<ShownSetting> ConfigShow(const Settings& settings);
/// The same in aligned columns, one line each.
[[nodiscard]] std::string ConfigShowText(const Settings& settings);
/// {"settings":[{name,value,source,note}],"warnings":[]}
[[nodiscard]] json::value ConfigShowJson(const Settings& settings);

/// The text of docs/settings.md.
[[nodiscard]] std::string SettingsMarkdown();

}  // namespace seedcore::settings
