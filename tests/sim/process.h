#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "queue/claimer.h"
#include "queue/finisher.h"
#include "queue/lease_keeper.h"
#include "queue/reaper.h"
#include "queue/worker.h"
#include "sim/checker.h"
#include "sim/link.h"
#include "sim/workflow.h"
#include "support/model_store.h"

namespace seedcore::sim {

/// The parts of a queue::Dispatcher, the real ones, moved step by step instead of by threads. What a thread would wait
/// for is here a time at which the part is due.
class DispatcherProcess {
 public:
  DispatcherProcess(SimEnv& env, test::ModelStore& store, Weather& weather, Checker& checker, Metrics& metrics,
                    int workers);

  /// When some part has something to do; `Instant::max()`: never, as things stand.
  [[nodiscard]] Instant Due() const;
  /// Moves one of the parts that are due, whichever the dice say. Returns what it did, for the trace.
  std::string Step();

  /// Begins an orderly stop: nothing new is claimed, what runs is told to stop.
  void BeginStop();
  [[nodiscard]] bool Stopped() const;

  /// Ids of tasks that this process executes and believes to hold a valid lease of.
  [[nodiscard]] std::vector<std::string> Believed() const;

 private:
  /// What the handler is going to do with the task it has in hand.
  struct Work {
    std::shared_ptr<queue::Execution> execution;
    Instant ends;
    bool stubborn = false;  ///< does not look at call.stop
    int kind = 0;
    std::optional<Workflow> workflow;  ///< of a task with steps
  };
  struct Part {
    Instant due;
    std::size_t worker = 0;
    void (DispatcherProcess::*step)(std::size_t worker) = nullptr;
    const char* name = "";
  };
  [[nodiscard]] std::vector<Part> Parts() const;
  void Claim(std::size_t);
  void Keep(std::size_t);
  void Write(std::size_t);
  void Begin(std::size_t worker);
  [[nodiscard]] std::chrono::milliseconds LengthOfWork();
  void End(std::size_t worker);
  [[nodiscard]] queue::TaskOutcome OutcomeOf(const Work& work) const;

  SimEnv& env_;
  Weather& weather_;
  Checker& checker_;
  store::StepStore& steps_;
  Link store_;
  queue::DispatcherSettings settings_;
  queue::Telemetry telemetry_;
  queue::InFlight in_flight_;
  queue::Claimer claimer_;
  queue::Finisher finisher_;
  queue::LeaseKeeper keeper_;
  queue::Worker worker_;
  std::vector<std::optional<Work>> work_;  // one place per worker
  bool signalled_ = false;
  Instant look_at_;
  Instant claim_not_before_;
  bool stopping_ = false;
  store::Subscription runnable_;  // goes first: its listener uses in_flight_
};

/// The real queue::ReaperRounds, moved the same way.
class ReaperProcess {
 public:
  ReaperProcess(SimEnv& env, store::TaskStore& store, Weather& weather, Metrics& metrics)
      : env_(env),
        store_(store, weather, true),
        rounds_(env, store_, metrics, {.period = kReaperPeriod, .batch = 5, .keep_finished = std::nullopt}),
        due_(env.Now()) {}
  [[nodiscard]] Instant Due() const { return due_; }
  void Step() { due_ = env_.Now() + std::chrono::ceil<std::chrono::microseconds>(rounds_.Round({})); }

 private:
  SimEnv& env_;
  Link store_;
  queue::ReaperRounds rounds_;
  Instant due_;
};

}  // namespace seedcore::sim
