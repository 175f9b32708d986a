#pragma once

#include "service/organism.h"
#include "service/peer.h"
#include "state/collector.h"
#include "state/host.h"

namespace seedcore::app {

/// The parts of the unified state that can really be measured: agents and organs, as the Organism service reports them,
/// and the machine. `host` must outlive the source.
[[nodiscard]] state::StateSource LiveState(const service::Peer<service::OrganismService>& organism,
                                           state::HostSampler& host);

}  // namespace seedcore::app
