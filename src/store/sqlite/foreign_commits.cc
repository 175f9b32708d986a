#include "store/sqlite/foreign_commits.h"

#include "base/log.h"

namespace seedcore::store::sqlite {
namespace {

constexpr char kVersion[] = "PRAGMA data_version";

}  // namespace

ForeignCommits::ForeignCommits(Watch watch, Signal& runnable, Signal& events, Env& env)
    : watch_(std::move(watch)),
      runnable_(runnable),
      events_(events),
      env_(env),
      seen_(watch_.database.QueryInt(kVersion).value_or(0)),
      thread_([this](const std::stop_token& stop) { Run(stop); }) {}

void ForeignCommits::Run(const std::stop_token& stop) {
  bool complained = false;
  while (!stop.stop_requested()) {
    if (!env_.SleepFor(watch_.period, stop)) return;
    const auto version = watch_.database.QueryInt(kVersion);
    if (!version && !complained) {
      log::Warning("commits of other processes are not noticed", {{"error", version.error().message}});
    }
    complained = !version;
    if (version && *version != seen_) {
      seen_ = *version;
      runnable_.Emit();
      events_.Emit();
    }
  }
}

}  // namespace seedcore::store::sqlite
