#pragma once

#include "base/env.h"
#include "organism/executors/executors.h"
#include "settings/settings.h"

namespace seedcore::app {

/// POSTs JSON with the call's deadline and idempotency key; one client with its breaker per server, at most 64 of them.
[[nodiscard]] organism::WebhookPost MakeWebhookPost(const settings::OrganismSettings& settings, Env& env);

}  // namespace seedcore::app
