#pragma once

#include "base/result.h"
#include "settings/settings.h"

namespace seedcore::app {

/// What another user_config may change is what the service itself is built from: its own section, log.* and the like.
/// Store, listeners, limits of the server, and connections to others stay as they were at the start. kInvalidArgument
/// names the first of these that differs, and where it can be set.
[[nodiscard]] Result<void> CheckFixedSettings(const settings::Settings& before, const settings::Settings& after);

}  // namespace seedcore::app
