#include "queue/in_flight.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/check.h"

namespace seedcore::queue {
namespace {

using namespace std::chrono_literals;

/// Work for one thread that is worth another one, and the switches between them, if it takes longer than this.
constexpr std::chrono::nanoseconds kWorthHelp = 2ms;
/// How often whoever stays aside looks: a task that waits behind a slow one, unlike those before it, waits that long.
constexpr std::chrono::nanoseconds kShortestPause = 100us;
constexpr std::chrono::nanoseconds kLongestPause = 500us;
/// So many executions tell the speed, however short the time.
constexpr std::uint64_t kTellingCount = 16;

}  // namespace

void InFlight::SignalRunnable() {
  {
    const std::scoped_lock lock(mutex_);
    if (runnable_) return;
    runnable_ = true;
  }
  runnable_cv_.notify_one();
}

int InFlight::Capacity() const {
  const std::scoped_lock lock(mutex_);
  return closed_ || !waiting_.empty() ? 0 : Free();
}

void InFlight::AwaitRunnable(Instant until) {
  std::unique_lock lock(mutex_);
  if (env_.Now() < until) {
    env_.WaitUntil(lock, runnable_cv_, until, {}, [&] { return closed_ || runnable_; });
  }
  runnable_ = false;
}

bool InFlight::TakeSignal() {
  const std::scoped_lock lock(mutex_);
  return std::exchange(runnable_, false);
}

void InFlight::Admit(std::vector<std::shared_ptr<Execution>> executions) {
  const std::scoped_lock lock(mutex_);
  for (auto& execution : executions) {
    if (closed_) {
      HandBack(std::move(execution));
    } else {
      waiting_.push_back(std::move(execution));
      gauge_.Add(1);
    }
  }
  SEEDCORE_CHECK(waiting_.size() + running_.size() <= static_cast<std::size_t>(limits_.capacity),
                 "a dispatcher claims only what it has room for");
  WakeWorker();
  if (closed_) WakeFinisher();
}

InFlight::Duty InFlight::AwaitDuty() {
  std::unique_lock lock(mutex_);
  for (;;) {
    if (!waiting_.empty()) return {.execution = StartFirst(), .wants_worker = WantWorker()};
    if (closed_) return {};
    if (NeedsLeader()) break;
    ++idle_workers_;
    worker_cv_.wait(lock);
    --idle_workers_;
    StayAside(lock);
  }
  led_ = true;
  return {.execution = nullptr, .claim = Free()};
}

bool InFlight::WantWorker() {
  // Also while too much is unwritten for a claim: once it is written, somebody has to be there who claims.
  const bool more = !waiting_.empty() || !led_;
  if (!more || closed_ || idle_workers_ > 0 || waking_worker_ || workers_ >= limits_.capacity) return false;
  ++workers_;
  CallHelp();
  return true;
}

void InFlight::CallHelp() {
  waking_worker_ = true;
  MeasureFrom(env_.Now());
}

void InFlight::MeasureFrom(Instant now) {
  measured_from_ = now;
  started_before_ = started_;
}

void InFlight::WorkerCame() {
  std::unique_lock lock(mutex_);
  StayAside(lock);
}

void InFlight::StayAside(std::unique_lock<std::mutex>& lock) {
  while (const auto until = AsideUntil()) {
    env_.WaitUntil(lock, aside_cv_, *until, {}, [&] { return closed_; });
  }
  waking_worker_ = false;
}

/// How long to leave what waits to the others; none if they will not have taken it soon at their speed since somebody
/// was called or has last looked. Then the speed from now on counts. Nothing is known while the clock stands still.
std::optional<Instant> InFlight::AsideUntil() {
  const Instant now = env_.Now();
  const std::chrono::nanoseconds passed = now - measured_from_;
  const std::uint64_t taken = started_ - started_before_;
  if (waiting_.empty() || passed <= passed.zero()) return std::nullopt;
  if (passed < kShortestPause && taken < kTellingCount) {  // too early to say
    return keeps_up_ ? std::optional(measured_from_ + kShortestPause) : std::nullopt;
  }
  const std::chrono::nanoseconds needed = passed * waiting_.size() / std::max<std::uint64_t>(taken, 1);
  keeps_up_ = taken > 0 && needed <= kWorthHelp;
  if (!keeps_up_) return std::nullopt;
  MeasureFrom(now);
  return now + std::clamp(needed, kShortestPause, kLongestPause);
}

void InFlight::NoWorkerComes() {
  const std::scoped_lock lock(mutex_);
  --workers_;
  waking_worker_ = false;
  WakeWorker();
}

void InFlight::EndLead() {
  const std::scoped_lock lock(mutex_);
  led_ = false;
}

std::shared_ptr<Execution> InFlight::TryTake() {
  const std::scoped_lock lock(mutex_);
  return waiting_.empty() ? nullptr : StartFirst();
}

std::shared_ptr<Execution> InFlight::StartFirst() {
  auto execution = std::move(waiting_.front());
  waiting_.pop_front();
  running_.insert(execution);
  ++started_;
  WakeWorker();
  WakeFinisher();
  return execution;
}

void InFlight::Finish(const std::shared_ptr<Execution>& execution, store::Finish finish) {
  const std::scoped_lock lock(mutex_);
  finished_.finishes.push_back(std::move(finish));
  finished_.executions.push_back(execution);
  const auto running = running_.find(execution);
  SEEDCORE_CHECK(running != running_.end(), "an execution ends once");
  unwritten_.insert(running_.extract(running));
  Ended();
}

void InFlight::Drop(const std::shared_ptr<Execution>& execution) {
  const std::scoped_lock lock(mutex_);
  SEEDCORE_CHECK(running_.erase(execution) == 1, "an execution ends once");
  Ended();
}

void InFlight::Ended() {
  gauge_.Add(-1);
  WakeFinisher();  // whoever ended it looks for its next duty itself
  if (running_.empty()) idle_cv_.notify_all();
}

InFlight::Batch InFlight::AwaitFinished(std::size_t limit, Instant until, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (until == Instant::max()) {
    finished_cv_.wait(lock, [&] { return ReadyToWrite(limit); });
  } else {
    const auto ready = [&] { return !finished_.finishes.empty() && ReadyToWrite(limit); };
    if (!env_.WaitUntil(lock, finished_cv_, until, stop, ready)) return {};
  }
  return CutFinished(limit);
}

bool InFlight::HasFinished(std::size_t limit) const {
  const std::scoped_lock lock(mutex_);
  return !finished_.finishes.empty() && ReadyToWrite(limit);
}

InFlight::Batch InFlight::TakeFinished(std::size_t limit) {
  const std::scoped_lock lock(mutex_);
  return ReadyToWrite(limit) ? CutFinished(limit) : Batch{};
}

bool InFlight::ReadyToWrite(std::size_t limit) const {
  // While tasks wait for a worker, more results are microseconds away: they share the commit.
  const std::size_t count = finished_.finishes.size();
  return finished_closed_ || count >= limit || (count > 0 && waiting_.empty());
}

InFlight::Batch InFlight::CutFinished(std::size_t limit) {
  Batch batch;
  if (finished_.finishes.size() <= limit) {
    std::swap(batch, finished_);
    return batch;
  }
  const auto take = [limit](auto& from, auto& to) {
    const auto end = from.begin() + static_cast<std::ptrdiff_t>(limit);
    to.assign(std::make_move_iterator(from.begin()), std::make_move_iterator(end));
    from.erase(from.begin(), end);
  };
  take(finished_.finishes, batch.finishes);
  take(finished_.executions, batch.executions);
  return batch;
}

void InFlight::Written(std::span<const std::shared_ptr<Execution>> executions) {
  const std::scoped_lock lock(mutex_);
  for (const auto& execution : executions) {
    SEEDCORE_CHECK(unwritten_.erase(execution) == 1, "only what was finished can be written");
  }
  WakeWorker();
}

std::vector<std::shared_ptr<Execution>> InFlight::Active() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::shared_ptr<Execution>> active(waiting_.begin(), waiting_.end());
  active.insert(active.end(), running_.begin(), running_.end());
  return active;
}

