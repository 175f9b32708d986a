#pragma once

#include "base/env.h"
#include "ray/connection_plan.h"
#include "settings/settings.h"

namespace seedcore::ray {

/// Reads what a plan depends on: the environment of this process, the files Ray leaves, the settings that came from a
/// file, and, when nothing names a cluster, whether one listens on this host (a quarter of a second at most).
[[nodiscard]] PlanInput GatherPlanInput(PlanArguments arguments, const settings::Settings& settings, Env& env);

/// GatherPlanInput, then MakeConnectionPlan.
[[nodiscard]] Result<ConnectionPlan> PlanConnection(PlanArguments arguments, const settings::Settings& settings,
                                                    Env& env);

}  // namespace seedcore::ray
