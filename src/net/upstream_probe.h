#pragma once

#include "base/env.h"

// Internal to the forwarder.
namespace seedcore::net {

class IoLoop;
class Upstream;
struct ForwarderOptions;

/// Begins to ask `upstream` whether it lives, as Liveness::Verdict::kAsk says, and ejects it when nothing comes back.
/// On the thread of `loop`.
void AskIfAlive(IoLoop& loop, Upstream& upstream, const ForwarderOptions& options, Env& env);

}  // namespace seedcore::net
