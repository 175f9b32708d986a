#pragma once

#include "base/env.h"
#include "net/breaker.h"

// Internal to the forwarder.
namespace seedcore::net {

class IoLoop;
class Upstream;
struct ForwarderOptions;

/// Begins to ask `upstream` whether it lives, as Liveness::Verdict::kAsk says, and ejects it when nothing comes back.
/// On the thread of `loop`.
void AskIfAlive(IoLoop& loop, Upstream& upstream, const ForwarderOptions& options, Env& env);

/// Begins to ask `upstream`, which is ejected, for ForwarderOptions::trial_target, and ends `trial` by what comes back.
/// On the thread of `loop`.
void AskIfBack(IoLoop& loop, Upstream& upstream, CircuitBreaker::Permit trial, const ForwarderOptions& options,
               Env& env);

}  // namespace seedcore::net
