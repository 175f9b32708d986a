#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <thread>

#include <fmt/format.h>

#include "base/log.h"
#include "coordinator/plan.h"

namespace seedcore::coordinator {
namespace {

/// One run of one plan.
class PlanRun {
 public:
  PlanRun(const Plan& plan, const PlanHooks& hooks, const CallContext& call, Env& env)
      : plan_(plan), hooks_(hooks), call_(call), env_(env), states_(plan.steps.size()), outcomes_(plan.steps.size()) {}

  std::vector<StepOutcome> Run(int max_parallel) {
    Recall();
    {
      const auto threads = std::min(static_cast<std::size_t>(std::max(max_parallel, 1)), Width());
      std::vector<std::jthread> helpers;
      for (std::size_t i = 1; i < threads; ++i) helpers.emplace_back([this] { Work(); });
      Work();
    }
    return std::move(outcomes_);
  }

 private:
  enum class State : std::uint8_t { kWaiting, kRunning, kSucceeded, kFailed, kParked };

  void Recall() {
    for (StepOutcome& outcome : outcomes_) outcome.status = StepStatus::kPending;
    if (!hooks_.recall) return;
    for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
      auto earlier = hooks_.recall(plan_.steps[i]);
      if (!earlier) continue;
      if (*earlier) {
        states_[i] = State::kSucceeded;
        outcomes_[i] = {.status = StepStatus::kReused, .output = std::move(**earlier), .error = {}};
      } else {
        states_[i] = State::kFailed;
        outcomes_[i] = {.status = StepStatus::kFailed, .output = nullptr, .error = std::move(*earlier).error()};
      }
    }
  }

  /// The most steps that share a distance from the start: more threads could not be kept busy for long.
  [[nodiscard]] std::size_t Width() const {
    std::vector<std::size_t> level(plan_.steps.size(), 0);
    for (std::size_t round = 0; round < plan_.steps.size(); ++round) {
      for (std::size_t i = 0; i < plan_.steps.size(); ++i) {
        for (const std::size_t d : plan_.steps[i].depends_on) level[i] = std::max(level[i], level[d] + 1);
      }
    }
    std::size_t width = 1;
    for (const std::size_t l : level) {
      width = std::max(width, static_cast<std::size_t>(std::ranges::count(level, l)));
    }
    return width;
  }

  void Work() {
    std::unique_lock lock(mutex_);
    while (true) {
      std::optional<std::size_t> next;
      // Somebody works on whatever is not ready, and wakes us when that ends. Where nobody works, the rest depends on
      // what waits.
      changed_.wait(lock, [&] { return (next = TakeReady()).has_value() || NobodyWorks(); });
      if (!next) {
        changed_.notify_all();
        return;
      }
      const PlanStep& step = plan_.steps[*next];
      const json::object inputs = InputsOf(*next);
      lock.unlock();
      StepOutcome outcome = step.hold ? Hold(step) : RunStep(step, inputs);
      lock.lock();
      if (outcome.status == StepStatus::kDone && hooks_.save) {
        const bool is_last =
            std::ranges::count(states_, State::kSucceeded) + 1 == static_cast<std::ptrdiff_t>(states_.size());
        lock.unlock();
        if (auto saved = hooks_.save(step, outcome.output, is_last); !saved) {
          log::Warning("checkpoint of a plan step was not kept",
                       {{"task_id", call_.task_id}, {"step", step.id}, {"error", ToString(saved.error())}});
          outcome.status = StepStatus::kFailed;
          outcome.error = std::move(saved.error());
        }
        lock.lock();
      }
      states_[*next] = outcome.status == StepStatus::kDone      ? State::kSucceeded
                       : outcome.status == StepStatus::kWaiting ? State::kParked
                                                                : State::kFailed;
      outcomes_[*next] = std::move(outcome);
      changed_.notify_all();
    }
  }

