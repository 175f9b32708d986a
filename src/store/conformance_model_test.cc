#include <algorithm>
#include <set>
#include <tuple>

#include <gmock/gmock.h>

#include "base/json_binding.h"
#include "store/conformance.h"

namespace seedcore::store {
namespace {

using std::chrono::seconds;

/// The rules of a task store, written down a second time in the plainest way: everything is a loop over all tasks.
class Model {
 public:
  struct Row {
    std::string id;
    NewTask given;
    TaskStatus status = TaskStatus::kQueued;
    int attempts = 0;
    std::int64_t token = 0;
    std::string owner;
    WallTime lease_end;
    std::optional<WallTime> run_after;
    std::optional<WallTime> deadline;
    std::set<std::string> dependencies;
    bool dead_letter = false;
    std::optional<WallTime> finished_at;
    std::int64_t place = 0;    ///< the operation after which it could run; 0: not yet
    bool awaits_time = false;  ///< a claim finds that its time has come
  };

  Row* Find(const std::string& id) {
    for (Row& row : rows) {
      if (row.id == id) return &row;
    }
    return nullptr;
  }

  void Submit(const std::string& id, const NewTask& task) {
    Row row{.id = id, .given = task, .run_after = task.run_after, .deadline = task.deadline};
    row.dependencies.insert(task.depends_on.begin(), task.depends_on.end());
    if (!task.run_immediately) row.status = TaskStatus::kCreated;
    rows.push_back(row);
    if (HasFailedDependency(row)) Fail(rows.back());
  }

  bool HasFailedDependency(const Row& row) {
    return std::ranges::any_of(row.dependencies, [&](const std::string& id) {
      const TaskStatus status = Find(id)->status;
      return status == TaskStatus::kFailed || status == TaskStatus::kCancelled;
    });
  }
  bool DependenciesMet(const Row& row) {
    return std::ranges::all_of(row.dependencies,
                               [&](const std::string& id) { return Find(id)->status == TaskStatus::kCompleted; });
  }
  bool Waiting(const Row& row) {
    return (row.status == TaskStatus::kQueued || row.status == TaskStatus::kRetry) && DependenciesMet(row);
  }
  bool Claimable(const Row& row) { return Waiting(row) && (!row.run_after || *row.run_after <= now); }

  std::vector<Row*> Candidates(const ClaimRequest& request) {
    std::vector<Row*> claimable;
    for (Row& row : rows) {
      const bool wanted = request.types.empty() ? std::ranges::count(request.except, row.given.type) == 0
                                                : std::ranges::count(request.types, row.given.type) > 0;
      if (wanted && Claimable(row)) claimable.push_back(&row);
    }
    return claimable;
  }

  /// The store has chosen these.
  void Start(const std::vector<Row*>& chosen, const ClaimRequest& request) {
    for (Row* row : chosen) {
      row->status = TaskStatus::kRunning;
      ++row->attempts;
      ++row->token;
      row->owner = request.owner_id;
      row->lease_end = now + request.lease;
    }
  }

  /// Gives each task its place, when it can run for the first time. Of one that waits for its time nobody knows until a
  /// claim looks: what was submitted before that claim has its place already.
  void GivePlaces(bool in_claim) {
    ++operation;
    for (Row& row : rows) {
      if (row.place != 0 || !Waiting(row)) continue;
      if (!Claimable(row)) {
        row.awaits_time = true;
      } else if (in_claim || !row.awaits_time) {
        row.place = operation;
      }
    }
  }

  Row* UnderLease(const Lease& lease) {
    Row* row = Find(lease.task_id);
    if (row == nullptr || row->status != TaskStatus::kRunning) return nullptr;
    return row->token == lease.fencing_token && row->owner == lease.owner_id ? row : nullptr;
  }

