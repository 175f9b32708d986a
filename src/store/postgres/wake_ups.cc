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

/// A commit is over by then, or has trouble.
constexpr milliseconds kAnnouncedFor{20};

/// What a count is taken for that does not say when it was made.
constexpr std::chrono::seconds kOldCount{60};

constexpr std::uint64_t kAllTypes = 0;

milliseconds LongestPause(const Listeners& known) { return std::min(kBetweenLooks * known.claimers, kLongestPause); }

bool Contains(const std::vector<std::uint64_t>& keys, std::uint64_t key) {
  return std::ranges::find(keys, key) != keys.end();
}

bool Covers(const std::vector<std::uint64_t>& keys, std::uint64_t types) {
  return Contains(keys, types) || Contains(keys, kAllTypes);
}

}  // namespace

std::uint64_t KeyOfTypes(const ClaimRequest& request) {
  const std::vector<std::string>& named = request.types.empty() ? request.except : request.types;
  if (named.empty()) return kAllTypes;
  std::vector<std::string_view> sorted(named.begin(), named.end());
  std::ranges::sort(sorted);
  sorted.erase(std::ranges::unique(sorted).begin(), sorted.end());
  // FNV-1a: every build of every process must come to the same number.
  std::uint64_t key = 0xcbf29ce484222325;
  const auto add = [&key](unsigned char byte) { key = (key ^ byte) * 0x100000001b3; };
  if (request.types.empty()) add(1);  // no type begins with it
  for (const std::string_view type : sorted) {
    for (const char byte : type) add(static_cast<unsigned char>(byte));
    add(0);
  }
  return std::max<std::uint64_t>(key, 1);
}

void WakeUps::Know(Listeners listeners, std::int64_t counted_at) {
  const std::scoped_lock lock(mutex_);
  Believe(listeners, counted_at);
}

bool WakeUps::HearCounted(Listeners listeners, std::int64_t counted_at) {
  const std::scoped_lock lock(mutex_);
  const bool knows_newer = known_since_ && env_.Now() - *known_since_ < kOldCount;
  if (counted_at == 0 ? knows_newer : counted_at < counted_at_) return false;
  Believe(listeners, counted_at);
  return true;
}

void WakeUps::Believe(Listeners listeners, std::int64_t counted_at) {
  listeners_ = listeners;
  counted_at_ = counted_at;
  known_since_ = env_.Now();
}

bool WakeUps::Hear(Runnable runnable) {
  const std::scoped_lock lock(mutex_);
  Begin(runnable.mark);
  if (runnable.mark != 0 && runnable.mark == announced_) {
    announced_until_ = {};
    if (AllWantedIn(seen_)) return false;
  }
  const auto pause = Pause(runnable.tasks);
  if (!pause) {
    look_at_.reset();
    spared_by_nobody_ = false;
    late_ = false;
    return true;
  }
  if (runnable.mark == 0) spared_by_nobody_ = true;
  // A pause that has begun goes on: the look at its end is for this word, too.
  if (!look_at_) look_at_ = env_.Now() + *pause;
  return false;
}

bool WakeUps::HearAnnounced(std::uint32_t mark) {
  const std::scoped_lock lock(mutex_);
  if (listeners_.claimers > kAtOnce) return false;
  announced_ = mark;
  announced_until_ = env_.Now() + kAnnouncedFor;
  seen_.clear();
  return true;
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
  if (AllWantedIn(covered_) && !spared_by_nobody_) look_at_.reset();
}

bool WakeUps::AllWantedIn(const std::vector<std::uint64_t>& keys) const {
  return !wanted_.empty() && wanted_.size() < kMostKeys &&
         std::ranges::all_of(wanted_, [&](std::uint64_t types) { return Covers(keys, types); });
}

std::optional<Instant> WakeUps::next_look() const {
  const std::scoped_lock lock(mutex_);
  return look_at_;
}

bool WakeUps::TakeDue() {
  const std::scoped_lock lock(mutex_);
  if (!look_at_ || env_.Now() < *look_at_) return false;
  look_at_.reset();
  spared_by_nobody_ = false;
  late_ = true;
  return true;
}

WakeUps::Heard WakeUps::BeginClaim(std::uint64_t types) {
  const std::scoped_lock lock(mutex_);
  if (!Contains(wanted_, types) && wanted_.size() < kMostKeys) wanted_.push_back(types);
  return {.mark = mark_, .announced = env_.Now() < announced_until_ ? announced_ : 0};
}

std::optional<Drained> WakeUps::EndClaim(Heard heard, std::uint64_t types, Found found) {
  const std::scoped_lock lock(mutex_);
  batch_ = std::max<std::int64_t>(static_cast<std::int64_t>(found.limit), 1);
  const bool short_of = found.claimed < found.limit;
  if (found.awaited && heard.announced == announced_ && short_of && seen_.size() < kMostKeys) seen_.push_back(types);
  if (listeners_.claimers <= kAtOnce || heard.mark == 0 || heard.mark != mark_ || !short_of) return std::nullopt;
  // Of those that looked at once and found nothing, one knows that the task is taken: the one that took it.
  if (found.claimed == 0 && !late_) return std::nullopt;
  if (Covers(covered_, types)) return std::nullopt;
  return Drained{heard.mark, types};
}

bool WakeUps::IsNews(const Drained& drained) const {
  const std::scoped_lock lock(mutex_);
  return drained.mark == mark_ && !Covers(covered_, drained.types);
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