  /// Marks what can no longer run, and takes the first step that can. Under the lock.
  std::optional<std::size_t> TakeReady() {
    for (bool settled = false; !settled;) {
      settled = true;
      for (std::size_t i = 0; i < states_.size(); ++i) {
        if (states_[i] != State::kWaiting) continue;
        const auto& depends_on = plan_.steps[i].depends_on;
        const auto failed = std::ranges::find_if(depends_on, [&](auto d) { return states_[d] == State::kFailed; });
        if (failed != depends_on.end()) {
          Skip(i, *failed);
          settled = false;  // a step before this one may depend on it
        } else if (std::ranges::all_of(depends_on, [&](auto d) { return states_[d] == State::kSucceeded; })) {
          if (!settled) continue;
          states_[i] = State::kRunning;
          return i;
        }
      }
    }
    return std::nullopt;
  }

  void Skip(std::size_t step, std::size_t failed) {
    states_[step] = State::kFailed;
    const auto& cause = outcomes_[failed].error;
    outcomes_[step] = {.status = StepStatus::kSkipped,
                       .output = nullptr,
                       .error = Error{cause ? cause->code : ErrorCode::kInternal,
                                      fmt::format("the step '{}' did not succeed", plan_.steps[failed].id), ""}};
    changed_.notify_all();
  }

  [[nodiscard]] bool NobodyWorks() const {
    return std::ranges::none_of(states_, [](State s) { return s == State::kRunning; });
  }

  [[nodiscard]] json::object InputsOf(std::size_t step) const {
    json::object inputs;
    for (const std::size_t d : plan_.steps[step].depends_on) inputs[plan_.steps[d].id] = outcomes_[d].output;
    return inputs;
  }

  StepOutcome Hold(const PlanStep& step) {
    StepOutcome outcome{.status = StepStatus::kWaiting, .output = nullptr, .error = {}};
    const Result<void> asked =
        hooks_.wait ? hooks_.wait(step)
                    : Result<void>(Fail(ErrorCode::kNonRetryable, "only a stored task can wait for a person"));
    if (asked) return outcome;
    outcome.status = StepStatus::kFailed;
    outcome.error = asked.error();
    return outcome;
  }

  Result<json::value> TryStep(const PlanStep& step, const json::object& inputs) {
    SEEDCORE_RETURN_IF_ERROR(call_.Check(env_));
    try {
      return hooks_.run(step, inputs);
    } catch (const std::exception& error) {
      return Fail(ErrorCode::kInternal, fmt::format("the step threw: {}", error.what()));
    }
  }

  StepOutcome RunStep(const PlanStep& step, const json::object& inputs) {
    const Instant start = env_.Now();
    StepOutcome outcome;
    Result<json::value> output = TryStep(step, inputs);
    for (int attempt = 1; attempt < step.retry.max_attempts; ++attempt) {
      if (output || !IsRetryable(output.error().code)) break;
      const double wait_s = std::min(step.retry.base_s * std::exp2(attempt - 1), step.retry.max_s);
      const auto wait = std::chrono::milliseconds(std::llround(wait_s * 1000.0 * (0.5 + 0.5 * env_.RandomUnit())));
      if (env_.Now() + wait >= call_.deadline || !env_.SleepFor(wait, call_.stop)) break;
      output = TryStep(step, inputs);
    }
    outcome.took = std::chrono::duration_cast<std::chrono::microseconds>(env_.Now() - start);
    if (!output) {
      outcome.status = StepStatus::kFailed;
      outcome.error = std::move(output).error();
      return outcome;
    }
    outcome.status = StepStatus::kDone;
    outcome.output = std::move(*output);
    return outcome;
  }

  const Plan& plan_;
  const PlanHooks& hooks_;
  const CallContext& call_;
  Env& env_;
  std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  std::vector<State> states_;
  std::vector<StepOutcome> outcomes_;
};

}  // namespace

std::vector<StepOutcome> RunPlan(const Plan& plan, const PlanHooks& hooks, int max_parallel, const CallContext& call,
                                 Env& env) {
  return PlanRun(plan, hooks, call, env).Run(max_parallel);
}

}  // namespace seedcore::coordinator