  void End(Row& row, TaskStatus status) {
    row.status = status;
    row.finished_at = now;
    if (status != TaskStatus::kCompleted) FailDependants(row.id);
  }
  void Fail(Row& row) {
    row.dead_letter = true;
    End(row, TaskStatus::kFailed);
  }
  void FailDependants(const std::string& id) {
    for (Row& row : rows) {
      if (!IsTerminal(row.status) && row.dependencies.contains(id)) Fail(row);
    }
  }
  void Retry(Row& row, std::optional<WallTime> run_after) {
    if (row.attempts >= row.given.retry.max_attempts) return Fail(row);
    row.status = TaskStatus::kRetry;
    row.run_after = run_after;
  }
  void Reap() {
    for (Row& row : rows) {
      if (!IsTerminal(row.status) && row.deadline && *row.deadline <= now) Fail(row);
    }
    for (Row& row : rows) {
      if (row.status == TaskStatus::kRunning && row.lease_end <= now) Retry(row, std::nullopt);
    }
  }
  /// Whether it could be done.
  bool Requeue(Row& row) {
    if (row.status == TaskStatus::kQueued || row.status == TaskStatus::kRunning ||
        row.status == TaskStatus::kCompleted) {
      return true;
    }
    if (HasFailedDependency(row)) return false;
    if (row.status != TaskStatus::kRetry) row.place = 0;
    row.awaits_time = false;
    row.status = TaskStatus::kQueued;
    row.attempts = 0;
    row.dead_letter = false;
    row.run_after.reset();
    row.finished_at.reset();
    if (row.deadline && *row.deadline <= now) row.deadline.reset();
    return true;
  }
  int Redrive() {
    int done = 0;
    for (Row& row : rows) {
      if (row.dead_letter && Requeue(row)) ++done;
    }
    return done;
  }
  int DeleteFinished(WallTime before) {
    std::set<std::string> gone;
    for (const Row& row : rows) {
      if (row.finished_at && *row.finished_at < before) gone.insert(row.id);
    }
    std::erase_if(rows, [&](const Row& row) { return gone.contains(row.id); });
    for (Row& row : rows) std::erase_if(row.dependencies, [&](const std::string& id) { return gone.contains(id); });
    return static_cast<int>(gone.size());
  }

  WallTime now;
  std::int64_t operation = 0;
  std::vector<Row> rows;  // in the order of submission
};

class ModelRun {
 public:
  ModelRun(TaskStore* store, SimEnv& env) : store_(store), env_(env) {}

  void Step() {
    model_.now = env_.WallNow();
    switch (Below(16)) {
      case 0:
      case 1:
      case 2:
      case 3: Submit(); break;
      case 4:
      case 5:
      case 6: Claim(); break;
      case 7:
      case 8:
      case 9:
      case 10: Finish(); break;
      case 11: Renew(); break;
      case 12: Cancel(); break;
      case 13: Run(); break;
      case 14: env_.Advance(seconds(Below(40))); break;
      case 15: Maintain(); break;
    }
    model_.now = env_.WallNow();
    model_.GivePlaces(false);
  }

