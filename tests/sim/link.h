#pragma once

#include <cstddef>
#include <utility>
#include <vector>

#include "sim/weather.h"
#include "store/store.h"

namespace seedcore::sim {

/// One call of the store through the weather.
template <class Commit>
auto Through(Weather& weather, bool may_crash, const Commit& commit) -> decltype(commit()) {
  SEEDCORE_RETURN_IF_ERROR(weather.AtCall(may_crash));
  auto answer = commit();
  // The commit stands, but the answer may be lost.
  SEEDCORE_RETURN_IF_ERROR(weather.AtCall(may_crash));
  return answer;
}

/// The same for a write that its caller can give up on while it is still under way. `keep` copies it, to be made later.
template <class Commit, class Keep>
auto Belatable(Weather& weather, bool may_crash, const Commit& commit, const Keep& keep) -> decltype(commit()) {
  if (!weather.Belates()) return Through(weather, may_crash, commit);
  weather.DeliverLater(3 * kLease, keep());
  return Fail(ErrorCode::kUnavailable, "the store does not answer in time");
}

/// The store as one caller sees it through the weather: before and after each commit the call may take long, fail, or
/// be the last thing that its process did.
class Link final : public store::TaskStore {
 public:
  Link(store::TaskStore& store, Weather& weather, bool may_crash)
      : store_(store), weather_(weather), may_crash_(may_crash) {}

  Result<std::vector<store::SubmitResult>> Submit(std::span<const store::NewTask> tasks) override {
    return Call([&] { return store_.Submit(tasks); });
  }
  Result<std::vector<store::Claim>> ClaimTasks(const store::ClaimRequest& request) override {
    return Call([&] { return store_.ClaimTasks(request); });
  }
  Result<std::vector<store::RenewResult>> Renew(std::span<const store::Lease> leases,
                                                std::chrono::milliseconds lease) override {
    return Call([&]() -> Result<std::vector<store::RenewResult>> {
      std::vector<store::Lease> free;
      std::vector<bool> locked;
      for (const store::Lease& one : leases) {
        locked.push_back(weather_.Locks());
        if (!locked.back()) free.push_back(one);
      }
      SEEDCORE_ASSIGN_OR_RETURN(const auto renewed, store_.Renew(free, lease));
      std::vector<store::RenewResult> out;
      for (std::size_t i = 0, next = 0; i < leases.size(); ++i) {
        out.push_back(locked[i] ? store::RenewResult{.busy = IsHeld(leases[i])} : renewed[next++]);
      }
      return out;
    });
  }
  Result<std::vector<Result<void>>> FinishTasks(std::span<const store::Finish> finishes) override {
    return Belatable(
        weather_, may_crash_, [&] { return FinishFree(finishes); },
        [&] {
          return [&store = store_, late = std::vector(finishes.begin(), finishes.end())] {
            static_cast<void>(store.FinishTasks(late));
          };
        });
  }
  Result<std::vector<store::ProgressAnswer>> ReportProgress(std::span<const store::ProgressReport> reports) override {
    return Call([&] { return store_.ReportProgress(reports); });
  }
  Result<std::map<std::string, store::StoredProgress>> ProgressOf(std::span<const std::string> ids) override {
    return Call([&] { return store_.ProgressOf(ids); });
  }
  Result<int> Reap(int limit) override {
    return Call([&] { return store_.Reap(limit); });
  }
  Result<store::Task> Cancel(const std::string& id) override {
    return Call([&] { return store_.Cancel(id); });
  }
  Result<store::Task> Run(const std::string& id) override {
    return Call([&] { return store_.Run(id); });
  }
  Result<int> Redrive(const store::TaskFilter& filter, int limit) override {
    return Call([&] { return store_.Redrive(filter, limit); });
  }
  Result<store::Task> Get(const std::string& id) override {
    return Call([&] { return store_.Get(id); });
  }
  Result<store::TaskPage> List(const store::TaskFilter& filter, int limit, const std::string& cursor) override {
    return Call([&] { return store_.List(filter, limit, cursor); });
  }
  Result<std::vector<store::TaskEvent>> Events(const std::string& task_id) override {
    return Call([&] { return store_.Events(task_id); });
  }
  Result<std::vector<store::TaskEvent>> EventsAfter(std::int64_t after, int limit) override {
    return Call([&] { return store_.EventsAfter(after, limit); });
  }
  Result<store::TaskCounts> Counts() override {
    return Call([&] { return store_.Counts(); });
  }
  Result<std::optional<WallTime>> NextRunAfter() override {
    return Call([&] { return store_.NextRunAfter(); });
  }
  Result<int> DeleteFinished(WallTime before, int limit) override {
    return Call([&] { return store_.DeleteFinished(before, limit); });
  }
  Result<bool> HasFinished(WallTime before) override {
    return Call([&] { return store_.HasFinished(before); });
  }
  store::Subscription OnRunnable(std::function<void()> listener) override {
    return store_.OnRunnable([this, listener = std::move(listener)] {
      if (weather_.LosesWakeUp()) {
        ++weather_.counts.lost_wakeups;
      } else {
        listener();
      }
    });
  }
  store::Subscription OnEvents(std::function<void()> listener) override { return store_.OnEvents(std::move(listener)); }

 private:
  Result<std::vector<Result<void>>> FinishFree(std::span<const store::Finish> finishes) {
    std::vector<store::Finish> free;
    std::vector<bool> locked;
    for (const store::Finish& finish : finishes) {
      locked.push_back(weather_.Locks());
      if (!locked.back()) free.push_back(finish);
    }
    SEEDCORE_ASSIGN_OR_RETURN(auto written, store_.FinishTasks(free));
    std::vector<Result<void>> out;
    for (std::size_t i = 0, next = 0; i < finishes.size(); ++i) {
      if (locked[i]) {
        out.push_back(Fail(ErrorCode::kUnavailable, "another transaction has the task in its hands"));
      } else {
        out.push_back(std::move(written[next++]));
      }
    }
    return out;
  }
  bool IsHeld(const store::Lease& lease) {
    const auto task = store_.Get(lease.task_id);
    return task && task->status == store::TaskStatus::kRunning && task->owner_id == lease.owner_id &&
           task->fencing_token == lease.fencing_token;
  }
  template <class Commit>
  auto Call(const Commit& commit) -> decltype(commit()) {
    return Through(weather_, may_crash_, commit);
  }

  store::TaskStore& store_;
  Weather& weather_;
  const bool may_crash_;
};

}  // namespace seedcore::sim
