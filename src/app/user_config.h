#pragma once

#include <map>
#include <string>

#include "base/json.h"
#include "base/result.h"

namespace seedcore::app {

/// The `user_config` of a Serve deployment as settings: {"coordinator": {"ocps_threshold": 0.7}} or
/// {"coordinator.ocps_threshold": 0.7}, by flag name, as settings::Load takes them. kInvalidArgument names the member
/// that is no setting, or one that must not be in a deployment file because it is a secret.
[[nodiscard]] Result<std::map<std::string, std::string>> FlagsFromUserConfig(const json::object& user_config);

}  // namespace seedcore::app
