#include "app/fixed_settings.h"

#include <algorithm>
#include <array>
#include <string_view>

#include <fmt/format.h>

#include "settings/catalog.h"

namespace seedcore::app {

Result<void> CheckFixedSettings(const settings::Settings& before, const settings::Settings& after) {
  static constexpr std::array<std::string_view, 6> kFixed{"store.",   "server.", "client.",
                                                          "cluster.", "direct.", "gateway."};
  for (const settings::Setting& setting : settings::Catalog()) {
    const bool is_fixed =
        std::ranges::any_of(kFixed, [&](std::string_view section) { return setting.name.starts_with(section); });
    if (!is_fixed || setting.write(before) == setting.write(after)) continue;
    return Fail(ErrorCode::kInvalidArgument,
                fmt::format("is fixed while a replica runs; set {} for `ray start`, or the setting in the "
                            "settings_file of the application's args",
                            setting.environment.empty() ? "its variable" : setting.environment.front()),
                setting.name);
  }
  return {};
}

}  // namespace seedcore::app
