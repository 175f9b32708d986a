#include "cli/host.h"

#include "base/log.h"
#include "cli/api.h"

namespace seedcore::cli {
namespace {

sigset_t SteeringSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGHUP);
  return signals;
}

}  // namespace

void BlockSignals() {
  const sigset_t signals = SteeringSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

Result<std::unique_ptr<app::Platform>> StartPlatform(const settings::Settings& settings) {
  log::Configure(settings.log.level, settings.log.format);
  return app::Platform::Start(settings, RealEnv());
}

int ReportStartError(const Error& error) {
  const int code = ReportError(error);
  return code == kExitUnreachable ? kExitFailed : code;
}

void WaitForStopSignal(const std::function<void()>& on_hangup) {
  const sigset_t signals = SteeringSignals();
  while (true) {
    int received = 0;
    if (sigwait(&signals, &received) != 0) continue;
    if (received != SIGHUP) return;
    on_hangup();
  }
}

void ServeUntilSignal(app::Platform& platform) {
  WaitForStopSignal([&platform] {
    if (const auto reloaded = platform.ReloadRules(); reloaded) {
      log::Info("rules reloaded");
    } else {
      log::Error("rules not reloaded; the ones before stay in force", {{"error", ToString(reloaded.error())}});
    }
  });
}

void AwaitStopSignal() {
  const sigset_t signals = SteeringSignals();
  int received = 0;
  while (sigwait(&signals, &received) != 0 || received == SIGHUP) continue;
}

}  // namespace seedcore::cli
