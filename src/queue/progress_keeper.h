#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "base/env.h"
#include "base/metrics.h"
#include "base/progress.h"
#include "queue/execution.h"
#include "store/store.h"

namespace seedcore::queue {

struct ProgressSettings {
  std::chrono::milliseconds period{1'000};  ///< between two writes about one task
  std::size_t max_tasks = 10'000;  ///< about which something was said within the last period; others are dropped
};

/// A reporter of one lease. It says which, so that where the work goes on in another process, that one can report.
class LeaseProgress : public ProgressReporter {
 public:
  /// Empty when nothing is executed under it any more.
  [[nodiscard]] virtual std::optional<store::Lease> lease() const = 0;
};

/// Takes what workers say about their progress and writes the last of it, about once per period and task. A thread of
/// its own, from construction to Stop. Thread-safe.
class ProgressKeeper {
 public:
  /// `on_refused` is called when the store has refused a report of an execution in this process: its lease is lost, or
  /// somebody has cancelled the task. May be empty.
  ProgressKeeper(Env& env, store::TaskStore& store, Metrics& metrics, std::function<void()> on_refused = {},
                 ProgressSettings settings = {});
  /// Stops.
  ~ProgressKeeper();
  ProgressKeeper(const ProgressKeeper&) = delete;
  ProgressKeeper& operator=(const ProgressKeeper&) = delete;

  /// For the handler of an execution in this process; may outlive the keeper, and then does nothing. What is out of
  /// range is brought into it.
  [[nodiscard]] std::shared_ptr<LeaseProgress> For(const std::shared_ptr<Execution>& execution);
  /// The same for an execution whose lease is held, and renewed, in another process.
  [[nodiscard]] std::shared_ptr<LeaseProgress> For(store::Lease lease);

  /// For a worker elsewhere: written at once when the last write is a period ago, otherwise kept and answered as that
  /// one was. kInvalidArgument: see store::CheckProgress; otherwise the error of the store.
  [[nodiscard]] Result<store::ProgressAnswer> Report(const store::Lease& lease, Progress progress);

  /// Whatever is not written yet is dropped. Idempotent.
  void Stop();

 private:
  class State;
  class Reporter;
  const std::shared_ptr<State> state_;
  std::jthread thread_;
};

}  // namespace seedcore::queue
