#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "settings/settings.h"
#include "settings/value.h"

namespace seedcore::settings {

/// One row of the catalog: all there is to know about a setting but its value.
struct Setting {
  std::string name;  ///< key in the file: "queue.lease"
  std::string flag;  ///< without dashes; empty: none, because a secret would show in the process list
  std::vector<std::string> environment;  ///< the first that is set counts
  std::string_view type;
  std::string range;  ///< for people; empty: anything
  std::string_view meaning;
  bool secret = false;
  bool later = false;  ///< read and shown, but without effect until the part that uses it is there

  std::function<Result<void>(const RawValue&, Settings&)> read;
  std::function<std::string(const Settings&)> write;
};

/// Names the settings file where no flag does.
inline constexpr const char* kConfigVariable = "SEEDCORE_CONFIG";

/// Every setting, in the order of the documentation.
[[nodiscard]] const std::vector<Setting>& Catalog();

/// SEEDCORE_* names that other parts of a deployment use; they are no slip of the keys.
[[nodiscard]] std::span<const std::string_view> ForeignVariables();

}  // namespace seedcore::settings
