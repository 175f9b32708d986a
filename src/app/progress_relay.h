#pragma once

#include "base/call_context.h"
#include "net/http.h"
#include "queue/progress_keeper.h"

/// How far a task is, said in another process than the one that holds its lease. Nobody relays reports: the lease
/// travels with the call, through as many services as there are, and whoever does the work writes its progress under
/// that lease into the store that all of them share. A report under a lease that has ended is refused there.
namespace seedcore::app {

/// Adds to the fields of a request what lets the callee report for the task of `call`, if that can be told.
void NameLease(const CallContext& call, net::Headers& headers);

/// `handler`, with somewhere to report to in its call when the request names a lease. `keeper` outlives it.
[[nodiscard]] net::Handler WithProgress(net::Handler handler, queue::ProgressKeeper& keeper);

}  // namespace seedcore::app
