#pragma once

#include <string>

#include "base/result.h"
#include "settings/settings.h"
#include "store/store.h"

namespace seedcore::app {

/// The secret that gateway and services present to the listeners of replicas: the one that is set, else one that all
/// processes on the same store share, made by whoever asks first. Whoever can read the store needs no token to do harm.
[[nodiscard]] Result<std::string> ClusterToken(const settings::DirectSettings& settings, store::StreamStore& streams);

/// kInvalidArgument for a listener that others can reach while no token is set: one that lies in the store of one host
/// would be no secret between hosts that was agreed on.
[[nodiscard]] Result<void> CheckDirectListen(const settings::DirectSettings& settings);

}  // namespace seedcore::app
