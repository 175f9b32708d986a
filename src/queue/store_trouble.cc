#include "queue/store_trouble.h"

#include <algorithm>

#include "base/log.h"
#include "queue/backoff.h"

namespace seedcore::queue {
namespace {

constexpr store::RetryPolicy kPause{
    .max_attempts = 0, .base = std::chrono::milliseconds(50), .max = std::chrono::milliseconds(5000)};

}  // namespace

std::chrono::milliseconds StoreTrouble::Failed(const Error& error) {
  const double unit = env_.RandomUnit();
  const std::scoped_lock lock(mutex_);
  current_ = ToString(error);
  if (failures_ == 0 || error.code != code_) {
    log::Warning("the store fails; retrying",
                 {{"who", who_}, {"what", what_}, {"code", ToString(error.code)}, {"error", error.message}});
  }
  code_ = error.code;
  failures_ = std::min(failures_ + 1, 100);  // far beyond where the pause stops growing
  return RetryDelay(kPause, failures_, unit);
}

void StoreTrouble::Succeeded() {
  const std::scoped_lock lock(mutex_);
  if (failures_ == 0) return;
  log::Info("the store works again", {{"who", who_}, {"what", what_}});
  failures_ = 0;
  current_.clear();
}

std::string StoreTrouble::Current() const {
  const std::scoped_lock lock(mutex_);
  return current_;
}

}  // namespace seedcore::queue
