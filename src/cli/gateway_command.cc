#include <cstdio>

#include <fmt/format.h>

#include "app/gateway.h"
#include "base/log.h"
#include "cli/api.h"
#include "cli/host.h"
#include "cli/local_commands.h"
#include "cli/terminal.h"

namespace seedcore::cli {

int RunGateway(const Arguments& arguments) {
  BlockSignals();
  const auto settings = LoadSettings(arguments);
  if (!settings) return ReportError(settings.error());
  log::Configure(settings->log.level, settings->log.format);
  auto gateway = app::Gateway::Start(*settings, RealEnv());
  if (!gateway) return ReportStartError(gateway.error());

  if (arguments.Has("json")) {
    PrintJson(json::object{{"ready", true}, {"gateway_url", (*gateway)->url()}});
  } else {
    fmt::print("ready gateway={}\n", (*gateway)->url());
  }
  std::fflush(stdout);
  WaitForStopSignal([&gateway] {
    if (const auto read = (*gateway)->Refresh(); !read) {
      log::Error("the registry can't be read", {{"error", ToString(read.error())}});
    }
  });
  fmt::print(stderr, "stopping: requests under way finish\n");
  (*gateway)->Stop();
  log::Flush();
  return kExitOk;
}

}  // namespace seedcore::cli
