#include "app/user_config.h"

#include <algorithm>

#include <fmt/format.h>

#include "settings/catalog.h"

namespace seedcore::app {
namespace {

Result<std::string> TextOf(const json::value& value, const std::string& name) {
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_bool() || value.is_number()) return WriteJson(value);
  if (!value.is_array())
    return Fail(ErrorCode::kInvalidArgument, "expected a text, a number, true, false or a list", name);
  std::string joined;
  for (const json::value& item : value.get_array()) {
    if (!item.is_string()) return Fail(ErrorCode::kInvalidArgument, "expected a list of texts", name);
    if (!joined.empty()) joined += ',';
    joined += std::string_view(item.get_string());
  }
  return joined;
}

Result<void> Collect(const json::object& object, const std::string& prefix, std::map<std::string, std::string>& flags) {
  for (const auto& member : object) {
    const std::string name = prefix + std::string(member.key());
    const auto& catalog = settings::Catalog();
    const auto setting = std::ranges::find(catalog, name, &settings::Setting::name);
    if (setting == catalog.end()) {
      // A section, or a slip.
      if (prefix.empty() && member.value().is_object()) {
        SEEDCORE_RETURN_IF_ERROR(Collect(member.value().get_object(), name + ".", flags));
        continue;
      }
      return Fail(ErrorCode::kInvalidArgument, "is not a setting; docs/settings.md lists them", name);
    }
    if (setting->flag.empty()) {
      return Fail(
          ErrorCode::kInvalidArgument,
          fmt::format("is a secret and does not belong here; set {} in the environment", setting->environment.front()),
          name);
    }
    SEEDCORE_ASSIGN_OR_RETURN(flags[setting->flag], TextOf(member.value(), name));
  }
  return {};
}

}  // namespace

Result<std::map<std::string, std::string>> FlagsFromUserConfig(const json::object& user_config) {
  std::map<std::string, std::string> flags;
  SEEDCORE_RETURN_IF_ERROR(Collect(user_config, "", flags));
  return flags;
}

}  // namespace seedcore::app
