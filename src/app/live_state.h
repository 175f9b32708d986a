#pragma once

#include "organism/organism.h"
#include "state/collector.h"
#include "state/host.h"

namespace seedcore::app {

/// The parts of the unified state that this process can really measure: agents and organs of the organism, and the
/// machine. The references must outlive the source.
[[nodiscard]] state::StateSource LiveState(const organism::Organism& organism, state::HostSampler& host);

}  // namespace seedcore::app
