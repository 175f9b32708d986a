#include "sim/process.h"

#include <algorithm>

#include <fmt/format.h>

namespace seedcore::sim {

using namespace std::chrono_literals;
using queue::Fate;

DispatcherProcess::DispatcherProcess(SimEnv& env, test::ModelStore& store, Weather& weather, Checker& checker,
                                     Metrics& metrics, int workers)
    : env_(env),
      weather_(weather),
      checker_(checker),
      steps_(store),
      store_(store, weather, true),
      settings_{.name = "sim",
                .owner_id = env.NewId(),
                .concurrency = workers,
                .claim_batch = 4,
                .lease = kLease,
                .call_timeout = 20s,
                .poll = 5s},
      telemetry_(metrics, settings_.name),
      in_flight_(env, {workers, 4 * workers}, telemetry_.inflight),
      claimer_(env, store_, in_flight_, telemetry_, settings_),
      finisher_(env, store_, in_flight_, telemetry_),
      keeper_(env, store_, in_flight_, telemetry_, settings_.lease),
      // The handler is played by Begin and End.
      worker_(env, in_flight_, keeper_, telemetry_, settings_.call_timeout, nullptr),
      work_(static_cast<std::size_t>(workers)),
      look_at_(env.Now()),
      claim_not_before_(env.Now()),
      runnable_(store_.OnRunnable([this] {
        in_flight_.SignalRunnable();
        signalled_ = true;
      })) {}

std::vector<DispatcherProcess::Part> DispatcherProcess::Parts() const {
  const Instant now = env_.Now();
  const queue::InFlight::Counts counts = in_flight_.GetCounts();
  std::vector<Part> parts{{keeper_.NextLook(), 0, &DispatcherProcess::Keep, "keep"}};
  if (in_flight_.Capacity() > 0) {
    const Instant look = signalled_ ? now : look_at_;
    parts.push_back({std::max(look, claim_not_before_), 0, &DispatcherProcess::Claim, "claim"});
  }
  if (const Instant write = finisher_.NextStep(); write != Instant::max()) {
    parts.push_back({write, 0, &DispatcherProcess::Write, "write"});
  }
  for (std::size_t i = 0; i < work_.size(); ++i) {
    if (!work_[i]) {
      if (counts.waiting > 0) parts.push_back({now, i, &DispatcherProcess::Begin, "begin"});
      continue;
    }
    const bool stop = work_[i]->execution->stop.stop_requested() && !work_[i]->stubborn;
    parts.push_back({stop ? now : work_[i]->ends, i, &DispatcherProcess::End, "end"});
  }
  return parts;
}

Instant DispatcherProcess::Due() const { return std::ranges::min(Parts(), {}, &Part::due).due; }

std::string DispatcherProcess::Step() {
  std::vector<Part> parts = Parts();
  std::erase_if(parts, [&](const Part& part) { return part.due > env_.Now(); });
  if (parts.empty()) return "idle";
  const Part part = parts[static_cast<std::size_t>(weather_.Below(static_cast<int>(parts.size())))];
  (this->*part.step)(part.worker);
  return part.name;
}

void DispatcherProcess::Claim(std::size_t) {
  signalled_ = false;
  static_cast<void>(in_flight_.TakeSignal());
  const auto pause = claimer_.Look(in_flight_.Capacity());
  look_at_ = claimer_.NextLook();
  claim_not_before_ = env_.Now() + pause.value_or(0ms);
}

void DispatcherProcess::Keep(std::size_t) { keeper_.Look(); }

void DispatcherProcess::Write(std::size_t) { finisher_.Step(); }

void DispatcherProcess::Begin(std::size_t worker) {
  auto execution = in_flight_.TryTake();
  if (execution == nullptr || !worker_.Begin(execution)) return;
  const store::Claim& claim = execution->claim;
  std::optional<Workflow> workflow;
  if (PlanOf(claim.task).steps > 0) workflow.emplace(steps_, weather_, checker_, claim);
  work_[worker].emplace(Work{.execution = std::move(execution),
                             .ends = env_.Now() + LengthOfWork(),
                             .stubborn = weather_.Below(4) == 0,
                             .kind = weather_.Below(20),
                             .workflow = std::move(workflow)});
}

/// Most work is quick; some outlives its lease, its time limit, and the patience of whoever asks it to stop.
std::chrono::milliseconds DispatcherProcess::LengthOfWork() {
  return weather_.Below(6) == 0 ? weather_.UpTo(30s) : weather_.UpTo(300ms);
}

queue::TaskOutcome DispatcherProcess::OutcomeOf(const Work& work) const {
  if (work.execution->stop.stop_requested() && !work.stubborn) {
    return queue::TaskOutcome::Fail({ErrorCode::kCancelled, "told to stop", {}});
  }
  if (work.kind < 4) return queue::TaskOutcome::Fail({ErrorCode::kUnavailable, "the work failed", {}});
  if (work.kind == 4) return queue::TaskOutcome::Fail({ErrorCode::kNonRetryable, "it will never work", {}});
  if (work.kind == 5) return queue::TaskOutcome::Hold("a person must look");
  if (work.kind == 6) return queue::TaskOutcome::RetryAfter(2s, {ErrorCode::kUnavailable, "not yet", {}});
  if (work.kind == 7 || work.kind == 8) return queue::TaskOutcome::Snooze(weather_.UpTo(10s), "not now");
  // The effect names the task, so that the checker can count how often it was written.
  const std::string& id = work.execution->claim.task.id;
  return queue::TaskOutcome::Complete("done", {.facts = {{.text = id, .tags = {}, .meta_data = {}}}});
}

void DispatcherProcess::End(std::size_t worker) {
  Work& work = *work_[worker];
  const bool told_to_stop = work.execution->stop.stop_requested() && !work.stubborn;
  std::optional<queue::TaskOutcome> outcome;
  // Between its steps a workflow fails, is put off and is held as other work is, but less often.
  if (work.workflow && !told_to_stop && (work.kind >= 9 || weather_.Below(4) != 0)) {
    outcome = work.workflow->Advance();
    if (!outcome) {
      work.ends = env_.Now() + LengthOfWork();
      return;
    }
  } else {
    outcome = OutcomeOf(work);
  }
  const auto execution = std::move(work.execution);
  work_[worker].reset();
  worker_.End(execution, std::move(*outcome));
}

void DispatcherProcess::BeginStop() {
  stopping_ = true;
  in_flight_.Close();
  for (const auto& execution : in_flight_.Active()) execution->Interrupt(Fate::kStopping);
}

bool DispatcherProcess::Stopped() const {
  const queue::InFlight::Counts counts = in_flight_.GetCounts();
  return stopping_ && counts.waiting + counts.running + counts.unwritten == 0;
}

std::vector<std::string> DispatcherProcess::Believed() const {
  std::vector<std::string> ids;
  for (const auto& work : work_) {
    if (!work) continue;
    const queue::Execution& execution = *work->execution;
    const Fate fate = execution.fate.load();
    const bool ours = fate == Fate::kOurs || fate == Fate::kStopping;
    if (ours && execution.lease_until.load() > env_.Now()) ids.push_back(execution.claim.task.id);
  }
  return ids;
}

}  // namespace seedcore::sim
