#include "queue/finisher.h"

#include <algorithm>
#include <iterator>
#include <utility>
#include <variant>

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"
#include "queue/backoff.h"

namespace seedcore::queue {
namespace {

/// Large enough for any dispatcher's capacity, small enough that one transaction stays short.
constexpr std::size_t kMaxFinishes = 512;

/// Before a result that was put aside is tried again: an application's transaction may take its time, and that it has
/// ended is not told.
constexpr store::RetryPolicy kPutOff{
    .max_attempts = 0, .base = std::chrono::milliseconds(20), .max = std::chrono::milliseconds(1000)};
/// Results that are due so close to one another are written together.
constexpr std::chrono::milliseconds kTogether(50);
constexpr int kMostFailuresAlone = 8;
/// A few seconds.
constexpr int kTellingTimes = 8;

void Add(InFlight::Batch& batch, store::Finish finish, std::shared_ptr<Execution> execution) {
  batch.finishes.push_back(std::move(finish));
  batch.executions.push_back(std::move(execution));
}

InFlight::Batch Alone(store::Finish finish, std::shared_ptr<Execution> execution) {
  InFlight::Batch batch;
  Add(batch, std::move(finish), std::move(execution));
  return batch;
}

/// Nothing in it but the error: the form that a store can always take.
bool IsPlainFailure(const store::Finish& finish) {
  const auto* failed = std::get_if<store::FailedForGood>(&finish.outcome);
  const store::Effects& effects = finish.effects;
  return failed != nullptr && failed->result.is_null() && effects.facts.empty() && effects.ledger.empty() &&
         effects.incidents.empty();
}

/// Whether the store failed as such, as opposed to refusing what it was given.
bool IsTroubleOfTheStore(ErrorCode code) {
  return code == ErrorCode::kUnavailable || code == ErrorCode::kResourceExhausted ||
         code == ErrorCode::kDeadlineExceeded || code == ErrorCode::kCorrupt;
}

}  // namespace

Finisher::Finisher(Env& env, store::TaskStore& store, InFlight& in_flight, Telemetry& telemetry)
    : env_(env),
      store_(store),
      in_flight_(in_flight),
      telemetry_(telemetry),
      trouble_(env, "dispatcher", "finish"),
      not_before_(env.Now()) {}

Finisher::~Finisher() { Stop(env_.Now()); }

void Finisher::Stop(Instant deadline) {
  if (!thread_.joinable()) return;
  in_flight_.CloseFinished();
  {
    std::unique_lock lock(mutex_);
    env_.WaitUntil(lock, finished_cv_, deadline, {}, [&] { return finished_; });
  }
  thread_.request_stop();
  thread_.join();
}

void Finisher::Start() {
  thread_ = std::jthread([this](const std::stop_token& stop) { Loop(stop); });
}

void Finisher::Loop(const std::stop_token& stop) {
  for (;;) {
    Take(in_flight_.AwaitFinished(kMaxFinishes, NextAside(), stop));
    TakeBack(stop.stop_requested());
    if (pending_.empty() && aside_.empty()) break;
    while (!pending_.empty()) {
      const auto pause = WriteFirst();
      if (!pause) continue;
      if (stop.stop_requested() || !env_.SleepFor(*pause, stop)) {
        GiveUpFirst();
      } else {
        EaseFirst();
      }
    }
    if (!stop.stop_requested()) continue;
    TakeBack(true);
    while (!pending_.empty()) GiveUpFirst();
  }
  const std::scoped_lock lock(mutex_);
  finished_ = true;
  finished_cv_.notify_all();
}

Instant Finisher::NextStep() const {
  const bool now = !pending_.empty() || in_flight_.HasFinished(kMaxFinishes);
  return std::max(now ? env_.Now() : NextAside(), not_before_);
}

void Finisher::Step() {
  if (pending_.empty()) {
    Take(in_flight_.TakeFinished(kMaxFinishes));
    TakeBack(false);
  }
  if (pending_.empty()) return;
  const auto pause = WriteFirst();
  if (!pause) return;
  not_before_ = env_.Now() + *pause;
  EaseFirst();
}

void Finisher::Take(InFlight::Batch batch) {
  if (!batch.finishes.empty()) pending_.push_back(std::move(batch));
}

Instant Finisher::NextAside() const {
  return aside_.empty() ? Instant::max() : std::ranges::min(aside_, {}, &Aside::again).again;
}

void Finisher::TakeBack(bool all) {
  const Instant now = env_.Now();
  if (!all && NextAside() > now) return;
  InFlight::Batch together;
  std::erase_if(aside_, [&](Aside& aside) {
    if (!all && aside.again > now + kTogether) return false;
    if (aside.alone) {
      pending_.push_back(Alone(std::move(aside.finish), std::move(aside.execution)));
      return true;
    }
    if (together.finishes.size() == kMaxFinishes) Take(std::exchange(together, {}));
    Add(together, std::move(aside.finish), std::move(aside.execution));
    return true;
  });
  Take(std::move(together));
}

std::optional<std::chrono::milliseconds> Finisher::WriteFirst() {
  const auto written = TryWrite(pending_.front());
  if (!written) {
    const Error& error = written.error();
    telemetry_.NoteError(ToString(error));
    if (IsTroubleOfTheStore(error.code)) return trouble_.Failed(error);
    // One of the results is at fault; the others must not suffer for it.
    if (pending_.front().finishes.size() > 1) {
      SplitFirst();
      return std::nullopt;
    }
  } else {
    trouble_.Succeeded();
    ++writes_;
  }
  InFlight::Batch batch = std::move(pending_.front());
  pending_.pop_front();
  if (written) {
    Account(std::move(batch), *written);
  } else {
    Account(std::move(batch), {std::unexpected(written.error())});
  }
  return std::nullopt;
}

void Finisher::SplitFirst() {
  InFlight::Batch whole = std::move(pending_.front());
  pending_.pop_front();
  for (std::size_t i = whole.finishes.size(); i-- > 0;) {
    pending_.push_front(Alone(std::move(whole.finishes[i]), std::move(whole.executions[i])));
  }
}

void Finisher::EaseFirst() {
  InFlight::Batch first = std::move(pending_.front());
  pending_.pop_front();
  if (const std::size_t count = first.finishes.size(); count > 1) {
    InFlight::Batch half;
    for (std::size_t i = count / 2; i < count; ++i) {
      Add(half, std::move(first.finishes[i]), std::move(first.executions[i]));
    }
    first.finishes.resize(count / 2);
    first.executions.resize(count / 2);
    pending_.push_front(std::move(half));
    pending_.push_front(std::move(first));
    return;
  }
  auto& execution = first.executions.front();
  Execution::Writing& writing = execution->writing;
  std::chrono::milliseconds pause(0);  // but for that of the store
  if (writes_ != std::exchange(writing.others, writes_)) {
    pause = RetryDelay(kPutOff, ++writing.put_off, env_.RandomUnit());
    // It may be that it can never be written; somebody else shall try, or the attempts end.
    if (++writing.failed_alone >= kMostFailuresAlone && !execution->unwritable.exchange(true)) {
      log::Error("the store takes every result but this one; its lease is left to run out",
                 {{"task_id", first.finishes.front().lease.task_id}});
    }
  }
  aside_.push_back({std::move(first.finishes.front()), std::move(execution), env_.Now() + pause, true});
}

void Finisher::GiveUpFirst() {
  const InFlight::Batch batch = std::move(pending_.front());
  pending_.pop_front();
  log::Error("results given up; their tasks run again when the leases end", {{"count", batch.finishes.size()}});
  telemetry_.unwritten.Add(std::ssize(batch.finishes));
  in_flight_.Written(batch.executions);
}

Result<std::vector<Result<void>>> Finisher::TryWrite(const InFlight::Batch& batch) {
  SEEDCORE_RETURN_IF_ERROR(env_.Fault("dispatcher.finish"));
  return store_.FinishTasks(batch.finishes);
}

void Finisher::Account(InFlight::Batch batch, const std::vector<Result<void>>& results) {
  struct Counter {
    Telemetry& telemetry;
    void operator()(const store::Completed&) const { telemetry.completed.Add(); }
    void operator()(const store::RetryLater&) const { telemetry.retried.Add(); }
    void operator()(const store::FailedForGood&) const { telemetry.failed.Add(); }
    void operator()(const store::Held&) const { telemetry.held.Add(); }
    void operator()(const store::HandedBack&) const { telemetry.handed_back.Add(); }
    void operator()(const store::Snoozed&) const { telemetry.snoozed.Add(); }
  };
  InFlight::Batch again;
  std::vector<std::shared_ptr<Execution>> done;
  for (std::size_t i = 0; i < results.size(); ++i) {
    store::Finish& finish = batch.finishes[i];
    auto& execution = batch.executions[i];
    if (results[i]) {
      std::visit(Counter{telemetry_}, finish.outcome);
      done.push_back(std::move(execution));
      continue;
    }
    const Error& error = results[i].error();
    const bool cancelled = execution->fate.load() == Fate::kCancelled;
    if (error.code == ErrorCode::kLeaseLost || cancelled) {
      if (!cancelled) ++telemetry_.refused;
      done.push_back(std::move(execution));
      continue;
    }
    if (error.code == ErrorCode::kUnavailable) {  // this one alone: another transaction has its task in its hands
      const int times = ++execution->writing.put_off;
      if (times == kTellingTimes) {
        log::Warning("a result waits for another transaction",
                     {{"task_id", finish.lease.task_id}, {"error", error.message}});
      }
      const auto pause = RetryDelay(kPutOff, times, env_.RandomUnit());
      aside_.push_back({std::move(finish), std::move(execution), env_.Now() + pause});
      continue;
    }
    log::Error("the store refuses a result",
               {{"task_id", finish.lease.task_id}, {"code", ToString(error.code)}, {"error", error.message}});
    telemetry_.NoteError(ToString(error));
    if (IsPlainFailure(finish)) {
      done.push_back(std::move(execution));
      continue;
    }
    // A result that cannot be stored would be produced again by every attempt: the task fails, and says why.
    Error why{ErrorCode::kNonRetryable, fmt::format("the result could not be stored: {}", ToString(error)), {}};
    Add(again, {finish.lease, store::FailedForGood{std::move(why), nullptr}, {}}, std::move(execution));
  }
  if (!again.finishes.empty()) pending_.push_front(std::move(again));
  if (!done.empty()) in_flight_.Written(done);
}

}  // namespace seedcore::queue
