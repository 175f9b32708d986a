#include "service/store_watch.h"

#include <utility>

#include <fmt/format.h>

#include "base/log.h"
#include "store/health_reason.h"

namespace seedcore::service {

StoreWatch::StoreWatch(store::Store& store, Env& env)
    : store_(store), env_(env), thread_([this](const std::stop_token& stop) { Loop(stop); }) {}

StoreWatch::~StoreWatch() = default;

StoreWatch::Sight StoreWatch::Look() {
  std::unique_lock lock(mutex_);
  if (!looking_) {
    looking_ = true;
    began_ = env_.Now();
    changed_.notify_all();
  }
  const std::uint64_t before = looks_;
  if (env_.WaitUntil(lock, changed_, began_ + kPatience, {}, [&] { return looks_ != before; })) return last_;
  Sight silent;
  silent.answered = false;
  silent.reason = fmt::format("the store has not answered within {} s", kPatience.count() / 1000);
  silent.health.error = silent.reason;
  Note(silent.reason, silent.health.error);
  return silent;
}

void StoreWatch::Loop(const std::stop_token& stop) {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (!changed_.wait(lock, stop, [&] { return looking_; })) return;
    }
    Sight sight{.health = store_.CheckHealth()};
    sight.reason = store::ReasonForAnybody(sight.health);
    const std::scoped_lock lock(mutex_);
    Note(sight.reason, sight.health.error);
    last_ = std::move(sight);
    looking_ = false;
    ++looks_;
    changed_.notify_all();
  }
}

void StoreWatch::Note(const std::string& reason, const std::string& error) {
  if (reason == noted_) return;
  noted_ = reason;
  if (reason.empty()) {
    log::Info("the store can be used again");
  } else {
    log::Warning("the store cannot be used", {{"error", error}});
  }
}

}  // namespace seedcore::service
