#pragma once

#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "app/executable_types.h"
#include "base/env.h"
#include "base/json.h"
#include "queue/dispatcher.h"
#include "queue/handler.h"
#include "settings/settings.h"
#include "store/queue_store.h"

namespace seedcore::app {

/// Who executes which type of task. The store keeps the types that are left to workers outside, for every process; the
/// dispatcher claims every other one, of which a type without an executor may be escalated to a plan, or fails with the
/// list of known ones. With `*` the dispatcher claims the types that have an executor and are not external alone.
///
/// The set is kept in memory and read anew when it is three seconds old, so that claims and submissions pay nothing for
/// it; what rests on its absence from there (a task that fails, a workflow that is refused) asks the store first.
/// Thread-safe.
class ExternalTypes {
 public:
  /// `own`: left to others by the dispatcher of this process alone, as TypesLeftToOthers. The rest must outlive it.
  ExternalTypes(Env& env, store::QueueStore& queues, ExecutableTypes& executables, std::vector<std::string> own = {});

  /// Registers `types` (queue.external_types) and reads what there is; before anything else. Writes nothing when they
  /// are all there. kInvalidArgument, kResourceExhausted: as the store says.
  [[nodiscard]] Result<void> Register(std::span<const std::string> types);

  /// What a dispatcher claims now. `asked`: it wants these alone, among them also external ones that have an executor.
  /// May ask the store, and whoever says what can be executed.
  [[nodiscard]] queue::TypeChoice Claimed(const std::vector<std::string>& asked = {});
  /// As `handler`, except that a task of an external type without an executor is handed back instead of failed or held,
  /// however lately the type was registered; the next Claimed leaves it out. This outlives the handler.
  [[nodiscard]] queue::TaskHandler HandingBack(queue::TaskHandler handler);

  /// kInvalidArgument for a workflow that makes no sense or has a step without an executor (workers outside take tasks,
  /// not steps), unless workers outside take workflows.
  [[nodiscard]] Result<void> Check(const std::string& type, const json::object& params);

  /// A worker outside asks for tasks of `types`, lower case: those that this process cannot execute are registered,
  /// once each, so that dispatchers leave them alone. Errors as Register.
  [[nodiscard]] Result<void> Offer(std::span<const std::string> types);

 private:
  struct Known {
    std::set<std::string> types;
    bool all_others = false;  ///< every type without an executor is external
    [[nodiscard]] bool IsNamed(const std::string& type) const { return types.contains(type); }
    [[nodiscard]] bool Any() const { return all_others || !types.empty(); }
  };

  /// From memory, or from the store when that is old.
  std::shared_ptr<const Known> Fresh();
  /// From the store.
  Result<std::shared_ptr<const Known>> Read();
  [[nodiscard]] bool IsLeft(const Known& known, const std::string& type) const;
  [[nodiscard]] Result<void> CheckStep(const Known& known, const std::string& type) const;

  Env& env_;
  store::QueueStore& queues_;
  ExecutableTypes& executables_;
  const std::set<std::string> own_;
  std::mutex mutex_;  // guards everything below
  std::shared_ptr<const Known> known_ = std::make_shared<Known>();
  Instant read_at_{};  // when what is known was asked for
  Instant look_at_{};  // from then on it is old
  std::set<std::string> offered_;
};

/// Types that the dispatcher of this process leaves to others besides those in the store: graph tasks with
/// graph.dispatch_elsewhere.
[[nodiscard]] std::vector<std::string> TypesLeftToOthers(const settings::Settings& settings);

}  // namespace seedcore::app
