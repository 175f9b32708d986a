#include "queue/finisher.h"

#include <variant>

#include <fmt/format.h>

#include "base/check.h"
#include "base/log.h"

namespace seedcore::queue {
namespace {

/// Large enough for any dispatcher's capacity, small enough that one transaction stays short.
constexpr std::size_t kMaxFinishes = 512;

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
    : env_(env), store_(store), in_flight_(in_flight), telemetry_(telemetry), trouble_(env, "dispatcher", "finish") {}

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
    InFlight::Batch batch = in_flight_.AwaitFinished(kMaxFinishes);
    if (batch.finishes.empty()) break;
    Take(std::move(batch));
    while (!pending_.empty()) {
      const auto pause = WriteFirst();
      if (pause && (stop.stop_requested() || !env_.SleepFor(*pause, stop))) GiveUpFirst();
    }
    in_flight_.Written(taken_);
  }
  const std::scoped_lock lock(mutex_);
  finished_ = true;
  finished_cv_.notify_all();
}

Finisher::Progress Finisher::Step() {
  if (pending_.empty()) {
    InFlight::Batch batch = in_flight_.TakeFinished(kMaxFinishes);
    if (batch.finishes.empty()) return {};
    Take(std::move(batch));
  }
  const auto pause = WriteFirst();
  if (pending_.empty()) in_flight_.Written(taken_);
  return {.tried = true, .more = !pending_.empty(), .pause = pause};
}

void Finisher::Take(InFlight::Batch batch) {
  taken_ = batch.finishes.size();
  pending_.push_back(std::move(batch));
}

std::optional<std::chrono::milliseconds> Finisher::WriteFirst() {
  DropExpired(pending_.front());
  if (DropFirstIfEmpty()) return std::nullopt;
  InFlight::Batch& batch = pending_.front();
  const auto written = TryWrite(batch);
  if (written) {
    trouble_.Succeeded();
    SEEDCORE_CHECK(written->size() == batch.finishes.size(), "FinishTasks answers for each element");
    batch = Account(std::move(batch), *written);
    DropFirstIfEmpty();
    return std::nullopt;
  }
  const Error& error = written.error();
  telemetry_.NoteError(ToString(error));
  if (IsTroubleOfTheStore(error.code)) return trouble_.Failed(error);
  // One of the results is at fault; the others must not suffer for it.
  if (batch.finishes.size() > 1) {
    SplitFirst();
  } else {
    batch = Account(std::move(batch), {std::unexpected(error)});
    DropFirstIfEmpty();
  }
  return std::nullopt;
}

bool Finisher::DropFirstIfEmpty() {
  if (!pending_.front().finishes.empty()) return false;
  pending_.pop_front();
  return true;
}

void Finisher::SplitFirst() {
  InFlight::Batch whole = std::move(pending_.front());
  pending_.pop_front();
  for (std::size_t i = whole.finishes.size(); i-- > 0;) {
    InFlight::Batch one;
    one.finishes.push_back(std::move(whole.finishes[i]));
    one.executions.push_back(std::move(whole.executions[i]));
    pending_.push_front(std::move(one));
  }
}

void Finisher::GiveUpFirst() {
  const std::size_t count = pending_.front().finishes.size();
  pending_.pop_front();
  log::Error("results given up; their tasks run again when the leases end", {{"count", count}});
  telemetry_.unwritten.Add(static_cast<std::int64_t>(count));
}

Result<std::vector<Result<void>>> Finisher::TryWrite(const InFlight::Batch& batch) {
  SEEDCORE_RETURN_IF_ERROR(env_.Fault("dispatcher.finish"));
  return store_.FinishTasks(batch.finishes);
}

void Finisher::DropExpired(InFlight::Batch& batch) {
  const Instant now = env_.Now();
  std::size_t kept = 0;
  for (std::size_t i = 0; i < batch.finishes.size(); ++i) {
    if (batch.executions[i]->lease_until.load() <= now) {
      telemetry_.lease_lost.Add();
      continue;
    }
    if (kept != i) {
      batch.finishes[kept] = std::move(batch.finishes[i]);
      batch.executions[kept] = std::move(batch.executions[i]);
    }
    ++kept;
  }
  batch.finishes.resize(kept);
  batch.executions.resize(kept);
}

InFlight::Batch Finisher::Account(InFlight::Batch batch, const std::vector<Result<void>>& results) {
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
  for (std::size_t i = 0; i < results.size(); ++i) {
    store::Finish& finish = batch.finishes[i];
    if (results[i]) {
      std::visit(Counter{telemetry_}, finish.outcome);
      continue;
    }
    const Error& error = results[i].error();
    const bool cancelled = batch.executions[i]->fate.load() == Fate::kCancelled;
    if (error.code == ErrorCode::kLeaseLost || cancelled) {
      if (!cancelled) ++telemetry_.refused;
      continue;
    }
    log::Error("the store refuses a result",
               {{"task_id", finish.lease.task_id}, {"code", ToString(error.code)}, {"error", error.message}});
    telemetry_.NoteError(ToString(error));
    if (IsPlainFailure(finish)) continue;
    // A result that cannot be stored would be produced again by every attempt: the task fails, and says why.
    Error why{ErrorCode::kNonRetryable, fmt::format("the result could not be stored: {}", ToString(error)), {}};
    again.finishes.push_back({finish.lease, store::FailedForGood{std::move(why), nullptr}, {}});
    again.executions.push_back(std::move(batch.executions[i]));
  }
  return again;
}

}  // namespace seedcore::queue
