#pragma once

#include "base/result.h"

namespace seedcore::store {

/// Whether a program that knows the schemas from `oldest` to `newest` can use or migrate a store of schema `found`; 0
/// is a store that is still empty. Otherwise kCorrupt, which names both versions.
[[nodiscard]] Result<void> CheckSchemaVersion(int found, int oldest, int newest);

}  // namespace seedcore::store
