#include <cstdio>

#include <fmt/format.h>

#include "base/log.h"
#include "cli/api.h"
#include "cli/host.h"
#include "cli/local_commands.h"
#include "cli/terminal.h"

namespace seedcore::cli {

int RunUp(const Arguments& arguments) {
  BlockSignals();
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  auto platform = StartPlatform(*settings);
  if (!platform) return ReportStartError(platform.error());

  const auto start_ms = (*platform)->start_time().count();
  if (arguments.Has("json")) {
    PrintJson(json::object{{"ready", true},
                           {"services_url", (*platform)->services_url()},
                           {"api_url", (*platform)->api_url()},
                           {"start_ms", start_ms}});
  } else {
    fmt::print("ready services={} api={} start_ms={}\n", (*platform)->services_url(), (*platform)->api_url(), start_ms);
  }
  std::fflush(stdout);
  ServeUntilSignal(**platform);
  fmt::print(stderr, "stopping: running tasks finish or are handed back\n");
  (*platform)->Stop();
  log::Flush();
  return kExitOk;
}

}  // namespace seedcore::cli
