#pragma once

#include "base/result.h"
#include "settings/settings.h"

namespace seedcore::app {

/// Whether the store of `settings` can be that of parties on `hosts` hosts. kInvalidArgument, with the setting that
/// helps: SQLite is the store of one.
[[nodiscard]] Result<void> CheckStoreReaches(const settings::StoreSettings& settings, int hosts);

/// Whether listeners are bound to loopback while there are several hosts: their addresses would lead each host to
/// itself, so that nobody is to open or call one.
[[nodiscard]] bool IsLocalOnly(const settings::DirectSettings& settings, int hosts);

}  // namespace seedcore::app
