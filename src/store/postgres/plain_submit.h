#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/env.h"
#include "store/postgres/connection.h"
#include "store/postgres/notifier.h"
#include "store/prepared_task.h"

namespace seedcore::store::postgres {

/// Plain tasks, without idempotency key, unique key and dependencies, that are stored by one statement. It keeps the
/// places itself (schema/places.cc), so nothing follows it in its transaction.
class PlainSubmit {
 public:
  explicit PlainSubmit(WallTime now) : now_(now) {}

  /// Both outlive this object.
  void Add(const PreparedTask& prepared, const std::string& id);
  /// Of those that can run now. A statement for one task alone can be announced.
  [[nodiscard]] Wakes wakes() const { return {.runnable = run_now_, .announce = tasks_.size() == 1}; }
  /// Whether some can run later.
  [[nodiscard]] bool some_run_later() const { return runs_ > run_now_; }
  /// Of at least one task. `announced`: see WriteContext; one task alone takes the lock on it.
  [[nodiscard]] Call ToCall(std::uint32_t announced = 0) const {
    return tasks_.size() == 1 ? ToCallOfOne(announced) : ToCallOfMany();
  }

 private:
  /// Tasks that take their turns in one go, see store/turn.h.
  struct Flow {
    const NewTask* first;
    std::int64_t tasks = 0;
  };
  /// The flow of each task that can run now, counted from 0; -1 for others.
  struct Flows {
    std::vector<Flow> all;
    std::vector<std::int32_t> of_task;
  };

  [[nodiscard]] Call ToCallOfOne(std::uint32_t announced) const;
  [[nodiscard]] Call ToCallOfMany() const;
  [[nodiscard]] bool RunsNow(const NewTask& task) const {
    return task.run_immediately && (!task.run_after || *task.run_after <= now_);
  }
  [[nodiscard]] bool AreAlike() const;
  [[nodiscard]] Flows FindFlows() const;
  /// The tasks by what they have in common: the created ones, those that run later, and flow by flow the others.
  [[nodiscard]] std::vector<std::int32_t> Order(const Flows& flows) const;
  void AddColumns(Params& params, bool alike) const;
  void AddLine(Params& params, const Flows& flows) const;
  void AddHistory(Params& params) const;
  void AddPlacesOfTasks(Params& params, const Flows& flows, const std::vector<std::int32_t>& order) const;

  WallTime now_;
  std::vector<const PreparedTask*> tasks_;
  std::vector<const std::string*> ids_;
  std::int64_t runs_ = 0;  ///< now or later
  std::int64_t run_now_ = 0;
};

}  // namespace seedcore::store::postgres
