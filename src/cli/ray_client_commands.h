#pragma once

#include "cli/command.h"

/// Commands that open a session with a Ray cluster over ray://.
namespace seedcore::cli {

[[nodiscard]] Command RayKvCommand();
[[nodiscard]] Command RayCallCommand();

}  // namespace seedcore::cli
