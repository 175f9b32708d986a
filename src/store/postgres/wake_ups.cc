#include "store/postgres/wake_ups.h"

#include <algorithm>

namespace seedcore::store::postgres {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

/// How far apart the looks after a pause are, over all processes: 1,000 of them are some 7 % of one core.
constexpr milliseconds kBetweenLooks{2};
constexpr milliseconds kLongestPause{2'000};
/// Telling one listener costs the server about 10 us: one process' notices take at most a fifth of one core.
constexpr microseconds kPausePerListener{50};
constexpr milliseconds kLongestNotifyPause{50};

constexpr std::uint64_t kAllTypes = 0;

milliseconds LongestPause(const Listeners& known) { return std::min(kBetweenLooks * known.claimers, kLongestPause); }

bool Contains(const std::vector<std::uint64_t>& keys, std::uint64_t key) {
  return std::ranges::find(keys, key) != keys.end();
}

}  // namespace

std::uint64_t KeyOfTypes(std::span<const std::string> types) {
  if (types.empty()) return kAllTypes;
  std::vector<std::string_view> sorted(types.begin(), types.end());
  std::ranges::sort(sorted);
  sorted.erase(std::ranges::unique(sorted).begin(), sorted.end());
  // FNV-1a: every build of every process must come to the same number.
  std::uint64_t key = 0xcbf29ce484222325;
  const auto add = [&key](unsigned char byte) { key = (key ^ byte) * 0x100000001b3; };
  for (const std::string_view type : sorted) {
    for (const char byte : type) add(static_cast<unsigned char>(byte));
    add(0);
  }
  return std::max<std::uint64_t>(key, 1);
}

void WakeUps::Know(Listeners listeners) {
  const std::scoped_lock lock(mutex_);
  listeners_ = listeners;
}

bool WakeUps::Hear(Runnable runnable) {
  const std::scoped_lock lock(mutex_);
  Begin(runnable.mark);
  const auto pause = Pause(runnable.tasks);
  if (!pause) {
    look_at_.reset();
    late_ = false;
    return true;
  }
  // A pause that has begun goes on: the look at its end is for this word, too.
  if (!look_at_) look_at_ = env_.Now() + *pause;
  return false;
}

std::optional<microseconds> WakeUps::Pause(std::int64_t tasks) const {
  const std::int64_t at_once = LooksFor(tasks);
  if (listeners_.claimers <= at_once) return std::nullopt;
  if (env_.RandomUnit() * listeners_.claimers < static_cast<double>(at_once)) return std::nullopt;
  return std::chrono::duration_cast<microseconds>(LongestPause(listeners_) * env_.RandomUnit());
}

std::int64_t WakeUps::LooksFor(std::int64_t tasks) const {
  const std::int64_t filled = 2 * (tasks / batch_) + 2;
  return std::max<std::int64_t>(std::min(tasks, filled), kAtOnce);
}

microseconds WakeUps::PauseAtTime() const {
  const std::scoped_lock lock(mutex_);
  return Pause(1).value_or(microseconds(0));
}

void WakeUps::HearOwn(Runnable runnable) {
  const std::scoped_lock lock(mutex_);
  Begin(runnable.mark);
}

void WakeUps::Begin(std::uint32_t mark) {
  mark_ = mark;
  covered_.clear();
}

void WakeUps::HearDrained(const Drained& drained) {
  const std::scoped_lock lock(mutex_);
  // After an earlier word than the last one: what the last one is about may not have been seen.
  if (drained.mark != mark_ || mark_ == 0 || covered_.size() >= kMostKeys) return;
  covered_.push_back(drained.types);
  const bool all = std::ranges::all_of(wanted_, [this](std::uint64_t types) { return IsCovered(types); });
  if (all && !wanted_.empty() && wanted_.size() < kMostKeys) look_at_.reset();
}

std::optional<Instant> WakeUps::next_look() const {
  const std::scoped_lock lock(mutex_);
  return look_at_;
}

bool WakeUps::TakeDue() {
  const std::scoped_lock lock(mutex_);
  if (!look_at_ || env_.Now() < *look_at_) return false;
  look_at_.reset();
  late_ = true;
  return true;
}

std::uint32_t WakeUps::BeginClaim(std::uint64_t types) {
  const std::scoped_lock lock(mutex_);
  if (!Contains(wanted_, types) && wanted_.size() < kMostKeys) wanted_.push_back(types);
  return mark_;
}

std::optional<Drained> WakeUps::EndClaim(std::uint32_t mark, std::uint64_t types, std::size_t claimed,
                                         std::size_t limit) {
  const std::scoped_lock lock(mutex_);
  batch_ = std::max<std::int64_t>(static_cast<std::int64_t>(limit), 1);
  if (listeners_.claimers <= kAtOnce || mark == 0 || mark != mark_ || claimed >= limit) return std::nullopt;
  // Of those that looked at once and found nothing, one knows that the task is taken: the one that took it.
  if (claimed == 0 && !late_) return std::nullopt;
  if (IsCovered(types)) return std::nullopt;
  return Drained{mark, types};
}

bool WakeUps::IsNews(const Drained& drained) const {
  const std::scoped_lock lock(mutex_);
  return drained.mark == mark_ && !IsCovered(drained.types);
}

bool WakeUps::IsCovered(std::uint64_t types) const {
  return Contains(covered_, types) || Contains(covered_, kAllTypes);
}

Listeners WakeUps::listeners() const {
  const std::scoped_lock lock(mutex_);
  return listeners_;
}

milliseconds WakeUps::notify_pause() const {
  const Listeners known = listeners();
  const auto pause = std::chrono::duration_cast<milliseconds>(kPausePerListener * (known.claimers + known.readers));
  return std::clamp(pause, kShortestNotifyPause, kLongestNotifyPause);
}

milliseconds WakeUps::longest_pause() const { return LongestPause(listeners()); }

}  // namespace seedcore::store::postgres
