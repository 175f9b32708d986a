// Results whose tasks another transaction has in its hands: they wait, keep their leases, and hold nobody up.
#include <atomic>
#include <map>
#include <mutex>
#include <utility>

#include "queue/test_world.h"

namespace seedcore::queue {
namespace {

using namespace std::chrono_literals;
using store::TaskStatus;

/// The tasks of a store, some of which cannot be written as they should be.
class HinderedTasks final : public store::TaskStore {
 public:
  explicit HinderedTasks(store::TaskStore& real) : real_(real) {}

  enum class Hindrance {
    kNone,
    kLocked,      ///< for results and renewals
    kLateLocked,  ///< for results alone
    kRefusing,    ///< for results; renewals are told that the lease is lost and the task cancelled
    kUnbearable,  ///< whatever it is written with fails
  };
  void Hinder(const std::string& id, Hindrance how) {
    const std::scoped_lock lock(mutex_);
    hindered_[id] = how;
  }
  [[nodiscard]] int renewals() const { return renewals_; }

  Result<std::vector<store::RenewResult>> Renew(std::span<const store::Lease> leases,
                                                std::chrono::milliseconds lease) override {
    std::vector<store::RenewResult> out(leases.size());
    for (std::size_t i = 0; i < leases.size(); ++i) {
      const Hindrance how = Of(leases[i].task_id);
      if (how == Hindrance::kLocked) {
        out[i].busy = true;
      } else if (how == Hindrance::kRefusing) {
        out[i].cancel_requested = i % 2 == 0;
      } else {
        SEEDCORE_ASSIGN_OR_RETURN(const auto one, real_.Renew(leases.subspan(i, 1), lease));
        out[i] = one.front();
      }
    }
    ++renewals_;
    return out;
  }
  Result<std::vector<Result<void>>> FinishTasks(std::span<const store::Finish> finishes) override {
    for (const store::Finish& finish : finishes) {
      if (Of(finish.lease.task_id) == Hindrance::kUnbearable) return Fail(ErrorCode::kUnavailable, "too much for it");
    }
    std::vector<Result<void>> out;
    for (std::size_t i = 0; i < finishes.size(); ++i) {
      if (Of(finishes[i].lease.task_id) != Hindrance::kNone) {
        out.push_back(Fail(ErrorCode::kUnavailable, "in other hands"));
        continue;
      }
      SEEDCORE_ASSIGN_OR_RETURN(auto one, real_.FinishTasks(finishes.subspan(i, 1)));
      out.push_back(std::move(one.front()));
    }
    return out;
  }

  Result<std::vector<store::SubmitResult>> Submit(std::span<const store::NewTask> tasks) override {
    return real_.Submit(tasks);
  }
  Result<std::vector<store::Claim>> ClaimTasks(const store::ClaimRequest& request) override {
    return real_.ClaimTasks(request);
  }
  Result<std::vector<store::ProgressAnswer>> ReportProgress(std::span<const store::ProgressReport> reports) override {
    return real_.ReportProgress(reports);
  }
  Result<std::map<std::string, store::StoredProgress>> ProgressOf(std::span<const std::string> ids) override {
    return real_.ProgressOf(ids);
  }
  Result<int> Reap(int limit) override { return real_.Reap(limit); }
  Result<store::Task> Cancel(const std::string& id) override { return real_.Cancel(id); }
  Result<store::Task> Run(const std::string& id) override { return real_.Run(id); }
  Result<int> Redrive(const store::TaskFilter& filter, int limit) override { return real_.Redrive(filter, limit); }
  Result<store::Task> Get(const std::string& id) override { return real_.Get(id); }
  Result<store::TaskPage> List(const store::TaskFilter& filter, int limit, const std::string& cursor) override {
    return real_.List(filter, limit, cursor);
  }
  Result<std::vector<store::TaskEvent>> Events(const std::string& id) override { return real_.Events(id); }
  Result<std::vector<store::TaskEvent>> EventsAfter(std::int64_t after, int limit) override {
    return real_.EventsAfter(after, limit);
  }
  Result<store::TaskCounts> Counts() override { return real_.Counts(); }
  Result<std::optional<WallTime>> NextRunAfter() override { return real_.NextRunAfter(); }
  Result<int> DeleteFinished(WallTime before, int limit) override { return real_.DeleteFinished(before, limit); }
  Result<bool> HasFinished(WallTime before) override { return real_.HasFinished(before); }
  store::Subscription OnRunnable(std::function<void()> listener) override {
    return real_.OnRunnable(std::move(listener));
  }
  store::Subscription OnEvents(std::function<void()> listener) override { return real_.OnEvents(std::move(listener)); }

