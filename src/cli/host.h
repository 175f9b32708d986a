#pragma once

#include <csignal>
#include <functional>
#include <memory>

#include "app/platform.h"
#include "base/result.h"
#include "settings/settings.h"

/// A platform hosted by this process, and the signals that steer it.
namespace seedcore::cli {

/// Blocks SIGINT, SIGTERM and SIGHUP in this and all later threads, so that ServeUntilSignal alone receives them.
/// Called before any thread is started.
void BlockSignals();
/// Sets up logs and starts the platform.
[[nodiscard]] Result<std::unique_ptr<app::Platform>> StartPlatform(const settings::Settings& settings);
/// ReportError for a platform that did not start. A port or a folder that is taken is a failure, not an unreachable
/// server.
int ReportStartError(const Error& error);
/// Returns after SIGINT or SIGTERM; each SIGHUP runs `on_hangup`.
void WaitForStopSignal(const std::function<void()>& on_hangup);
/// Returns after SIGINT or SIGTERM; SIGHUP reloads the rules.
void ServeUntilSignal(app::Platform& platform);
/// Returns after SIGINT or SIGTERM, for a process that has no rules to reload.
void AwaitStopSignal();

}  // namespace seedcore::cli
