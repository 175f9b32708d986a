#include "queue/worker.h"

#include <exception>
#include <utility>

#include <fmt/format.h>

#include "base/log.h"

namespace seedcore::queue {

Worker::Worker(Env& env, InFlight& in_flight, LeaseKeeper& keeper, Telemetry& telemetry,
               std::chrono::milliseconds call_timeout, TaskHandler handler)
    : env_(env),
      in_flight_(in_flight),
      keeper_(keeper),
      telemetry_(telemetry),
      call_timeout_(call_timeout),
      handler_(std::move(handler)) {}

void Worker::Execute(const std::shared_ptr<Execution>& execution) {
  const auto call = Begin(execution);
  if (!call) return;
  const store::Task& task = execution->claim.task;
  const Instant started = env_.Now();
  TaskOutcome outcome = Call(task, *call);
  telemetry_.ObserveRun(task.type, std::chrono::duration<double>(env_.Now() - started).count());
  End(execution, std::move(outcome));
}

std::optional<CallContext> Worker::Begin(const std::shared_ptr<Execution>& execution) {
  const store::Task& task = execution->claim.task;
  const Instant started = env_.Now();
  const WallTime wall = env_.WallNow();
  // The process may have slept since the claim; somebody else may run the task by now.
  if (execution->lease_until.load() <= started && execution->Interrupt(Fate::kLost)) telemetry_.lease_lost.Add();
  if (execution->fate.load() == Fate::kLost) {
    in_flight_.Drop(execution);
    return std::nullopt;
  }
  std::chrono::microseconds budget = call_timeout_;
  if (task.deadline) budget = std::min(budget, *task.deadline - wall);
  telemetry_.ObserveWait(task, wall);
  if (budget <= budget.zero()) {
    End(execution, TaskOutcome::Fail({ErrorCode::kDeadlineExceeded, "the task's deadline passed before it ran", {}}));
    return std::nullopt;
  }
  const Instant deadline = started + budget;
  execution->deadline = deadline;
  keeper_.NoteDeadline(deadline);
  return Context(execution, deadline);
}

void Worker::End(const std::shared_ptr<Execution>& execution, TaskOutcome outcome) {
  const Fate fate = execution->Settle();
  if (fate == Fate::kLost) return in_flight_.Drop(execution);
  in_flight_.Finish(execution, Conclude(*execution, fate, std::move(outcome)));
}

CallContext Worker::Context(const std::shared_ptr<Execution>& execution, Instant deadline) {
  const store::Task& task = execution->claim.task;
  const auto trace = ParseTraceparent(task.traceparent);
  return {.deadline = deadline,
          .stop = execution->stop.get_token(),
          .request_id = task.id,
          .trace = trace ? ChildOf(*trace, env_) : NewTrace(env_),
          .idempotency_key = task.id,
          .task_id = task.id,
          .progress = progress_ != nullptr ? progress_->For(execution) : nullptr};
}

TaskOutcome Worker::Call(const store::Task& task, const CallContext& call) {
  try {
    return handler_(task, call);
  } catch (const std::exception& error) {
    log::Error("a task handler threw", {{"task_id", task.id}, {"type", task.type}, {"error", error.what()}});
    return TaskOutcome::Fail({ErrorCode::kInternal, error.what(), {}});
  } catch (...) {
    log::Error("a task handler threw something that is not an exception", {{"task_id", task.id}, {"type", task.type}});
    return TaskOutcome::Fail({ErrorCode::kInternal, "the handler threw something that is not an exception", {}});
  }
}

store::Finish Worker::Conclude(const Execution& execution, Fate fate, TaskOutcome outcome) {
  const store::Task& task = execution.claim.task;
  store::Finish finish{execution.claim.lease(), store::HandedBack{}, {}};
  // The store ends a cancelled task whatever its worker says; handing it back claims nothing.
  if (fate == Fate::kCancelled || std::holds_alternative<store::HandedBack>(outcome.verdict)) return finish;

  if (auto* failure = std::get_if<Failure>(&outcome.verdict)) {
    const bool interrupted = failure->error.code == ErrorCode::kCancelled || IsRetryable(failure->error.code);
    if (fate == Fate::kStopping && interrupted) return finish;
    if (execution.overdue && failure->error.code == ErrorCode::kCancelled) {
      failure->error = {ErrorCode::kDeadlineExceeded,
                        fmt::format("the execution was stopped at its deadline: {}", failure->error.message),
                        {}};
    }
    telemetry_.NoteError(ToString(failure->error));
    log::Debug("an execution failed",
               {{"task_id", task.id}, {"attempt", task.attempts}, {"error", ToString(failure->error)}});
    std::visit([&](auto&& decided) { finish.outcome = std::forward<decltype(decided)>(decided); },
               AfterFailure(task, std::move(*failure), env_.WallNow(), env_.RandomUnit()));
  } else if (auto* completed = std::get_if<store::Completed>(&outcome.verdict)) {
    finish.outcome = std::move(*completed);
  } else if (auto* snoozed = std::get_if<store::Snoozed>(&outcome.verdict)) {
    std::visit([&](auto&& decided) { finish.outcome = std::forward<decltype(decided)>(decided); },
               AfterSnooze(task, std::move(*snoozed), env_.WallNow()));
  } else {
    finish.outcome = std::move(std::get<store::Held>(outcome.verdict));
  }
  finish.effects = std::move(outcome.effects);
  finish.steps = std::move(outcome.steps);
  return finish;
}

}  // namespace seedcore::queue