  void Compare() {
    const TaskPage page = Must(store_->List({}, 10'000, ""));
    ASSERT_EQ(page.items.size(), model_.rows.size());
    std::map<TaskStatus, std::int64_t> counts;
    std::optional<WallTime> next;
    for (std::size_t i = 0; i < model_.rows.size(); ++i) {
      const Model::Row& row = model_.rows[i];
      const Task& task = page.items[page.items.size() - 1 - i];
      ASSERT_EQ(task.id, row.id);
      ASSERT_EQ(EnumToString(task.status), EnumToString(row.status)) << task.id << " " << task.error;
      ASSERT_EQ(task.attempts, row.attempts);
      ASSERT_EQ(task.fencing_token, row.token);
      ASSERT_EQ(task.dead_letter, row.dead_letter);
      ASSERT_EQ(task.deadline, row.deadline);
      ASSERT_EQ(task.finished_at, row.finished_at);
      if (row.status == TaskStatus::kRunning) {
        ASSERT_EQ(task.lease_expires_at, row.lease_end);
      }
      ++counts[row.status];
      if (model_.Waiting(row) && row.run_after && *row.run_after > env_.WallNow() &&
          (!next || *row.run_after < *next)) {
        next = row.run_after;
      }
    }
    const TaskCounts counted = Must(store_->Counts());
    for (const auto& [status, n] : counted.by_status) ASSERT_EQ(n, counts[status]) << EnumToString(status);
    // What is due but not yet claimed may still be reported as waiting.
    if (const auto reported = Must(store_->NextRunAfter()); reported != next) {
      ASSERT_TRUE(reported && *reported <= env_.WallNow());
    }
    CompareHistories();
  }

 private:
  int Below(int n) { return static_cast<int>(env_.Random() % static_cast<std::uint64_t>(n)); }
  bool OneIn(int n) { return Below(n) == 0; }
  std::string AnyTask() {
    if (model_.rows.empty()) return env_.NewId();
    return model_.rows[static_cast<std::size_t>(Below(static_cast<int>(model_.rows.size())))].id;
  }

  void Submit() {
    NewTask task{.type = OneIn(2) ? "a" : "b",
                 .domain = OneIn(3) ? "x" : "y",
                 .priority = 1 + Below(10),
                 .retry = {.max_attempts = 1 + Below(3)}};
    if (OneIn(4)) task.run_after = env_.WallNow() + seconds(Below(60));
    if (OneIn(4)) task.deadline = env_.WallNow() + seconds(1 + Below(120));
    if (!model_.rows.empty() && OneIn(2)) task.depends_on.push_back(AnyTask());
    if (!model_.rows.empty() && OneIn(4)) task.depends_on.push_back(AnyTask());
    task.run_immediately = !OneIn(6);
    const auto results = Must(store_->Submit(std::vector<NewTask>{task}));
    model_.Submit(results.front().task.id, task);
    EXPECT_EQ(results.front().task.status, model_.rows.back().status);
  }

  void Claim() {
    Reap();  // so that no task past its deadline is met on the way
    ClaimRequest request{.owner_id = OneIn(2) ? "w1" : "w2", .limit = 1 + Below(3), .lease = seconds(30)};
    if (OneIn(3)) {
      request.types = {"b"};
    } else if (OneIn(3)) {
      request.except = {"b", "none"};
    }
    const auto claims = Must(store_->ClaimTasks(request));
    model_.GivePlaces(true);
    std::vector<Model::Row*> waiting = model_.Candidates(request);
    ASSERT_EQ(claims.size(), std::min(waiting.size(), static_cast<std::size_t>(request.limit)));
    std::vector<Model::Row*> chosen;
    for (const auto& claim : claims) {
      const auto found = std::ranges::find(waiting, claim.task.id, &Model::Row::id);
      ASSERT_NE(found, waiting.end());
      chosen.push_back(*found);
      waiting.erase(found);
      // What still waits is of no higher priority, and no older where the flow is the same: the run is too short for a
      // lower priority to have waited long enough.
      for (const Model::Row* other : waiting) {
        ASSERT_LE(other->given.priority, chosen.back()->given.priority);
        const bool same = other->given.priority == chosen.back()->given.priority &&
                          other->given.type == chosen.back()->given.type &&
                          other->given.domain == chosen.back()->given.domain;
        if (same) {
          ASSERT_GE(other->place, chosen.back()->place);
        }
      }
      leases_.push_back(claim.lease());
    }
    model_.Start(chosen, request);
  }

  void Finish() {
    if (leases_.empty()) return;
    // Any lease ever given out: many are stale.
    const std::size_t recent = std::min<std::size_t>(leases_.size(), 8);
    const Lease lease = leases_[leases_.size() - 1 - static_cast<std::size_t>(Below(static_cast<int>(recent)))];
    store::Finish finish{.lease = lease};
    const int kind = Below(9);
    const std::chrono::milliseconds delay = seconds(Below(3) * 20);
    if (kind < 4) finish.outcome = Completed{{{"n", kind}}};
    if (kind == 4) finish.outcome = FailedForGood{WorkFailed(), nullptr};
    if (kind == 5) finish.outcome = RetryLater{WorkFailed(), delay};
    if (kind == 6) finish.outcome = Held{"why"};
    if (kind == 7) finish.outcome = HandedBack{};
    if (kind == 8) finish.outcome = Snoozed{delay, "later"};
    const Result<void> answer = Must(store_->FinishTasks(std::vector<store::Finish>{finish})).front();
    Model::Row* row = model_.UnderLease(lease);
    if (row == nullptr) {
      ASSERT_FALSE(answer);
      EXPECT_EQ(answer.error().code, model_.Find(lease.task_id) ? ErrorCode::kLeaseLost : ErrorCode::kNotFound);
      return;
    }
    ASSERT_TRUE(answer) << ToString(answer.error());
    if (kind < 4) model_.End(*row, TaskStatus::kCompleted);
    if (kind == 4) model_.Fail(*row);
    if (kind == 5) model_.Retry(*row, env_.WallNow() + delay);
    if (kind == 6) row->status = TaskStatus::kCreated;
    if (kind >= 7) row->status = TaskStatus::kQueued, --row->attempts;
    if (kind == 8) row->run_after = env_.WallNow() + delay;
  }

  void Renew() {
    if (leases_.empty()) return;
    const Lease lease = leases_[static_cast<std::size_t>(Below(static_cast<int>(leases_.size())))];
    const RenewResult result = Must(store_->Renew(std::vector<Lease>{lease}, seconds(45))).front();
    Model::Row* row = model_.UnderLease(lease);
    ASSERT_EQ(result.renewed, row != nullptr);
    if (row != nullptr) row->lease_end = env_.WallNow() + seconds(45);
  }

  void Cancel() {
    const std::string id = AnyTask();
    const auto task = store_->Cancel(id);
    Model::Row* row = model_.Find(id);
    ASSERT_EQ(task.has_value(), row != nullptr);
    if (row != nullptr && !IsTerminal(row->status)) model_.End(*row, TaskStatus::kCancelled);
  }

  void Run() {
    const std::string id = AnyTask();
    const auto task = store_->Run(id);
    Model::Row* row = model_.Find(id);
    ASSERT_EQ(task.has_value(), row != nullptr && model_.Requeue(*row));
  }

  void Reap() {
    while (Must(store_->Reap(3)) == 3) {
    }
    model_.Reap();
  }

  void Maintain() {
    switch (Below(3)) {
      case 0: Reap(); break;
      case 1: EXPECT_EQ(Must(store_->Redrive({}, 10'000)), model_.Redrive()); break;
      case 2: {
        const WallTime before = env_.WallNow() - seconds(300);
        EXPECT_EQ(Must(store_->DeleteFinished(before, 10'000)), model_.DeleteFinished(before));
        break;
      }
    }
  }

  /// The last event tells the state, and a finished task moves on only when somebody asks for it.
  void CompareHistories() {
    std::map<std::string, TaskStatus> last;
    for (const TaskEvent& event : Must(store_->EventsAfter(0, 1'000'000))) {
      const auto before = last.find(event.task_id);
      if (before != last.end() && IsTerminal(before->second) && event.kind != "lease_lost") {
        ASSERT_THAT(event.kind, testing::AnyOf("queued", "resumed", "redriven"));
        ASSERT_NE(before->second, TaskStatus::kCompleted);
      }
      last[event.task_id] = event.status;
    }
    ASSERT_EQ(last.size(), model_.rows.size());
    for (const Model::Row& row : model_.rows) ASSERT_EQ(last[row.id], row.status);
  }

  TaskStore* store_;
  SimEnv& env_;
  Model model_;
  std::vector<Lease> leases_;
};

TEST_P(StoreConformance, BehavesLikeTheModelUnderRandomOperations) {
  constexpr int kSteps = 400, kCompareEvery = 20;
  // 33: tasks of a flow are submitted between the time of an earlier one and the claim that finds it.
  for (const unsigned seed : {1U, 2U, 3U, 4U, 5U, 6U, 33U}) {
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    const TempDirectory directory;
    SimEnv env(seed);
    const auto store = Must(GetParam().open(directory.path(), env, metrics_));
    ModelRun run(&store->tasks(), env);
    for (int step = 1; step <= kSteps; ++step) {
      SCOPED_TRACE(testing::Message() << "step " << step);
      run.Step();
      if (step % kCompareEvery == 0) run.Compare();
      if (HasFailure()) return;
    }
  }
}

}  // namespace
}  // namespace seedcore::store