 private:
  Hindrance Of(const std::string& id) {
    const std::scoped_lock lock(mutex_);
    const auto found = hindered_.find(id);
    return found == hindered_.end() ? Hindrance::kNone : found->second;
  }

  store::TaskStore& real_;
  std::mutex mutex_;  // guards hindered_
  std::map<std::string, Hindrance> hindered_;
  std::atomic<int> renewals_ = 0;
};
using Hindrance = HinderedTasks::Hindrance;

int Completions(store::TaskStore& tasks, const std::string& id) {
  int n = 0;
  const auto events = tasks.Events(id).value();
  for (const store::TaskEvent& event : events) n += event.kind == "completed" ? 1 : 0;
  return n;
}

class LockedResultTest : public World {
 protected:
  std::unique_ptr<Dispatcher> Start(TaskHandler handler, DispatcherSettings settings = {}) {
    return std::make_unique<Dispatcher>(env, hindered_, metrics, std::move(settings), std::move(handler));
  }
  /// A dispatcher that has finished one task, which the store does not take.
  std::unique_ptr<Dispatcher> StartWithOne(Hindrance how) {
    id_ = Submit();
    hindered_.Hinder(id_, how);
    auto dispatcher = Start([this](const store::Task& task, const CallContext&) {
      if (task.id == id_) ++executions_;
      return TaskOutcome::Complete("done");
    });
    EXPECT_TRUE(Eventually([&] { return dispatcher->Status().unwritten == 1; }));
    return dispatcher;
  }
  /// So much time passes, and a renewal is made.
  void PassToRenewal(std::chrono::seconds time) {
    const int before = hindered_.renewals();
    env.Advance(time);
    EXPECT_TRUE(Eventually([&] { return hindered_.renewals() > before; }));
  }
  bool IsWrittenSoon() {
    return Eventually([&] {
      env.Advance(50ms);
      return Get(id_).status == TaskStatus::kCompleted;
    });
  }

