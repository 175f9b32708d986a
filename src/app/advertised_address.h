#pragma once

#include <string>

#include "base/result.h"
#include "net/target.h"
#include "settings/settings.h"

namespace seedcore::app {

/// HOST:PORT that others are told for a listener that is bound to `bound`: the host is direct.advertise, else what it
/// is bound to, else, when that is every address, `node_ip`. kInvalidArgument: none of them is an IP address.
[[nodiscard]] Result<net::HostPort> AdvertisedAddress(const settings::DirectSettings& settings,
                                                      const net::HostPort& bound, const std::string& node_ip);

}  // namespace seedcore::app
