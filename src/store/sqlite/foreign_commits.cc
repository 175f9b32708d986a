#include "store/sqlite/foreign_commits.h"

#include "base/log.h"

namespace seedcore::store::sqlite {

ForeignCommits::ForeignCommits(Watch watch, Signal& runnable, Signal& events, Env& env)
    : watch_(std::move(watch)),
      runnable_(runnable),
      events_(events),
      env_(env),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

void ForeignCommits::Run(const std::stop_token& stop) {
  std::int64_t seen = 0;
  bool complained = false;
  while (!stop.stop_requested()) {
    const auto version = watch_.database.QueryInt("PRAGMA data_version");
    if (!version && !complained) {
      log::Warning("commits of other processes are not noticed", {{"error", version.error().message}});
    }
    complained = !version;
    if (version && *version != seen) {
      seen = *version;
      runnable_.Emit();
      events_.Emit();
    }
    if (!env_.SleepFor(watch_.period, stop)) return;
  }
}

}  // namespace seedcore::store::sqlite