  HinderedTasks hindered_{tasks()};
  std::string id_;
  std::atomic<int> executions_ = 0;
};

TEST_F(LockedResultTest, WaitsWhileTheOthersAreWritten) {
  auto dispatcher = StartWithOne(Hindrance::kLocked);
  SubmitMany(100);
  ASSERT_TRUE(Eventually([&] { return Count(TaskStatus::kCompleted) == 100; })) << "though no clock moves";
  EXPECT_EQ(Get(id_).status, TaskStatus::kRunning);
  EXPECT_EQ(dispatcher->Status().store_error, "") << "the store is well";
  hindered_.Hinder(id_, Hindrance::kNone);
  ASSERT_TRUE(IsWrittenSoon());
  EXPECT_EQ(executions_, 1);
  EXPECT_EQ(Completions(tasks(), id_), 1);
  EXPECT_TRUE(Eventually([&] { return dispatcher->Status().unwritten == 0; }));
  EXPECT_EQ(dispatcher->Status().completed, 101);
}

TEST_F(LockedResultTest, KeepsItsLease) {
  auto dispatcher = StartWithOne(Hindrance::kLateLocked);
  for (int i = 0; i < 6; ++i) {
    const auto before = Get(id_).lease_expires_at;
    // Results are renewed in the second half of a lease.
    ASSERT_TRUE(Eventually([&] {
      env.Advance(1s);
      return Get(id_).lease_expires_at > before;
    }));
    ASSERT_EQ(tasks().Reap(10), 0);
  }
  hindered_.Hinder(id_, Hindrance::kNone);
  ASSERT_TRUE(IsWrittenSoon());
  EXPECT_EQ(executions_, 1);
  EXPECT_EQ(Get(id_).attempts, 1);
  EXPECT_EQ(dispatcher->Status().lease_lost, 0);
}

TEST_F(LockedResultTest, IsWrittenAfterItsLeaseWhenItComesFirst) {
  auto dispatcher = StartWithOne(Hindrance::kLocked);
  PassToRenewal(20s);  // the first in the second half of the lease
  for (int i = 0; i < 8; ++i) PassToRenewal(10s);
  hindered_.Hinder(id_, Hindrance::kNone);
  ASSERT_TRUE(IsWrittenSoon());
  EXPECT_EQ(executions_, 1);
  EXPECT_EQ(Completions(tasks(), id_), 1);
  EXPECT_EQ(dispatcher->Status().lease_lost, 0);
}

TEST_F(LockedResultTest, IsRefusedAfterItsLeaseWhenTheReaperComesFirst) {
  auto dispatcher = StartWithOne(Hindrance::kLocked);
  PassToRenewal(20s);
  PassToRenewal(10s);
  PassToRenewal(10s);
  ASSERT_EQ(tasks().Reap(10), 1);
  hindered_.Hinder(id_, Hindrance::kNone);
  ASSERT_TRUE(IsWrittenSoon());
  EXPECT_EQ(executions_, 2);
  EXPECT_EQ(Completions(tasks(), id_), 1);
  EXPECT_TRUE(Eventually([&] {
    env.Advance(50ms);
    return dispatcher->Status().lease_lost == 1;
  }));
}

TEST_F(LockedResultTest, WhatARenewalHearsOfItIsNoNews) {
  auto dispatcher = StartWithOne(Hindrance::kRefusing);
  PassToRenewal(20s);
  PassToRenewal(10s);
  PassToRenewal(10s);
  hindered_.Hinder(id_, Hindrance::kNone);
  ASSERT_TRUE(IsWrittenSoon());
  EXPECT_EQ(dispatcher->Status().lease_lost, 0);
  EXPECT_EQ(dispatcher->Status().cancelled, 0);
}

TEST_F(LockedResultTest, AHandlerIsNotStoppedWhileNobodyCanTakeItsTask) {
  Gate gate;
  std::atomic<bool> started = false;
  std::atomic<bool> stopped = false;
  id_ = Submit();
  auto dispatcher = Start([&](const store::Task&, const CallContext& call) {
    started = true;
    stopped = !gate.Await(call.stop);
    return TaskOutcome::Complete("done");
  });
  ASSERT_TRUE(Eventually([&] { return started.load(); }));
  hindered_.Hinder(id_, Hindrance::kLocked);
  for (int i = 0; i < 6; ++i) PassToRenewal(10s);
  EXPECT_FALSE(stopped);
  hindered_.Hinder(id_, Hindrance::kNone);
  const auto before = Get(id_).lease_expires_at;
  ASSERT_TRUE(Eventually([&] {
    env.Advance(1s);
    return Get(id_).lease_expires_at > before;
  }));
  gate.Open();
  ASSERT_TRUE(IsWrittenSoon());
  EXPECT_FALSE(stopped);
  EXPECT_EQ(dispatcher->Status().lease_lost, 0);
}

TEST_F(LockedResultTest, OneThatTheStoreCannotBearLosesItsLeaseAndTheOthersAreWritten) {
  auto dispatcher = StartWithOne(Hindrance::kUnbearable);
  SubmitMany(40);
  ASSERT_TRUE(Eventually([&] {
    env.Advance(50ms);
    return Count(TaskStatus::kCompleted) == 40;
  }));
  // It is tried by itself, and fails again after others have been written.
  ASSERT_TRUE(Eventually([&] {
    Submit();
    env.Advance(500ms);
    return tasks().Reap(10) == 1;
  }));
  hindered_.Hinder(id_, Hindrance::kNone);
  ASSERT_TRUE(IsWrittenSoon());
  EXPECT_EQ(executions_, 2);
}

TEST_F(LockedResultTest, IsGivenUpWhenTheDispatcherStops) {
  auto dispatcher = StartWithOne(Hindrance::kLocked);
  dispatcher->Stop(env.Now());
  EXPECT_EQ(dispatcher->Status().unwritten, 0);
  EXPECT_EQ(Get(id_).status, TaskStatus::kRunning);
}

}  // namespace
}  // namespace seedcore::queue
