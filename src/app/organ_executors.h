#pragma once

#include <functional>
#include <memory>

#include "app/foundation.h"
#include "base/result.h"
#include "graph/engine.h"
#include "organism/executor.h"
#include "organism/vitals.h"
#include "settings/settings.h"

namespace seedcore::app {

/// Registers every executor there is: the same in the organism and in the host of an organ. Returns the engine of the
/// graph's executors, which has to outlive `registry`; so do `foundation` and what `vitals` uses. kInvalidArgument: a
/// setting is wrong.
[[nodiscard]] Result<std::unique_ptr<graph::Engine>> RegisterAllExecutors(organism::ExecutorRegistry& registry,
                                                                          const settings::Settings& settings,
                                                                          Foundation& foundation,
                                                                          std::function<organism::Vitals()> vitals);

}  // namespace seedcore::app
