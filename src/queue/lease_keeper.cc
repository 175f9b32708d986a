#include "queue/lease_keeper.h"

#include <algorithm>

#include "base/check.h"
#include "base/log.h"

namespace seedcore::queue {

LeaseKeeper::LeaseKeeper(Env& env, store::TaskStore& store, InFlight& in_flight, Telemetry& telemetry,
                         std::chrono::milliseconds lease)
    : env_(env),
      store_(store),
      in_flight_(in_flight),
      telemetry_(telemetry),
      lease_(lease),
      trouble_(env, "dispatcher", "renew"),
      renew_at_(env.Now() + lease / 3) {}

LeaseKeeper::~LeaseKeeper() { Stop(); }

void LeaseKeeper::Start() {
  thread_ = std::jthread([this] { Loop(); });
}

void LeaseKeeper::NoteDeadline(Instant deadline) {
  const std::scoped_lock lock(mutex_);
  if (deadline >= deadline_) return;
  deadline_ = deadline;
  // The loop looks at least as often as it renews; it needs to know only of what ends sooner.
  if (deadline < renew_at_) {
    poked_ = true;
    changed_.notify_all();
  }
}

void LeaseKeeper::RenewNow() {
  const std::scoped_lock lock(mutex_);
  renew_at_ = env_.Now();
  poked_ = true;
  changed_.notify_all();
}

void LeaseKeeper::Stop() {
  {
    const std::scoped_lock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void LeaseKeeper::Loop() {
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      const Instant wake = std::min(renew_at_, deadline_);
      env_.WaitUntil(lock, changed_, wake, {}, [&] { return stopping_ || poked_; });
      if (stopping_) return;
    }
    Look();
  }
}

Instant LeaseKeeper::NextLook() const {
  const std::scoped_lock lock(mutex_);
  return std::min(renew_at_, deadline_);
}

void LeaseKeeper::Look() {
  bool renew = false;
  {
    const std::scoped_lock lock(mutex_);
    poked_ = false;
    renew = env_.Now() >= renew_at_;
    // Cleared before the look at the executions: what changes meanwhile is seen on the next round.
    if (renew) renew_at_ = Instant::max();
    deadline_ = Instant::max();
  }
  const Instant earliest = StopOverdue();
  const Instant again = renew ? Renew() : Instant::max();

  const std::scoped_lock lock(mutex_);
  renew_at_ = std::min(renew_at_, again);
  deadline_ = std::min(deadline_, earliest);
}

Instant LeaseKeeper::StopOverdue() {
  const Instant now = env_.Now();
  Instant earliest = Instant::max();
  for (const auto& execution : in_flight_.Active()) {
    if (execution->overdue.load()) continue;
    const Instant deadline = execution->deadline.load();
    if (deadline > now) {
      earliest = std::min(earliest, deadline);
      continue;
    }
    execution->overdue = true;
    log::Warning("a task runs past its deadline",
                 {{"task_id", execution->claim.task.id}, {"type", execution->claim.task.type}});
    execution->stop.request_stop();
  }
  return earliest;
}

Result<std::vector<store::RenewResult>> LeaseKeeper::AskStore(const std::vector<store::Lease>& leases) {
  SEEDCORE_RETURN_IF_ERROR(env_.Fault("dispatcher.renew"));
  return store_.Renew(leases, lease_);
}

Instant LeaseKeeper::Renew() {
  std::vector<std::shared_ptr<Execution>> executions = in_flight_.Held();
  const auto lose = [&](Execution& execution) {
    if (execution.Interrupt(Fate::kLost)) {
      telemetry_.lease_lost.Add();
      log::Warning("lease lost; the result will be dropped", {{"task_id", execution.claim.task.id}});
    }
  };
  const Instant asked = env_.Now();
  std::erase_if(executions, [&](const auto& execution) {
    if (execution->lease_until.load() <= asked && !execution->busy.load()) lose(*execution);
    const Fate fate = execution->fate.load();
    // Most results are written at once, and would only be met by the renewal on their way.
    if (fate == Fate::kDone) return execution->unwritable || execution->lease_until.load() - asked > lease_ / 2;
    // While a stopping dispatcher waits for a handler to come back, nobody else should start the same task.
    return (fate != Fate::kOurs && fate != Fate::kStopping) || execution->overdue.load();
  });
  const Instant in_a_third = asked + lease_ / 3;
  if (executions.empty()) return in_a_third;

  std::vector<store::Lease> leases;
  leases.reserve(executions.size());
  for (const auto& execution : executions) leases.push_back(execution->claim.lease());
  const auto renewed = AskStore(leases);
  if (!renewed) {
    for (const auto& execution : executions) execution->busy = false;  // nobody knows
    telemetry_.NoteError(ToString(renewed.error()));
    return env_.Now() + std::min(trouble_.Failed(renewed.error()), lease_ / 9);
  }
  trouble_.Succeeded();
  SEEDCORE_CHECK(renewed->size() == leases.size(), "Renew answers for each lease");
  bool busy = false;
  for (std::size_t i = 0; i < executions.size(); ++i) {
    Execution& execution = *executions[i];
    const store::RenewResult& result = (*renewed)[i];
    execution.busy = result.busy;
    if (result.cancel_requested) {
      // Where the store has ended the task already, there is nothing left to write.
      if (execution.Interrupt(result.renewed ? Fate::kCancelled : Fate::kLost)) telemetry_.cancelled.Add();
    } else if (result.renewed) {
      execution.lease_until = asked + lease_;
    } else if (result.busy) {
      busy = true;
    } else {
      lose(execution);
    }
  }
  return busy ? asked + lease_ / 9 : in_a_third;
}

}  // namespace seedcore::queue