std::vector<std::shared_ptr<Execution>> InFlight::Held() const {
  const std::scoped_lock lock(mutex_);
  std::vector<std::shared_ptr<Execution>> held(waiting_.begin(), waiting_.end());
  held.insert(held.end(), running_.begin(), running_.end());
  held.insert(held.end(), unwritten_.begin(), unwritten_.end());
  return held;
}

InFlight::Counts InFlight::GetCounts() const {
  const std::scoped_lock lock(mutex_);
  return {static_cast<int>(waiting_.size()), static_cast<int>(running_.size()), static_cast<int>(unwritten_.size())};
}

void InFlight::Close() {
  const std::scoped_lock lock(mutex_);
  closed_ = true;
  gauge_.Add(-static_cast<double>(waiting_.size()));
  for (auto& execution : waiting_) HandBack(std::move(execution));
  waiting_.clear();
  worker_cv_.notify_all();
  aside_cv_.notify_all();
  runnable_cv_.notify_all();
  WakeFinisher();
}

bool InFlight::AwaitIdle(Instant deadline) {
  std::unique_lock lock(mutex_);
  return env_.WaitUntil(lock, idle_cv_, deadline, {}, [&] { return running_.empty(); });
}

void InFlight::CloseFinished() {
  const std::scoped_lock lock(mutex_);
  finished_closed_ = true;
  finished_cv_.notify_all();
}

void InFlight::HandBack(std::shared_ptr<Execution> execution) {
  // Nothing that happens to the task from here on is news.
  if (execution->Settle() == Fate::kLost) return;
  finished_.finishes.push_back({execution->claim.lease(), store::HandedBack{}, {}});
  unwritten_.insert(execution);
  finished_.executions.push_back(std::move(execution));
}

bool InFlight::NeedsLeader() const { return !led_ && !closed_ && waiting_.empty() && Free() > 0; }

void InFlight::WakeWorker() {
  if (idle_workers_ == 0 || waking_worker_) return;
  if (waiting_.empty() && !NeedsLeader()) return;
  CallHelp();
  worker_cv_.notify_one();
}

void InFlight::WakeFinisher() {
  if (waiting_.empty() && !finished_.finishes.empty()) finished_cv_.notify_one();
}

int InFlight::Free() const {
  if (unwritten_.size() >= static_cast<std::size_t>(limits_.max_unwritten)) return 0;
  return limits_.capacity - static_cast<int>(waiting_.size() + running_.size());
}

}  // namespace seedcore::queue
