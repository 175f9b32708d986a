#pragma once

#include "base/result.h"
#include "net/target.h"

/// A second door to a listener, for processes of the same host and user: a Unix socket in Linux' abstract namespace,
/// named after the listener's TCP address. It costs the kernel half of what TCP over loopback does. Nobody has to be
/// told of it: who is elsewhere finds no such name and takes TCP. The name has no file, belongs to the network
/// namespace that the address belongs to, and goes with its process.
namespace seedcore::net {

/// A bound, listening, non-blocking descriptor, the caller's. kUnavailable when the name is taken.
[[nodiscard]] Result<int> ListenOnSameHost(const HostPort& where);

/// A connected, non-blocking descriptor, the caller's; -1 when there is no such door, or somebody of another user
/// keeps it, who shall not be given tokens. Never waits.
[[nodiscard]] int ConnectOnSameHost(const HostPort& where);

}  // namespace seedcore::net
