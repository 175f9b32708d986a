#include <chrono>
#include <cstdio>

#include <fmt/format.h>

#include "app/dispatch_host.h"
#include "base/log.h"
#include "base/strings.h"
#include "cli/api.h"
#include "cli/host.h"
#include "cli/local_commands.h"

namespace seedcore::cli {
namespace {

constexpr int kMostConcurrent = 1024;

/// The services that the settings name; empty leaves it to the connection plan.
std::string GivenServices(const settings::Settings& settings) {
  const auto source = settings.sources.find("client.services_url");
  const bool given = source != settings.sources.end() && source->second.kind != settings::SourceKind::kDefault;
  return given ? settings.client.services_url : "";
}

Result<settings::Settings> SettingsFor(const Arguments& arguments) {
  SEEDCORE_ASSIGN_OR_RETURN(settings::Settings settings, LoadSettings(arguments));
  SEEDCORE_ASSIGN_OR_RETURN(settings.queue.concurrency, arguments.Number("concurrency", settings.queue.concurrency));
  if (settings.queue.concurrency < 1 || settings.queue.concurrency > kMostConcurrent) {
    return Fail(ErrorCode::kInvalidArgument, fmt::format("expected 1 to {}", kMostConcurrent), "--concurrency");
  }
  return settings;
}

}  // namespace

int RunDispatch(const Arguments& arguments) {
  BlockSignals();
  const auto settings = SettingsFor(arguments);
  if (!settings) return ReportError(settings.error());
  log::Configure(settings->log.level, settings->log.format);
  auto host = app::DispatchHost::Start({.role = arguments.Get("role", "queue"),
                                        .name = arguments.Get("name"),
                                        .gateway_url = GivenServices(*settings),
                                        .node_id = {},
                                        .ip_address = {},
                                        .types = SplitList(arguments.Get("types"))},
                                       *settings, RealEnv());
  if (!host) return ReportStartError(host.error());

  const app::DispatchHostStatus status = (*host)->Status();
  if (arguments.Has("json")) {
    json::object line = ToJson(status).as_object();
    line["ready"] = true;
    PrintJson(line);
  } else {
    fmt::print("ready role={} name={} store={}", status.role, status.name, status.store_location);
    if (!status.services.empty()) fmt::print(" services={}", status.services);
    fmt::print("\n");
  }
  std::fflush(stdout);
  AwaitStopSignal();
  fmt::print(stderr, "stopping: running tasks finish or are handed back\n");
  (*host)->Drain(settings->server.drain_timeout);
  log::Flush();
  return kExitOk;
}

}  // namespace seedcore::cli
